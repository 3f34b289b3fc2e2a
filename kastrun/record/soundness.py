"""Which lines of a journal count: all of them, unless it was damaged or a resume took some back.

A damaged line may have been anything of the jobs that ran when it was written, so those
have not ended: whatever the journal says of them up to their next start is void. Nothing
here counts or judges; what is void is told by job, with the place of its last void line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kastrun.facts import JobEnded, JobRetried, JobStarted, RunEnded, RunStarted, Void
from kastrun.journal import Damage, Entry, read, reader
from kastrun.journal.reader import Known

Record = reader.FindingEntry | reader.AssetEntry | reader.LogEntry | reader.ArtifactEntry


@dataclass(slots=True)
class Flaws:
    """What is wrong with a journal: `void` has, by job, the place of the last line that does not count.

    `lost` are jobs that damage took and that no later start, and no `void` line, has settled.
    """

    damage: list[Damage] = field(default_factory=list)
    void: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def counts(self, place: int, entry: Entry) -> bool:
        """Whether the entry at `place` (counted over all that `read` gives) counts."""
        job = getattr(entry.fact, "job", None)
        return job is None or place > self.void.get(job, -1)


def entries(path: Path) -> Iterator[Entry]:
    """The entries of a journal that count, in order. Raises JournalError as `read` does."""
    flaws = examine(path)
    for place, item in enumerate(read(path)):
        if isinstance(item, Entry) and flaws.counts(place, item):
            yield item


def lines(path: Path) -> Iterator[tuple[Known | None, bytes]]:
    """The same, each as what it says and its line."""
    return ((entry.fact, entry.line) for entry in entries(path))


def examine(path: Path) -> Flaws:
    """Read a journal for its flaws alone. Raises JournalError as `read` does."""
    examination = _Examination()
    for place, item in enumerate(read(path)):
        examination.take(place, item)
    return examination.flaws


class _Examination:
    """One pass: the jobs that run at this place, what they have said, and which of them were hurt."""

    def __init__(self) -> None:
        self.flaws = Flaws()
        self._said: dict[str, int] = {}
        self._hurt: set[str] = set()

    def take(self, place: int, item: Entry | Damage) -> None:
        if isinstance(item, Damage):
            self.flaws.damage.append(item)
            for job in self._said if not item.torn else ():
                self._hurt.add(job)
                self._lose(job, place)
            return
        match item.fact:
            case RunStarted() | RunEnded():
                self._said.clear()
                self._hurt.clear()
            case JobStarted(job=job):
                self._forget(job)
                self._said[job] = 0
            case JobRetried(job=job):
                self._said.pop(job, None)
                self._hurt.discard(job)
            case JobEnded():
                self._ended(place, item.fact)
            case Void(job=job):
                self._forget(job)
                self.flaws.void[job] = place
            case reader.FindingEntry() | reader.AssetEntry() | reader.LogEntry() | reader.ArtifactEntry():
                self._recorded(place, item.fact)

    def _recorded(self, place: int, fact: Record) -> None:
        job = fact.job
        if job not in self._said and self.flaws.damage:
            self._hurt.add(job)  # its start is not there, and who knows what else
        elif not isinstance(fact, reader.ArtifactEntry):
            self._said[job] = self._said.get(job, 0) + 1
        if job in self._hurt:
            self._lose(job, place)

    def _ended(self, place: int, fact: JobEnded) -> None:
        if self.flaws.damage and not self._is_whole(fact):
            self._lose(fact.job, place)
        self._said.pop(fact.job, None)
        self._hurt.discard(fact.job)

    def _is_whole(self, fact: JobEnded) -> bool:
        """Whether all that a job said stands before its result; one that never had a process said nothing."""
        if fact.job not in self._said:
            return not fact.timings.duration_s
        # Artifacts aside: those counted are announced ones.
        counts = fact.counts.finding + fact.counts.asset + fact.counts.log
        return fact.job not in self._hurt and self._said[fact.job] == counts

    def _lose(self, job: str, place: int) -> None:
        self.flaws.void[job] = place
        self.flaws.lost.add(job)

    def _forget(self, job: str) -> None:
        """Its earlier lines are settled."""
        self._said.pop(job, None)
        self._hurt.discard(job)
        self.flaws.lost.discard(job)
