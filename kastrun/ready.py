"""Which job is next: a queue of what is ready, never a barrier.

Floor 2, pure. Jobs stream in, and a bounded window of them is held; among those that wait
for nothing the next is the one of the smallest priority, then of the plan's order. A job
that needs another comes after it, and is doomed where that one did not succeed; one that
only consumes another's assets comes after it, whatever its end. `plan` prints the order that
this queue gives when each job ends at once, which is the order of a run with one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Final

from msgspec import Struct, field

from kastrun.model import Job

WINDOW: Final = 4096
"""Jobs are ordered among this many at a time; what streams beyond waits its turn."""


class Waiting(Struct, gc=False):
    """A job in the window; `ready` is when it became ready, by the clock that was given."""

    job: Job
    ready: float
    missing: int = 0
    doomed_by: str | None = None
    """The plugin of a job that it needs and that did not succeed."""


class _Awaited(Struct):
    """A job that has not ended and that others may wait for; each with whether it is hard."""

    waiters: list[tuple[Waiting, bool]] = field(default_factory=list)


class ReadyQueue:
    """Give it a stream of jobs; take with `take`, and tell of every end with `ended`.

    A job may wait only for jobs that came before it in the stream. One that is not held and
    not known to have failed has succeeded: so only failures are remembered. `failed` are those
    of an earlier start, by id with the plugin's name.
    """

    def __init__(
        self,
        jobs: Iterator[Job],
        *,
        clock: Callable[[], float] = lambda: 0.0,
        window: int = WINDOW,
        failed: Mapping[str, str] | None = None,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._window = window
        self._heap: list[tuple[int, int, Waiting]] = []
        self._held = 0
        self._exhausted = False
        self._awaited: dict[str, _Awaited] = {}
        self._failed = dict(failed or {})

    def take(self) -> Waiting | None:
        """The next job; None where nothing is left, or what is left waits for running ones."""
        self._fill()
        if not self._heap:
            return None
        self._held -= 1
        return heappop(self._heap)[2]

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
                self._push(waiting)

    def _fill(self) -> None:
        while self._held < self._window and not self._exhausted:
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
            else:
                self._admit(job)

    def _admit(self, job: Job) -> None:
        if job.awaited:
            self._awaited[job.id] = _Awaited()
        waiting = Waiting(job, self._clock())
        self._held += 1
        for ids, hard in ((job.needs, True), (job.after, False)):
            for other in ids:
                self._wait(waiting, other, hard)
        if not waiting.missing:
            self._push(waiting)

    def _wait(self, waiting: Waiting, other: str, hard: bool) -> None:
        if (awaited := self._awaited.get(other)) is not None:
            waiting.missing += 1
            awaited.waiters.append((waiting, hard))
        elif hard and other in self._failed:
            waiting.doomed_by = waiting.doomed_by or self._failed[other]

    def _push(self, waiting: Waiting) -> None:
        heappush(self._heap, (waiting.job.priority, waiting.job.order, waiting))


def in_order(jobs: Iterator[Job], *, window: int = WINDOW) -> Iterator[Job]:
    """The order of a run with one worker in which every job succeeds."""
    queue = ReadyQueue(jobs, window=window)
    while (waiting := queue.take()) is not None:
        yield waiting.job
        queue.ended(waiting.job, succeeded=True)
