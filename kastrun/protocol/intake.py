"""What of a job's messages is kept: order, targets, limits, counts, and the bodies to write.

Messages come in already read and fitting their schema, one by one or, a flood of findings, all
of one read at once; bytes and lines are the codec's. The clock is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from msgspec import UNSET, structs

from kastrun.model import Counts
from kastrun.protocol import certain, explain
from kastrun.protocol.exact import Reading
from kastrun.protocol.explain import Refused
from kastrun.protocol.messages import (
    TYPES,
    Artifact,
    Asset,
    Custom,
    Done,
    Finding,
    Known,
    Log,
    Message,
    Progress,
)
from kastrun.protocol.redact import Redactor

MESSAGES_PER_SECOND: Final = 10
NAMES_KEPT: Final = 20
"""So many unknown fields are remembered by name; a hostile plugin could invent a million."""
NAME_LENGTH: Final = 64

Item: TypeAlias = tuple[Message, bytes]
"""A message and its *body*: what follows the engine's own members in the journal's line.

The body is the message's JSON object without its `type`, `target` and `at`, and without what
opens it: it begins with a comma, or is `}` alone, so that `envelope + body` is a whole object
where the envelope is `{"type":"finding",…` without a comma at its end. The plugin's `at` is
`observed_at` in it, unknown fields are under `extra`, an `x-` message is under `data`.
"""


class Heard:
    """What was kept, in order: `messages`, and beside each its body in `bodies`."""

    __slots__ = ("bodies", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.bodies: list[bytes] = []

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Item]:
        return zip(self.messages, self.bodies, strict=True)

    def add(self, message: Message, body: bytes) -> None:
        """Keep one more."""
        self.messages.append(message)
        self.bodies.append(body)


_TARGETED: Final = (Finding, Asset, Log)
_AT: Final = b',"at"'
_AT_SIZE: Final = len(_AT)
_OBSERVED: Final = b',"observed_at"'
_FINDING: Final = b'{"type":"finding"'
_RULE: Final = b',"rule":'
_OPENING: Final[dict[Any, int]] = {kind: len(f'{{"type":"{name}"') for name, kind in TYPES.items()}


class Intake:
    """One job's messages as they come; see `codec.Decoder` for the public members."""

    def __init__(self, targets: frozenset[str], max_records: int, secrets: Sequence[str]) -> None:
        self.done: Done | None = None
        self.counts = Counts()
        self.records = 0
        self.warnings: dict[str, int] = {}
        self.unknown_fields: list[str] = []
        self.redactor = Redactor.of(tuple(secrets))
        self._targets = targets
        self._target_sizes = {value: len(b',"target":' + certain.encode(value)) for value in targets}
        self._several = len(targets) > 1
        self._openings = (
            []
            if self._several
            else [_FINDING, *(_FINDING + b',"target":' + certain.encode(each) for each in targets)]
        )
        self._max_records = max_records
        self._second = float("-inf")
        self._in_second = 0

    def take_all(
        self, messages: list[Known], encoded: bytes, now: float, heard: Heard
    ) -> tuple[int, Refused | None]:
        """Takes them in order, up to a breach; how many were taken, the one that is it included.

        `encoded` has each one's encoding and a newline after it.
        """
        if (bodies := self._all_findings(len(messages), encoded)) is not None:
            heard.messages += messages
            heard.bodies += bodies
            self.records += len(messages)
            self.counts.finding += len(messages)
            return len(messages), None
        number = 0
        for message, encoding in zip(messages, encoded[:-1].split(b"\n"), strict=True):
            number += 1
            if (refused := self.take(message, encoding, now, heard)) is not None:
                return number, refused
        return number, None

    def _all_findings(self, count: int, encoded: bytes) -> list[bytes] | None:
        """The bodies where nothing but findings came, all of which are to be kept; None elsewhere.

        They begin alike: with the job's own target or none, and without `at`. A newline is
        never inside an encoding, so that what follows it is where one begins.
        """
        if self.done is not None or self.records + count > self._max_records:
            return None
        for opening in self._openings:
            start = opening + _RULE
            if encoded.startswith(start) and encoded.count(b"\n" + start) == count - 1:
                return encoded[len(opening) : -1].split(b"\n" + opening)
        return None

    def take(self, message: Known, encoding: bytes, now: float, heard: Heard) -> Refused | None:
        """Adds a message to what was heard if it is one to keep. Returns the breach, where it is one."""
        if self.done is not None:
            return explain.plain("after_done", "a line came after `done`")
        kind = type(message)
        start = _OPENING[kind]
        if isinstance(message, _TARGETED):
            target = message.target
            if target is not UNSET:
                if target not in self._target_sizes:
                    return explain.foreign_target(kind.__name__.lower(), target, self._targets)
                start += self._target_sizes[target]
            elif self._several and kind is Finding:
                return explain.no_target(self._targets)
        elif isinstance(message, Done):
            return self._end(message)
        if kind is Log or kind is Progress:
            if self._throttled(now):
                return None
        elif self.records >= self._max_records:
            return self._too_many()
        else:
            self.records += 1
        self._tally(kind)
        body = encoding[start:]
        heard.add(message, body if body[:_AT_SIZE] != _AT else _OBSERVED + body[_AT_SIZE:])
        return None

    def take_reading(self, reading: Reading, now: float, heard: Heard) -> Refused | None:
        """The same for a message that was read exactly: unknown fields, `x-` types, secrets out."""
        if self.done is not None:
            return explain.plain("after_done", "a line came after `done`")
        if reading.replaced:
            self._warn("utf8_replaced")
        for name in reading.unknown:
            self._unknown(name)
        message, extra = reading.message, reading.extra
        if self.redactor:
            message, extra = self.redactor.message(message), self.redactor.value(extra)
        if isinstance(message, Custom):
            return self._take_custom(message, heard)
        kept = len(heard)
        refused = self.take(message, certain.encode(message), now, heard)
        if extra and len(heard) > kept:
            heard.bodies[-1] = heard.bodies[-1][:-1] + b',"extra":' + certain.encode(extra) + b"}"
        return refused

    def _take_custom(self, message: Custom, heard: Heard) -> Refused | None:
        if self.records >= self._max_records:
            return self._too_many()
        self.records += 1
        target = message.data.get("target")
        if isinstance(target, str) and target in self._targets:
            message = structs.replace(message, target=target)
        heard.add(message, b',"data":' + certain.encode(message.data) + b"}")
        return None

    def _end(self, done: Done) -> Refused | None:
        for target in done.failed_targets or ():
            if target not in self._targets:
                return explain.foreign_target("done", target, self._targets)
        self.done = done
        return None

    def _too_many(self) -> Refused:
        return explain.plain("too_many_records", f"this is one more record than {self._max_records:,}")

    def _throttled(self, now: float) -> bool:
        """Whether this `log` or `progress` is one too many in its second (rule 4)."""
        if not 0 <= now - self._second < 1:
            self._second, self._in_second = now, 0
        self._in_second += 1
        if self._in_second <= MESSAGES_PER_SECOND:
            return False
        self.counts.dropped += 1
        self._warn("dropped_messages")
        return True

    def _tally(self, kind: type[Known]) -> None:
        counts = self.counts
        if kind is Finding:
            counts.finding += 1
        elif kind is Asset:
            counts.asset += 1
        elif kind is Log:
            counts.log += 1
        elif kind is Artifact:
            counts.artifact += 1

    def _warn(self, word: str) -> None:
        self.warnings[word] = self.warnings.get(word, 0) + 1

    def _unknown(self, name: str) -> None:
        self._warn("unknown_field")
        name = self.redactor.text(name)
        if name not in self.unknown_fields and len(self.unknown_fields) < NAMES_KEPT:
            self.unknown_fields.append(name[:NAME_LENGTH])
