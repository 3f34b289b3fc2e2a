"""The host's side of a recorded exchange: everything but the plugin and the target.

A family whose children are recordings, on a clock that goes as they went. The engine, the
decoder and the outcome are the very same as for a plugin that runs.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import trio

from kastrun.engine.clock import Clock
from kastrun.engine.life import PIPES_S
from kastrun.errors import UsageError
from kastrun.model import Limits, Plugin, SandboxAsk, Target
from kastrun.process import Child, Exit, Family, Stream
from kastrun.trial.exchange import Exchange, restore_artifacts
from kastrun.trial.wishes import Trial
from kastrun.trial.workshop import Workshop, workshop

_STREAMS: Final = {"stdout": Stream.OUT, "stderr": Stream.ERR}
_TARGET: Final = ("kind", "value", "scheme", "host", "port", "path")


class _Clock(Clock):
    """Goes only when it is told to: to the next moment of the recording, at once or in step with time."""

    def __init__(self, speed: float | None, hurry: trio.Event) -> None:
        super().__init__()
        self._speed, self._hurry = speed, hurry
        self._now = self.began

    def now(self) -> float:
        """Seconds on the recording's clock."""
        return self._now

    async def reach(self, moment: float) -> None:
        """Wait until it is `moment`."""
        passed = max(0.0, moment - self._now)
        with trio.move_on_after(passed / self._speed if self._speed else 0):
            await self._hurry.wait()
        self._now += passed


class _Recorded(Child):
    """A child that was: it gives what it gave then."""

    def __init__(self, exchange: Exchange, clock: _Clock) -> None:
        self.exit = None
        self.leader_gone = False
        self.egress = []
        self._ending, self._clock, self._began = exchange.ending, clock, clock.now()
        self._chunks = deque(exchange.chunks)
        self._end_at = self._began + exchange.ending.ended_s
        self._killed = False

    async def read(self, deadline: float) -> list[tuple[Stream, bytes]]:
        at = self._began + self._chunks[0].at if self._chunks else self._end_at
        await self._clock.reach(min(at, deadline))
        if at > deadline or self.exit is not None:
            return []
        if self._chunks:
            chunk = self._chunks.popleft()
            return [(_STREAMS[chunk.stream], chunk.data)]
        self.exit = self._exit()
        return [(Stream.OUT, b""), (Stream.ERR, b""), (Stream.EXIT, b"")]

    def _exit(self) -> Exit:
        told = self._ending
        code = 0 if told.exit_code is None and told.signal is None else told.exit_code
        ended = (None, signal.SIGKILL) if self._killed else (code, told.signal)
        return Exit(*ended, told.cpu_s, told.max_rss_mb, told.left, told.survivors)

    def wake(self) -> None:
        """Nobody hurries a recording."""

    def terminate(self) -> None:
        """It had its SIGTERM then, where it got one."""

    def kill(self) -> None:
        """It would be dead from here on. What ended soon after that then, ended of just this."""
        if self._end_at > self._clock.now() + PIPES_S:
            self._killed, self._end_at = True, self._clock.now()
            self._chunks.clear()

    def tree(self) -> list[int]:
        return []

    def stdin_unread(self) -> bool:
        return self._ending.stdin_unread

    def close_pipes(self) -> None:
        """There are none."""

    def close(self) -> None:
        """There is nothing to let go of."""


class _Records(Family):
    """Starts nothing: whatever is asked for is the recording."""

    def __init__(self, exchange: Exchange, clock: _Clock) -> None:
        super().__init__()
        self._exchange, self._clock = exchange, clock

    def start(self) -> None:
        """There is no launcher to be had ready."""

    def spawn(self, argv: Sequence[str], *, cwd: str, **_: Any) -> Child:
        restore_artifacts(self._exchange.case, f"{cwd}/artifacts")
        return _Recorded(self._exchange, self._clock)


@contextmanager
def projector(
    exchange: Exchange, speed: float | None = None, hurry: trio.Event | None = None
) -> Iterator[Workshop]:
    """A workshop, within trio, in which `exchange` is what any trial gives.

    At `speed`, or at once; at once from `hurry` on.
    """
    clock = _Clock(speed, trio.Event() if hurry is None else hurry)
    with workshop(_Records(exchange, clock), clock) as shop:
        yield shop


def trial_of(exchange: Exchange) -> Trial:
    """The trial that was recorded. Raises UsageError where its job cannot be one."""
    job = exchange.job
    try:
        first, *others = [
            Target(**{name: given[name] for name in _TARGET if name in given}) for given in job["targets"]
        ]
        total_s = float(job["deadline_s"])
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the recording {exchange.case.job} has no job that can be: {error}",
            hint="docs/conformance.md has its format",
        ) from error
    plugin = _plugin(exchange, first, total_s)
    return Trial(plugin=plugin, target=first, others=tuple(others), document=job, total_s=total_s)


def _plugin(exchange: Exchange, target: Target, total_s: float) -> Plugin:
    """As much of a manifest as a job that has been needs."""
    told = exchange.ending
    return Plugin(
        name=told.plugin,
        version=told.version,
        summary="",
        homepage=None,
        folder=told.plugin,
        exec=told.exec,
        mode="active",
        targets=(target.kind,),
        depends_on=(),
        consumes=(),
        produces=(),
        priority=50,
        options_schema={},
        secret_options=frozenset(),
        requires=(),
        limits=Limits(
            total_s=total_s,
            idle_s=told.idle_s,
            grace_s=told.grace_s,
            memory_mb=1024,
            output_mb=told.output_mb,
        ),
        sandbox=SandboxAsk(),
        digest="",
        origin="profile",
    )
