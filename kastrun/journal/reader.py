"""Reading back: lines to typed entries, whatever state a crash left the file in.

A torn last line is dropped; damage in the middle is told with its offset and passed over.
A journal of a newer version is refused, since what it says could be misread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec

from kastrun.errors import JournalError
from kastrun.facts import (
    Accepted,
    Discovered,
    Egress,
    JobEnded,
    JobRetried,
    JobStarted,
    PassedOver,
    RunEnded,
    RunStarted,
    Void,
)
from kastrun.model import JsonObject, Severity

VERSION = 1
_BLOCK = 1 << 18


class FindingEntry(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="finding"):
    """A finding as the journal has it; what a fold needs. The whole line is in `Entry.line`."""

    job: str
    plugin: str
    target: str
    rule: str
    title: str
    severity: Severity
    fingerprint: str


class AssetEntry(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="asset"):
    """An asset: `kind` is a target kind, ``service``, ``cert``, ``tech`` or the plugin's own word."""

    job: str
    plugin: str
    target: str
    kind: str
    value: str


class LogEntry(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="log"):
    """What a plugin wanted to tell."""

    job: str
    plugin: str
    level: str
    message: str


class ArtifactEntry(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="artifact"):
    """A file that a job handed over."""

    job: str
    plugin: str
    path: str
    sha256: str = ""


Known = (
    RunStarted
    | Accepted
    | JobStarted
    | Egress
    | JobEnded
    | JobRetried
    | Discovered
    | PassedOver
    | Void
    | RunEnded
    | FindingEntry
    | AssetEntry
    | LogEntry
    | ArtifactEntry
)
_known: msgspec.json.Decoder[Known] = msgspec.json.Decoder(Known)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line: its typed form (None for a type that this version only keeps), and its bytes."""

    fact: Known | None
    line: bytes

    @property
    def seq(self) -> int:
        """Its place in the journal, from 1; -1 where it does not say."""
        return _number(self.line)

    def document(self) -> JsonObject:
        """The whole line as an object."""
        document: JsonObject = msgspec.json.decode(self.line)
        return document


class Damage(msgspec.Struct, frozen=True, gc=False):
    """A line that is not what was written: byte offset, and whether it is only the torn end.

    `missing`: the line at `offset` is good, but its number says that some before it are not there.
    """

    offset: int
    torn: bool
    missing: bool = False


class _Probe(msgspec.Struct):
    seq: int
    type: str
    v: int = VERSION


_probe = msgspec.json.Decoder(_Probe)


def read(path: Path) -> Iterator[Entry | Damage]:
    """The entries of a journal in order, and its damage where it is.

    An empty one has none. Raises JournalError where it cannot be read, or is of a newer version.
    """
    offset, last = 0, 0
    with _opened(path) as file:
        for line in file:
            item = _entry(line) if line.endswith(b"\n") else None
            if item is None:
                last = -1  # what comes next cannot be foretold: this may have been several lines
                yield Damage(offset, torn=not line.endswith(b"\n"))
            else:
                foretold = last + 1
                last = foretold if line.startswith(b'{"seq":%d,' % foretold) else _number(line)
                if last != foretold and foretold and last >= 0:
                    yield Damage(offset, torn=False, missing=True)
                yield item
            offset += len(line)


def _number(line: bytes) -> int:
    """The `seq` of a line; -1 where it has none."""
    if not line.startswith(b'{"seq":'):
        return -1
    digits = line[7 : line.find(b",", 7, 30)]
    return int(digits) if digits.isdigit() else -1


def pick(path: Path, *kinds: type[Known]) -> Iterator[Entry]:
    """Only the entries of these types; all other lines are passed over unread, damaged ones too.

    Many times faster than `read` where they are few among millions of records. Raises as it does.
    """
    marks = [f'"{kind.__struct_config__.tag}"'.encode() for kind in kinds]
    for block in _blocks(path):
        if not any(mark in block for mark in marks):
            continue
        for line in block.split(b"\n"):
            if any(mark in line for mark in marks):
                entry = _entry(line + b"\n")
                if entry is not None and isinstance(entry.fact, kinds):
                    yield entry


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines by the hundred kilobytes, without a torn last one."""
    with _opened(path) as file:
        while block := file.read(_BLOCK):
            block += file.readline()
            yield block if block.endswith(b"\n") else block[: block.rfind(b"\n") + 1]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise JournalError(
            f"cannot read the journal {path}: {error.strerror}", hint="is this a run folder of kastrun?"
        ) from error


def _entry(line: bytes) -> Entry | None:
    try:
        if not line.isascii():
            line.decode()  # msgspec does not look into members that it passes over
        fact = _known.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _unknown(line)
    if isinstance(fact, RunStarted):
        _refuse_newer(fact.v)
    return Entry(fact, line)


def _unknown(line: bytes) -> Entry | None:
    """A line of a type that is stored unread (``x-…``), of a newer version, or damaged."""
    try:
        probe = _probe.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if probe.type == "run":
        _refuse_newer(probe.v)
    return Entry(None, line) if probe.type not in _TYPES else None


def _refuse_newer(version: int) -> None:
    if version > VERSION:
        raise JournalError(
            f"this journal has version {version}, this kastrun reads version {VERSION}",
            hint="read it with the kastrun that wrote it, or a newer one",
        )


_TYPES: frozenset[Any] = frozenset(kind.__struct_config__.tag for kind in get_args(Known))
