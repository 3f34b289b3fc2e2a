"""Two runs side by side: what is new, gone, no longer looked for, of another severity, unchanged.

Something is *gone* only where a job that would have found it ended ok in the later run; else it was not
scanned, and nobody knows. Findings stream through: of a run only digests of fingerprints are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct, field

from kastrun.jobids import JobIds
from kastrun.model import SEVERITIES, Severity
from kastrun.report.finding import Finding
from kastrun.report.view import View
from kastrun.tally import ExitCode

Kind = Literal["new", "gone", "not_scanned", "changed", "unchanged"]
KINDS: Final[tuple[Kind, ...]] = ("new", "changed", "gone", "not_scanned", "unchanged")
"""In the order in which people want to read them."""
WORDS: Final[dict[Kind, str]] = {
    "new": "new", "changed": "of another severity", "gone": "gone", "not_scanned": "not scanned",
    "unchanged": "unchanged",
}  # fmt: skip
"""What people call them, in that order."""
_rank = SEVERITIES.index


class Change(Struct, frozen=True, kw_only=True):
    """One finding and what became of it. `before` is its earlier severity, where that was another one.

    `finding` is the later run's, or the earlier one's where only that has it. `certain`: the very job that
    would have found it (its id tells) ran in the other run, or did not; else the plugin or its
    options have changed since.
    """

    kind: Kind
    finding: Finding
    before: Severity | None = None
    certain: bool = True

    def reaches(self, fail_on: str) -> bool:
        """Whether it is new at or above `fail_on`: not there before, or milder then; and not accepted."""
        if self.kind not in ("new", "changed") or fail_on == "none" or self.finding.accepted:
            return False
        now = _rank(self.finding.severity) >= _rank(fail_on)
        return now and (self.before is None or _rank(self.before) < _rank(fail_on))


class Findings:
    """The fingerprints of a run, by severity: 12 bytes each."""

    def __init__(self, view: View) -> None:
        self._of: dict[Severity, JobIds] = {}
        for finding in view.findings():
            self._of.setdefault(finding.severity, JobIds()).add(finding.fingerprint)

    def severity(self, fingerprint: str) -> Severity | None:
        """How grave it is there; None where it is not."""
        return next((each for each in SEVERITIES if fingerprint in self._of.get(each, ())), None)


class Looked:
    """Where a run has looked: its jobs that ended ok, and the plugins whose every job of a target did."""

    def __init__(self, view: View) -> None:
        self._jobs, self._well, self._unwell = JobIds(), JobIds(), JobIds()
        for job in view.results():
            pair = _pair(job.plugin, job.target)
            if job.status == "ok":
                self._jobs.add(job.job)
                self._well.add(pair)
            else:
                self._unwell.add(pair)

    def for_(self, finding: Finding) -> Literal["same", "similar", "no"]:
        """Whether the job of `finding` did its work there, or one of its plugin and target."""
        if finding.job in self._jobs:
            return "same"
        pair = _pair(finding.plugin, finding.target)
        return "similar" if pair in self._well and pair not in self._unwell else "no"


def _pair(plugin: str, target: str) -> str:
    return f"{plugin} {target}"


class Counts(Struct, kw_only=True):
    """How many of each kind; `reached` are the new ones that reached `fail_on`, `worst` the worst of them."""

    of: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    reached: int = 0
    worst: Severity | None = None

    def take(self, change: Change, fail_on: str) -> None:
        """Count one more."""
        self.of[change.kind] += 1
        if change.reaches(fail_on):
            self.reached += 1
            if self.worst is None or _rank(change.finding.severity) > _rank(self.worst):
                self.worst = change.finding.severity


class Comparison:
    """`before` and `after`, compared. Each stream of changes is read anew from the journals."""

    def __init__(self, before: View, after: View) -> None:
        self.before, self.after = before, after
        self._then, self._now = Findings(before), Findings(after)
        self._looked_then, self._looked_now = Looked(before), Looked(after)

    def changes(self) -> Iterator[Change]:
        """Every finding of the two once: those of the later run, then what only the earlier one has."""
        for finding in self.after.findings():
            yield self._of_later(finding)
        for finding in self.before.findings():
            if self._now.severity(finding.fingerprint) is None:
                looked = self._looked_now.for_(finding)
                kind: Kind = "not_scanned" if looked == "no" else "gone"
                yield Change(kind=kind, finding=finding, certain=looked != "similar")

    def is_new(self, finding: Finding) -> bool:
        """Whether the earlier run does not have this finding of the later one."""
        return self._then.severity(finding.fingerprint) is None

    def _of_later(self, finding: Finding) -> Change:
        before = self._then.severity(finding.fingerprint)
        if before is None:
            return Change(kind="new", finding=finding, certain=self._looked_then.for_(finding) == "same")
        if before != finding.severity:
            return Change(kind="changed", finding=finding, before=before)
        return Change(kind="unchanged", finding=finding)

    def counts(self, fail_on: str) -> Counts:
        """All of it, counted."""
        counts = Counts()
        for change in self.changes():
            counts.take(change, fail_on)
        return counts


def verdict(counts: Counts, fail_on: str, after: View) -> ExitCode:
    """The exit code of a comparison, as of a run: 1 where something new reached `fail_on`, else 3 where
    the later run did not do all of its work.
    """
    if counts.reached:
        findings = "new finding" if counts.reached == 1 else "new findings"
        why = f"{counts.reached:,} {findings} reached fail_on = {fail_on} (the worst is {counts.worst})"
        return ExitCode(1, why)
    if not after.coverage.complete:
        missing = ", ".join(after.coverage.shortfall())
        return ExitCode(
            3, f"the later run is incomplete ({missing}), so what is not new in it proves nothing"
        )
    if fail_on == "none":
        return ExitCode(0, "fail_on is none, so no finding counts")
    return ExitCode(0, f"nothing new reached {fail_on}")
