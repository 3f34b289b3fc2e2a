"""A journal folded anew: into the tally that the end of the run had, and what a resume has to know.

One pass where nothing is wrong with it; a second one where lines of it do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kastrun.errors import JournalError
from kastrun.facts import (
    Accepted,
    Discovered,
    Egress,
    JobEnded,
    JobRetried,
    JobStarted,
    PassedOver,
    RunEnded,
    RunStarted,
    Void,
)
from kastrun.jobids import JobIds
from kastrun.journal import Damage, Entry, reader
from kastrun.record.acceptance import acceptances, in_force
from kastrun.record.files import PROFILE
from kastrun.record.soundness import Flaws, examine
from kastrun.tally import ExitCode, Tally, exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A run as its journal has it: the tally, what is damaged, and the jobs that the damage took."""

    tally: Tally
    damage: list[Damage]
    lost: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a run had done before it was resumed: its tally so far, the ids of finished jobs, those of
    failed ones with their plugins, and what was found of assets, by job.

    `lost` are jobs of which a damaged line took something, `dropped` those that the plan has no
    more: of neither counts what the journal says.
    """

    tally: Tally = field(default_factory=Tally)
    finished: Container[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    assets: Iterable[tuple[str, bytes | None]] = ()
    damage: list[Damage] = field(default_factory=list)
    lost: Collection[str] = ()
    dropped: Iterable[str] = ()


def replay(journal: Path) -> Replayed:
    """The tally of a run, folded anew from its journal, and what of the journal is damaged.

    Raises JournalError where there is no journal, or it holds no run.
    """
    accepted = in_force(acceptances(journal).values())
    fold, flaws = _folded(journal, lambda: Fold(accepted=accepted))
    if fold.tally.run is None:
        raise JournalError(f"the journal {journal} holds no run", hint=_to_begin(journal.parent))
    return Replayed(tally=fold.tally, damage=flaws.damage, lost=flaws.lost)


def _to_begin(folder: Path) -> str:
    """What to do with a run that has not begun: only its profile says what was planned."""
    if (folder / PROFILE).is_file():
        return f"it stopped before the run began: `kastrun resume {folder}` begins it"
    return f"there is no {PROFILE} beside it either, so it cannot be resumed: start the scan anew"


def earlier(
    journal: Path,
    planned: Container[str],
    *,
    retry_failed: bool = False,
    accepted: frozenset[str] = frozenset(),
) -> Earlier:
    """What the journal of an earlier start holds of the `planned` jobs.

    `accepted` are the fingerprints that the baseline accepts now. With `retry_failed` only
    what ended ok is finished. A journal that holds no run, because it was killed before, holds nothing.
    Raises JournalError where it cannot be read.
    """
    fold, flaws = _folded(journal, lambda: _PlannedFold(planned, accepted, retry_failed=retry_failed))
    return Earlier(
        tally=fold.tally,
        finished=fold.finished,
        failed=fold.failed,
        assets=assets(journal, fold.finished),
        damage=flaws.damage,
        lost={job for job in flaws.lost if job in planned},
        dropped=_dropped(journal, planned) if fold.foreign or flaws.void else (),
    )


def exit_of(tally: Tally) -> ExitCode:
    """The exit code of a run that is in the journal."""
    run, end = tally.run, tally.end
    stopped = end is None or end.cause == "signal"
    return exit_code(tally, run.fail_on if run else "none", interrupted=stopped)


def _folded(journal: Path, new: Callable[[], _F]) -> tuple[_F, Flaws]:
    """A new fold of what counts."""
    fold = new()
    for item in reader.read(journal):
        if isinstance(item, Entry) and not isinstance(item.fact, Void):
            fold.take(item.fact)
        elif not (isinstance(item, Damage) and item.torn):
            break  # not all of it counts: once more, by what does
    else:
        return fold, Flaws()
    flaws, fold = examine(journal), new()
    for place, item in enumerate(reader.read(journal)):
        if isinstance(item, Entry) and flaws.counts(place, item):
            fold.take(item.fact)
    return fold, flaws


class Fold:
    """Facts and records into a tally; `accepted` are the fingerprints that the baseline accepts."""

    def __init__(self, tally: Tally | None = None, accepted: frozenset[str] = frozenset()) -> None:
        self.tally = tally or Tally()
        self._accepted = accepted
        self.passing: set[str] = set()
        """Jobs that ran and whose records are passed over."""

    def take(self, fact: reader.Known | None) -> None:
        tally, passing = self.tally, self.passing
        match fact:
            case Egress():
                if fact.job not in passing:
                    tally.apply(fact)
            case RunStarted() | RunEnded() | JobStarted() | JobRetried() | JobEnded():
                self.take_fact(fact)
            case Discovered() | PassedOver():
                tally.apply(fact)
            case reader.FindingEntry():
                if fact.job not in passing:
                    accepted = fact.fingerprint in self._accepted
                    tally.finding(
                        fact.job, fact.plugin, fact.target, fact.severity, fact.rule, fact.title, accepted
                    )
            case reader.AssetEntry():
                if fact.job not in passing:
                    tally.asset(fact.job, fact.plugin, fact.target, fact.kind, fact.value)
            case reader.LogEntry():
                if fact.job not in passing:
                    tally.log(fact.job, fact.level, fact.message)
            case reader.ArtifactEntry():
                if fact.job not in passing:
                    tally.artifact(fact.job, fact.plugin, fact.path)
            case Void() | Accepted() | None:
                pass  # taken back: never folded; accepted: known before; `x-…`: kept, not counted

    def take_fact(self, fact: RunStarted | RunEnded | JobStarted | JobRetried | JobEnded) -> None:
        self.tally.apply(fact)


class _PlannedFold(Fold):
    """Of jobs that are not planned it takes nothing; and it knows which of the others are finished."""

    def __init__(self, planned: Container[str], accepted: frozenset[str], *, retry_failed: bool) -> None:
        super().__init__(accepted=accepted)
        self._planned = planned
        self._retry_failed = retry_failed
        self.finished = JobIds()
        self.failed: dict[str, str] = {}
        self.foreign = False
        """Whether there was a job that is not planned."""

    def take_fact(self, fact: RunStarted | RunEnded | JobStarted | JobRetried | JobEnded) -> None:
        if isinstance(fact, JobStarted) and fact.job not in self._planned:
            self.passing.add(fact.job)
            self.foreign = True
        elif isinstance(fact, JobRetried) and fact.job not in self._planned:
            self.passing.discard(fact.job)
        elif isinstance(fact, JobEnded):
            # One that runs was looked up at its start.
            if fact.job in self.tally.running or fact.job in self._planned:
                self._note(fact)
                self.tally.apply(fact)
            else:
                self.passing.discard(fact.job)
                self.foreign = True
        else:
            self.tally.apply(fact)

    def _note(self, fact: JobEnded) -> None:
        self.failed.pop(fact.job, None)
        if not self._is_finished(fact):
            self.finished.discard(fact.job)
            return
        self.finished.add(fact.job)
        if fact.status != "ok":
            self.failed[fact.job] = fact.plugin

    def _is_finished(self, fact: JobEnded) -> bool:
        if fact.status == "cancelled":
            return False
        return (
            not self._retry_failed
            or fact.status == "ok"
            or (fact.status == "skipped" and fact.reason != "upstream_failed")
        )


_F = TypeVar("_F", bound=Fold)


def assets(journal: Path, finished: Container[str]) -> Iterator[tuple[str, bytes | None]]:
    """The assets of finished jobs, each with its job; None where the job begins, anew perhaps."""
    for entry in reader.pick(journal, JobStarted, reader.AssetEntry):
        match entry.fact:
            case JobStarted(job=job) if job in finished:
                yield job, None
            case reader.AssetEntry(job=job) if job in finished:
                yield job, entry.line.rstrip(b"\n")


def _dropped(journal: Path, planned: Container[str]) -> Iterator[str]:
    """Jobs of the journal that are not planned, once each, and without those that it took back already."""
    told = JobIds()
    for entry in reader.pick(journal, JobStarted, JobEnded, Void):
        match entry.fact:
            case JobStarted(job=job) | JobEnded(job=job) if job not in planned:
                told.add(job)
            case Void(job=job):
                told.discard(job)
    for entry in reader.pick(journal, JobStarted, JobEnded):
        if isinstance(entry.fact, JobStarted | JobEnded) and entry.fact.job in told:
            told.discard(entry.fact.job)
            yield entry.fact.job
