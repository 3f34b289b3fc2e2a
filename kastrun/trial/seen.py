"""What is seen of a trial while it runs, and what is told of it afterwards.

A life of the engine's that keeps each chunk; no rule of the protocol is decided here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from kastrun.bundle import Bundle
from kastrun.engine import Batch
from kastrun.engine.life import Life
from kastrun.facts import JobEnded
from kastrun.model import JsonObject
from kastrun.process import Child, Exit, Stream
from kastrun.protocol import Breach
from kastrun.protocol.messages import Done, Message
from kastrun.trial.station import TrialStation
from kastrun.trial.wishes import Trial


class Chunk(NamedTuple):
    """What one read gave: of which stream, seconds after the start, the bytes as they came."""

    stream: Literal["stdout", "stderr"]
    at: float
    data: bytes


KEPT_STDERR: Final = 16 << 20
"""A plugin that floods its streams must not fill our memory; of stdout, what it may print and a little."""

Hear = Callable[[Chunk], None]
Sent = Callable[[bytes], None]
Closing = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Everything that came of a trial. `line` and `chunks` are raw: secrets are still in them.

    `messages` are those taken (no `done`), `journal` the lines that a run would have kept,
    `survivors` the command lines of what the leader left behind, `commands` all that were seen
    (with `watch`), `unclosed` the artifacts still open for writing when `done` was heard,
    `announced` those that it named.
    """

    trial: Trial
    bundle: Bundle
    home: str
    line: bytes
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    chunks: tuple[Chunk, ...]
    stderr: str
    messages: tuple[Message, ...]
    journal: tuple[bytes, ...]
    done: Done | None
    breach: Breach | None
    endings: tuple[JobEnded, ...]
    exit: Exit | None
    survivors: tuple[str, ...]
    commands: frozenset[str]
    unclosed: tuple[str, ...]
    announced: frozenset[str]
    unknown_fields: tuple[str, ...]
    stopped: bool

    @property
    def ended(self) -> JobEnded:
        """How the job ended; of several the first."""
        return self.endings[0]

    @property
    def stdout(self) -> bytes:
        """All of standard output, as it came."""
        return b"".join(chunk.data for chunk in self.chunks if chunk.stream == "stdout")

    @property
    def records(self) -> list[JsonObject]:
        """The journal's records (findings with fingerprints, assets, logs, artifacts), decoded."""
        events: list[JsonObject] = [json.loads(line) for line in self.journal]
        return [event for event in events if event["type"] not in {"start", "result"}]


class Seen:
    """What is collected while a trial runs, and made into a Tried when it is over."""

    def __init__(self, trial: Trial, hear: Hear | None, sent: Sent | None, closing: Closing | None) -> None:
        self.trial = trial
        self.hear = hear
        self.sent = sent
        self.closing = closing
        self.chunks: list[Chunk] = []
        self._room = {"stdout": trial.plugin.limits.output_mb + 1 << 20, "stderr": KEPT_STDERR}
        self.batches: list[Batch] = []
        self.commands: set[str] = set()
        self.unclosed: tuple[str, ...] = ()
        self.lived: _Watched | None = None
        self.child: Child | None = None
        """While it may be looked at: its processes are its own."""

    def life(self, *arguments: Any, **named: Any) -> Life:
        """What the engine calls for a life."""
        self.lived = _Watched(self, *arguments, **named)
        if self.sent is not None:
            self.sent(self.lived.line)
        return self.lived

    def take(self, chunk: Chunk) -> None:
        kept = chunk._replace(data=chunk.data[: self._room[chunk.stream]])
        self._room[chunk.stream] -= len(kept.data)
        if kept.data:
            self.chunks.append(kept)
        if self.hear is not None:
            self.hear(chunk)

    def tried(self, together: Bundle, *, stopped: bool) -> Tried:
        endings = [fact for batch in self.batches for fact in batch.facts if isinstance(fact, JobEnded)]
        life = self.lived
        return Tried(
            trial=self.trial,
            bundle=together,
            home=life.own_home if life else "",
            line=life.line if life else b"",
            argv=life.station.argv if life else (),
            environment=life.station.environment(life.place.home) if life else {},
            chunks=tuple(self.chunks),
            stderr=life.stderr.text() if life else "",
            messages=tuple(message for batch in self.batches for _, said in batch.said for message in said),
            journal=tuple(line for batch in self.batches for line in batch.lines),
            done=life.decoder.done if life else None,
            breach=life.decoder.breach if life else None,
            endings=tuple(endings),
            exit=life.exit if life else None,
            survivors=life.exit.survivors if life and life.exit else (),
            commands=frozenset(self.commands - {""}),
            unclosed=self.unclosed,
            announced=frozenset(life.witness.announced) if life else frozenset(),
            unknown_fields=tuple(life.decoder.unknown_fields) if life else (),
            stopped=stopped,
        )


class _Watched(Life):
    """A life of which every chunk is kept, in the working directory that the trial says."""

    def __init__(self, seen: Seen, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._seen = seen
        self.own_home = self.place.home
        cwd = seen.trial.cwd
        if cwd is not None and isinstance(self.station, TrialStation):
            self.station.homes[cwd] = self.own_home
            self.place = replace(self.place, home=cwd)

    async def _watch(self, child: Child) -> None:
        self._seen.child = child
        try:
            await super()._watch(child)
        finally:
            self._seen.child = None

    def _take(self, child: Child, got: Sequence[tuple[Stream, bytes]]) -> None:
        at = round(self._clock.now() - self.started, 6)
        for stream, data in got:
            if data:
                self._seen.take(Chunk("stdout" if stream is Stream.OUT else "stderr", at, data))
        before = self.decoder.done
        super()._take(child, got)
        if before is None and self.decoder.done is not None:
            self._seen.unclosed = _open_below(child.tree(), self.place.artifacts)

    def close(self) -> None:
        super().close()
        if self._seen.closing is not None:
            self._seen.closing(self.place.artifacts)


_WRITES = re.compile(rb"^flags:\s*[0-7]*[12]$", re.MULTILINE)
"""In /proc/PID/fdinfo: an access mode of O_WRONLY or O_RDWR."""


def _open_below(pids: Sequence[int], folder: str) -> tuple[str, ...]:
    """Paths below `folder` that one of these processes has open for writing."""
    found: set[str] = set()
    for pid in pids:
        with suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                path = os.readlink(f"/proc/{pid}/fd/{fd}")
                if path.startswith(f"{folder}/") and _WRITES.search(
                    Path(f"/proc/{pid}/fdinfo/{fd}").read_bytes()
                ):
                    found.add(path[len(folder) + 1 :])
    return tuple(sorted(found))
