"""What a person sees of a job run by hand: each record as it comes, the trace, and the end explained.

Text only; nothing is decided here. Whatever a plugin printed passes `clean`, or is escaped in the trace.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import asdict, replace

from kastrun.facts import JobEnded
from kastrun.protocol import Redactor
from kastrun.protocol.reasons import FAILURES, SKIPS, WARNINGS
from kastrun.terminal import failure
from kastrun.terminal.wording import clean, counted, span
from kastrun.trial import Chunk, Tried

LONGEST: Final = 2**20
"""Bytes of a line that are kept to be told; what is longer is a breach on stdout, and noise on stderr."""
FIRST: Final = ("type", "severity", "level", "rule", "kind", "value", "status", "path", "title", "message")
"""Fields of the first line of a record, in this order; all others follow below it."""


def say(line: str) -> None:
    """A line of the result, on standard output."""
    sys.stdout.write(f"{line}\n")


class Teller:
    """Tells one job as it runs. `quiet` leaves the records and plain stderr out (`--json`)."""

    def __init__(self, redactor: Redactor, *, trace: bool, quiet: bool) -> None:
        self._redactor = redactor
        self._trace = trace
        self._quiet = quiet
        self._held = {"stdout": bytearray(), "stderr": bytearray()}

    def sent(self, line: bytes) -> None:
        """The job line, as the plugin is given it."""
        if self._trace:
            _aside(f"→ {raw(self._redactor.data(line).rstrip(bytes([10])))}")

    def hear(self, chunk: Chunk) -> None:
        """What the plugin printed; told by whole lines, so that no secret is told in two halves."""
        held = self._held[chunk.stream]
        *whole, rest = chunk.data.split(b"\n")
        for piece in whole:
            _keep(held, piece)
            self._line(chunk.stream, bytes(held))
            held.clear()
        _keep(held, rest)

    def end(self) -> None:
        """The last lines, where they did not end."""
        for stream, held in self._held.items():
            if held:
                self._line(stream, bytes(held))
                held.clear()

    def _line(self, stream: str, line: bytes) -> None:
        line = self._redactor.data(line)
        if self._trace:
            _aside(f"{'←' if stream == 'stdout' else '!'} {raw(line)}")
        elif stream == "stderr" and not self._quiet:
            _aside(clean(line.decode(errors="replace"), 2000))
        if stream == "stdout" and not self._quiet:
            for told in record_lines(line):
                say(told)
            sys.stdout.flush()


def _keep(held: bytearray, piece: bytes) -> None:
    held += piece[: LONGEST - len(held)]


def _aside(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def raw(line: bytes) -> str:
    """Every byte is to be seen: what does not print is told by its escape."""
    text = line.decode(errors="backslashreplace")
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii", "replace")
        for each in text
    )


def record_lines(line: bytes) -> Iterator[str]:
    """A line of stdout for people; one that is no JSON object as it stands. A blank one is nothing."""
    text = line.decode(errors="replace").strip().removeprefix("\ufeff")
    if not text:
        return
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        yield f"? {clean(text)}"
        return
    yield "  ".join(_shown(record[name]) for name in FIRST if name in record) or "?"
    for name, value in record.items():
        if name not in FIRST:
            yield f"    {clean(name)}: {_shown(value)}"


def _shown(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 2000)


def ending(tried: Tried) -> Iterator[str]:
    """How it ended: status, the reason explained, warnings, counts, times."""
    fact = tried.ended
    yield ""
    yield _heading(fact)
    words = SKIPS if fact.status == "skipped" else FAILURES
    reason = words.get(fact.reason or "")
    if reason is not None:
        yield f"  {reason.what}"
    if fact.failure is None:
        yield from [f"  hint: {reason.hint}"] if reason else []
    else:
        # Its stderr was told as it came.
        told = replace(fact, failure=replace(fact.failure, stderr=""))
        yield from (f"  {line}" for _, line in failure.details(told, verbose=True))
    for warning in fact.warnings:
        known = WARNINGS.get(warning.split(":")[0].split()[0] if warning else "")
        yield f"  warning: {clean(warning)}" + (f": {known.what} {known.hint}" if known else "")
    yield from (f"  left behind, and killed: {clean(command)}" for command in tried.survivors)
    yield f"  {_counts(fact)}; {_times(fact)}"


def _heading(fact: JobEnded) -> str:
    if fact.status in {"fail", "partial"}:
        return failure.one_line(fact)
    said = f": {clean(fact.message)}" if fact.message else ""
    return f"{fact.status}: {clean(fact.plugin)} {clean(fact.target)}{said}"


def _counts(fact: JobEnded) -> str:
    counts = {name: count for name, count in asdict(fact.counts).items() if count}
    dropped = counts.pop("dropped", 0)
    told = [counted(count, name) for name, count in counts.items()] or ["no records"]
    return ", ".join([*told, f"{dropped:,} dropped"] if dropped else told)


def _times(fact: JobEnded) -> str:
    times = fact.timings
    parts = [span(times.duration_s)]
    parts += [f"{span(times.cpu_s)} of processor time"] if times.cpu_s is not None else []
    parts += [f"{times.max_rss_mb:.0f} MB"] if times.max_rss_mb is not None else []
    return ", ".join(parts)
