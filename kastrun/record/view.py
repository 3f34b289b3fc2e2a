"""A run folder as its reports see it: findings that count, results, and the tally, out of the journal.

What an attempt found that a later one, which ended ok, made again counts only once, and what a
resume took back does not count at all; so the findings are those of a run that was never broken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from kastrun.errors import JournalError
from kastrun.facts import Accepted, JobEnded, JobStarted, Void
from kastrun.jobids import JobIds
from kastrun.journal import reader
from kastrun.record.acceptance import acceptances
from kastrun.record.files import JOURNAL, PROFILE
from kastrun.record.past import past
from kastrun.record.replay import exit_of, replay
from kastrun.record.results import results
from kastrun.report.comparison import Comparison
from kastrun.report.finding import Acceptance, Finding
from kastrun.report.past import Past
from kastrun.report.view import View

_finding = msgspec.json.Decoder(Finding)


def view(folder: Path) -> View:
    """The run in `folder`. Raises JournalError as `replay` does."""
    journal = folder / JOURNAL
    replayed = replay(journal)
    fates = _Fates(journal, replayed.lost)
    accepted = acceptances(journal)
    earlier = cache(lambda: past(folder, this.run))
    this = View(
        tally=replayed.tally,
        exit=exit_of(replayed.tally),
        findings=lambda: _distinct(journal, fates, accepted),
        results=lambda: results(journal, replayed.tally, replayed.lost),
        profile=_text(folder / PROFILE),
        past=lambda: [each for _, each in earlier()],
        since=cache(lambda: _since(this, earlier())),
    )
    return this


def _since(this: View, earlier: Sequence[tuple[Path, Past]]) -> Comparison | None:
    """Compared with the newest earlier run that came to its end and whose journal can be read."""
    for folder, each in reversed(earlier):
        if each.status != "complete":
            continue
        try:
            return Comparison(view(folder), this)
        except JournalError:
            continue  # the page names the run that it is compared with
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _distinct(journal: Path, fates: _Fates, accepted: Mapping[str, Accepted]) -> Iterator[Finding]:
    """Each fingerprint once, the first that counts."""
    seen = JobIds()
    for entry in reader.pick(journal, reader.FindingEntry):
        fact = entry.fact
        if not isinstance(fact, reader.FindingEntry) or not fates.count(fact.job, entry.seq):
            continue
        if fact.fingerprint in seen:
            continue
        seen.add(fact.fingerprint)
        finding = _finding.decode(entry.line)
        if fates.unwell(fact.job):
            finding = msgspec.structs.replace(finding, incomplete=True)
        if (told := accepted.get(fact.fingerprint)) is not None:
            acceptance = Acceptance(reason=told.reason, until=told.until, ended=told.ended)
            finding = msgspec.structs.replace(finding, acceptance=acceptance)
        yield finding


class _Fates:
    """What became of the jobs: only those that did not simply start once and end ok are remembered."""

    def __init__(self, journal: Path, lost: Collection[str]) -> None:
        self._lost = frozenset(lost)
        self._begun: dict[str, int] = {}
        self._void: dict[str, int] = {}
        self._unwell: set[str] = set()
        seen = JobIds()
        for entry in reader.pick(journal, JobStarted, JobEnded, Void):
            match entry.fact:
                case JobStarted(job=job):
                    if job in seen:
                        self._begun[job] = entry.seq
                    seen.add(job)
                    self._unwell.add(job)
                case JobEnded(job=job, status="ok"):
                    self._unwell.discard(job)
                case JobEnded(job=job):
                    self._unwell.add(job)
                case Void(job=job):
                    self._void[job] = entry.seq

    def count(self, job: str, seq: int) -> bool:
        """Whether what a job said in line `seq` counts."""
        if job in self._lost or seq < self._void.get(job, 0):
            return False
        return job in self._unwell or seq > self._begun.get(job, 0)

    def unwell(self, job: str) -> bool:
        """Whether its last attempt has not ended, or not ok."""
        return job in self._unwell
