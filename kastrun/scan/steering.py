"""Adaptive workers: signs of this machine and of the hosts in, levers of the engine moved, each with a line.

`adapt` decides, `pressure` measures, `engine.Levers` moves; here they are only brought together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import trio

from kastrun import adapt, pressure
from kastrun.engine import Batch, Levers
from kastrun.engine.clock import Clock
from kastrun.facts import AdaptCause, Adapted, Fact, JobEnded, Progress
from kastrun.model import Job
from kastrun.ready.allowance import host_of

_TOO_LONG: Final = frozenset({"total_timeout", "idle_timeout"})


class Steering:
    """Of one run; `line` writes a batch to its journal."""

    def __init__(self, least: int, most: int, clock: Clock, line: Callable[[Batch], None]) -> None:
        self.levers = Levers()
        self.workers = adapt.Workers(least, most)
        self._pauses = adapt.Pauses()
        self._clock, self._line = clock, line
        self._hosts: dict[str, str] = {}
        self._complained: set[str] = set()
        self._timeouts = 0

    def note(self, job: Job) -> None:
        """`job` is about to start: what it says and how it ends is a sign of its host."""
        self._hosts[job.id] = host_of(job.target)

    def hear(self, fact: Fact) -> None:
        """A fact of the run."""
        if isinstance(fact, Progress) and fact.slow_down:
            self._complained.add(fact.job)
            self._complains(self._hosts.get(fact.job), "slow_down")
        elif isinstance(fact, JobEnded):
            host = self._hosts.pop(fact.job, None)
            complained = fact.job in self._complained
            self._complained.discard(fact.job)
            if fact.reason in _TOO_LONG:
                self._timeouts += 1
                self._complains(host, "timeouts")
            elif fact.reason == "plugin_target":
                self._complains(host, "unreachable")
            elif host is not None and not complained:
                self._answers(host)

    async def steer(self) -> None:
        """Look at this machine now and then, until cancelled."""
        while True:
            await trio.sleep(adapt.LOOK_S)
            signs = adapt.Signs(
                memory=pressure.memory(),
                cpu=pressure.cpu(),
                timeouts=self._timeouts,
                busy=self.levers.busy,
            )
            self._timeouts = 0
            if (cause := self.workers.look(self._clock.now(), signs)) is not None:
                self.levers.workers(self.workers.count)
                self._tell(cause, workers=self.workers.count)

    def _complains(self, host: str | None, cause: AdaptCause) -> None:
        if host is None:
            return
        if (pause := self._pauses.complains(host)) is not None:
            self._tell(cause, host=host, pause_s=pause)
        self.levers.space(host, self._pauses.of(host))

    def _answers(self, host: str) -> None:
        if (pause := self._pauses.answers(host)) is not None:
            self._tell("answers", host=host, pause_s=pause)
            self.levers.space(host, pause)

    def _tell(
        self,
        cause: AdaptCause,
        *,
        workers: int | None = None,
        host: str | None = None,
        pause_s: float | None = None,
    ) -> None:
        at = self._clock.stamp(self._clock.now())
        fact = Adapted(at=at, cause=cause, workers=workers, host=host, pause_s=pause_s)
        self._line(Batch(lines=(msgspec.json.encode(fact),)))
