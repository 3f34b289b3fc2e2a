"""Who waits for whom, in a bounded window: a job is ready when what it waits for has ended.

Floor 2, pure. Jobs stream in, and as many as the window holds are ordered. A job that needs
another comes after it, and is doomed where that one did not succeed; one that only consumes
another's assets comes after it, whatever its end. One that is to be tried again waits here
for its moment, and holds no worker meanwhile. `plan` prints the order that this queue gives
when each process ends at once, which is the order of a run with one worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from math import inf
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from kastrun.model import Job
from kastrun.ready.allowance import UNCAPPED, Allowance, Caps
from kastrun.ready.lanes import Lanes
from kastrun.ready.waiting import Taken, Waiting

WINDOW: Final = 4096
"""Jobs are ordered among this many at a time; what streams beyond waits its turn."""


class Followers(Struct):
    """Jobs that came up while others ran. `late` ones may wait for jobs that the stream still has."""

    soon: deque[Job] = field(default_factory=deque)
    late: deque[Job] = field(default_factory=deque)


class _Awaited(Struct):
    """A job that has not ended and that others may wait for; each with whether it is hard."""

    waiters: list[tuple[Waiting, bool]] = field(default_factory=list)


class ReadyQueue:
    """Give it a stream of jobs; take with `take`, and tell of every end.

    A job may wait only for jobs that came before it in the stream. One that is not held and
    not known to have failed has succeeded: so only failures are remembered. `failed` are those
    of an earlier start, by id with the plugin's name. `followers` may grow until every job has ended.
    """

    def __init__(
        self,
        jobs: Iterator[Job],
        *,
        caps: Caps = UNCAPPED,
        clock: Callable[[], float] = lambda: 0.0,
        window: int = WINDOW,
        failed: Mapping[str, str] | None = None,
        followers: Followers | None = None,
    ) -> None:
        self._jobs = jobs
        self._followers = followers or Followers()
        self._clock = clock
        self._window = window
        self._lanes = Lanes(Allowance(caps, clock), clock)
        self._held = 0
        self._exhausted = False
        self._awaited: dict[str, _Awaited] = {}
        self._failed = dict(failed or {})
        self._again: list[tuple[float, int, Job]] = []

    def take(self) -> Taken | None:
        """What to start next; None where nothing is left, or what is left may not start now."""
        self._fill()
        while self._again and self._again[0][0] <= self._clock():
            at, _, job = heappop(self._again)
            self._lanes.add(Waiting(replace(job, attempt=job.attempt + 1), at))
        taken = self._lanes.take()
        if taken is not None:
            self._held -= len(taken.jobs)
        return taken

    def opens(self) -> float:
        """After a `take` that gave None: when it may give more though nothing ends (`inf`: never)."""
        return min(self._lanes.opens(), self._again[0][0] if self._again else inf)

    def space(self, host: str, seconds: float) -> None:
        """So many seconds from now, and then between two starts, nothing starts against `host`."""
        self._lanes.space(host, seconds)

    def freed(self, taken: Taken) -> None:
        """The process of `taken` is gone."""
        self._lanes.freed(taken)

    def ended(self, job: Job, *, succeeded: bool) -> None:
        """`job` has its result; whoever waited for it may be ready now."""
        if not job.awaited:
            return
        if not succeeded:
            self._failed[job.id] = job.plugin
        awaited = self._awaited.pop(job.id, None)
        for waiting, hard in awaited.waiters if awaited else ():
            waiting.missing -= 1
            if hard and not succeeded:
                waiting.doomed_by = waiting.doomed_by or job.plugin
            if not waiting.missing:
                waiting.ready = self._clock()
                self._lanes.add(waiting)

    def again(self, job: Job, at: float) -> None:
        """`job` is to be tried once more, from the moment `at` on; it has no result until then."""
        self._held += 1
        heappush(self._again, (at, job.order, job))

    def give_up(self) -> list[Job]:
        """The jobs that waited to be tried once more, and now do not."""
        waiting = [job for _, _, job in sorted(self._again)]
        self._again.clear()
        return waiting

    def _fill(self) -> None:
        while self._held < self._window and (job := self._next()) is not None:
            self._admit(job)

    def _next(self) -> Job | None:
        if self._followers.soon:
            return self._followers.soon.popleft()
        if not self._exhausted:
            job = next(self._jobs, None)
            if job is not None:
                return job
            self._exhausted = True
        return self._followers.late.popleft() if self._followers.late else None

    def _admit(self, job: Job) -> None:
        if job.awaited:
            self._awaited[job.id] = _Awaited()
        waiting = Waiting(job, self._clock())
        self._held += 1
        for ids, hard in ((job.needs, True), (job.after, False)):
            for other in ids:
                self._wait(waiting, other, hard)
        if not waiting.missing:
            self._lanes.add(waiting)

    def _wait(self, waiting: Waiting, other: str, hard: bool) -> None:
        if (awaited := self._awaited.get(other)) is not None:
            waiting.missing += 1
            awaited.waiters.append((waiting, hard))
        elif hard and other in self._failed:
            waiting.doomed_by = waiting.doomed_by or self._failed[other]


def in_order(jobs: Iterator[Job], *, caps: Caps = UNCAPPED, window: int = WINDOW) -> Iterator[list[Job]]:
    """The processes of a run with one worker in which every job succeeds, each as its jobs."""
    queue = ReadyQueue(jobs, caps=caps.untimed(), window=window)
    while (taken := queue.take()) is not None:
        started = [waiting.job for waiting in taken.jobs]
        yield started
        queue.freed(taken)
        for job in started:
            queue.ended(job, succeeded=True)
