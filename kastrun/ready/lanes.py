"""What is ready, in order: by priority, the longest first, hosts in turn, then the plan's order.

A *lane* is one plugin's jobs at one host, a *row* a plugin's lanes. Only the front of a lane
competes, so that a host or a plugin that is busy puts aside a few lanes, and not its jobs one
by one: a start and an end cost O(log n), times the number of plugins.

Within a row hosts take turns by start-time fair queueing: of the jobs that are expected to take
as long each job of a lane has a round, one more than the one before it, and at least the round
that the row is in.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import TypeAlias

from kastrun.bundle import alike
from kastrun.model import Job
from kastrun.ready.allowance import Allowance, host_of
from kastrun.ready.waiting import Taken, Waiting

Key: TypeAlias = tuple[int, float, int, int]
"""Priority, seconds that are expected (negative), round, place in the plan; the smallest is next."""


class _Lane:
    """One plugin's jobs at one host. `asleep` while the host takes no more."""

    __slots__ = ("asleep", "heap", "host", "rounds", "row")

    def __init__(self, row: _Row, host: str) -> None:
        self.row, self.host = row, host
        self.heap: list[tuple[Key, Waiting]] = []
        self.rounds: dict[float, int] = {}
        self.asleep = False

    def show(self) -> None:
        """Let the lane compete with its front; what it competed with before is stale."""
        heappush(self.row.heap, (self.heap[0][0], self))


class _Row:
    """One plugin's lanes: those awake in a heap by their front, stale entries included."""

    __slots__ = ("heap", "lanes", "plugin", "rounds")

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self.heap: list[tuple[Key, _Lane]] = []
        self.lanes: dict[str, _Lane] = {}
        self.rounds: dict[float, int] = {}

    def add(self, waiting: Waiting) -> None:
        host = host_of(waiting.job.target)
        lane = self.lanes.get(host)
        if lane is None:
            lane = self.lanes[host] = _Lane(self, host)
        key = _key(waiting.job, self._round(lane, waiting.job.expected_s))
        heappush(lane.heap, (key, waiting))
        if lane.heap[0][0] is key and not lane.asleep:
            lane.show()

    def _round(self, lane: _Lane, expected: float) -> int:
        lane.rounds[expected] = found = max(lane.rounds.get(expected, -1) + 1, self.rounds.get(expected, 0))
        return found

    def pop(self) -> tuple[Waiting, str]:
        """The front job, which `Lanes._front` has found to be open, and its host."""
        key, lane = heappop(self.heap)
        waiting = heappop(lane.heap)[1]
        expected = waiting.job.expected_s
        self.rounds[expected] = max(self.rounds.get(expected, 0), key[2])
        if lane.heap:
            lane.show()
        else:
            del self.lanes[lane.host]
        return waiting, lane.host


class Lanes:
    """Put jobs in with `add`; `take` gives those that may start now."""

    def __init__(self, allowance: Allowance, clock: Callable[[], float]) -> None:
        self._allowance = allowance
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._asleep: dict[str, list[_Lane]] = {}
        self._alarms: list[tuple[float, str]] = []
        self._idle: list[tuple[Key, Waiting]] = []

    def add(self, waiting: Waiting) -> None:
        """`waiting` waits for nobody."""
        job = waiting.job
        if waiting.idle:
            heappush(self._idle, (_key(job, 0), waiting))
            return
        row = self._rows.get(job.plugin)
        if row is None:
            row = self._rows[job.plugin] = _Row(job.plugin)
        row.add(waiting)

    def take(self) -> Taken | None:
        """The next jobs for one process; None where none may start now."""
        now = self._clock()
        self._sound_alarms(now)
        best = self._best(now)
        if self._idle and (best is None or self._idle[0][0] < best.heap[0][0]):
            return Taken([heappop(self._idle)[1]], [])
        return None if best is None else self._fill(best, now)

    def opens(self) -> float:
        """After a `take` that gave nothing: when it may give something though nothing ends."""
        alarm = self._alarms[0][0] if self._alarms else inf
        gate = self._allowance.opens()
        return min(alarm, gate) if gate > self._clock() and any(self._rows_open()) else alarm

    def freed(self, taken: Taken) -> None:
        """The process of `taken` is gone."""
        if not taken.hosts:
            return
        self._allowance.ended(taken.jobs[0].job.plugin, taken.hosts)
        for host in taken.hosts:
            self._wake(host)

    def space(self, host: str, seconds: float) -> None:
        """See `Allowance.space`; what slept for longer than that is woken."""
        self._allowance.space(host, seconds)
        self._wake(host)

    def _best(self, now: float) -> _Row | None:
        """The row with the smallest front, of those that may start one more process."""
        if self._allowance.opens() > now:
            return None
        best: _Row | None = None
        for row in self._rows_open():
            if self._front(row, now) and (best is None or row.heap[0][0] < best.heap[0][0]):
                best = row
        return best

    def _rows_open(self) -> list[_Row]:
        opens = self._allowance.plugin_opens
        return [row for row in self._rows.values() if row.heap and opens(row.plugin) < inf]

    def _front(self, row: _Row, now: float) -> bool:
        """Whether a job of the row may start; it is then the first of its heap."""
        while row.heap:
            key, lane = row.heap[0]
            if lane.heap and lane.heap[0][0] is key and not lane.asleep:
                opens = self._allowance.host_opens(lane.host)
                if opens <= now:
                    return True
                self._put_to_sleep(lane, opens)
            heappop(row.heap)
        return False

    def _fill(self, row: _Row, now: float) -> Taken:
        """The first job of a row, and those that may share its process."""
        allowance = self._allowance
        taken = Taken([], [])
        values: set[str] = set()
        most = 1
        while len(taken.jobs) < most and self._front(row, now):
            job = row.heap[0][1].heap[0][1].job
            if taken.jobs and (job.target.value in values or not alike(taken.jobs[0].job, job)):
                break
            waiting, host = row.pop()
            allowance.reserve(host)
            taken.jobs.append(waiting)
            taken.hosts.append(host)
            values.add(job.target.value)
            most = job.batch
        allowance.started(row.plugin, taken.hosts)
        return taken

    def _put_to_sleep(self, lane: _Lane, until: float) -> None:
        lane.asleep = True
        self._asleep.setdefault(lane.host, []).append(lane)
        if until < inf:
            heappush(self._alarms, (until, lane.host))

    def _sound_alarms(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            self._wake(heappop(self._alarms)[1])

    def _wake(self, host: str) -> None:
        for lane in self._asleep.pop(host, ()):
            lane.asleep = False
            lane.show()


def _key(job: Job, round_: int) -> Key:
    return (job.priority, -job.expected_s, round_, job.order)
