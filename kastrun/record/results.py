"""The last result of each job, streamed: what the list of jobs in `run.json` is made of.

Only jobs that ended more than once, or that a resume took back, are remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kastrun.facts import JobEnded, RunStarted, Void
from kastrun.jobids import JobIds
from kastrun.journal import reader
from kastrun.tally import Tally


def results(journal: Path, tally: Tally, lost: Collection[str] = ()) -> Iterator[JobEnded]:
    """The last result of each job of a run, in the order in which they ended.

    `tally` is the run's; `lost` are jobs of which a line is damaged, and that have no result therefore.
    """
    again = _Again(lost)
    if tally.starts > 1:
        again.look(journal)
    place = 0
    for entry in reader.pick(journal, JobEnded):
        if isinstance(entry.fact, JobEnded):
            if again.counts(entry.fact.job, place):
                yield entry.fact
            place += 1


class _Again:
    """Jobs whose first result is not the one that counts: one start ends each job once."""

    def __init__(self, lost: Collection[str]) -> None:
        self._lost = frozenset(lost)
        self._last: dict[str, int] = {}
        self._void = JobIds()

    def look(self, journal: Path) -> None:
        starts = place = 0
        for entry in reader.pick(journal, RunStarted, JobEnded, Void):
            match entry.fact:
                case RunStarted():
                    starts = 2 if place and not starts else starts + 1  # the first one may be damaged
                case JobEnded(job=job):
                    if starts > 1:
                        self._last[job] = place
                    place += 1
                case Void(job=job):
                    self._last.pop(job, None)
                    self._void.add(job)

    def counts(self, job: str, place: int) -> bool:
        if job in self._lost:
            return False
        last = self._last.get(job)
        return job not in self._void if last is None else last == place
