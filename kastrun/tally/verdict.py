"""What the counts mean: coverage, and the exit code with the sentence that explains it.

The table of exit codes is run.md's; where several hold it is 130, 70, 5, then 1 before 3.
Pure: the caller says what no count can show (an interrupt, a crash, a dead journal).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from kastrun.model import SEVERITIES, Severity
from kastrun.tally.counts import Outcome
from kastrun.tally.fold import Tally


class Coverage(Struct, frozen=True, kw_only=True):
    """Of the planned jobs, how many ended in which way.

    `skipped` are those skipped by choice, `upstream_failed` those that another job's failure
    kept from running. `planned` and `not_run` are None where the plan was never counted. `reused`
    are those of them all whose result an earlier run made.
    """

    planned: int | None
    ok: int
    partial: int
    failed: int
    skipped: int
    upstream_failed: int
    cancelled: int
    not_run: int | None
    reused: int = 0

    @property
    def complete(self) -> bool:
        """Whether every planned job ended ok or was skipped by choice."""
        lost = self.partial + self.failed + self.upstream_failed + self.cancelled
        return lost == 0 and self.not_run == 0

    def shortfall(self) -> list[str]:
        """What is missing from a complete run: ``["2 failed", "1 not run"]``."""
        parts = [
            (self.failed, "failed"),
            (self.partial, "partial"),
            (self.cancelled, "cancelled"),
            (self.upstream_failed, "not run because another job failed"),
            (self.not_run, "not run"),
        ]
        said = [f"{count:,} {word}" for count, word in parts if count]
        return [*said, "the rest of an uncounted plan not run"] if self.not_run is None else said

    def sentence(self) -> str:
        """``38 of 40 jobs ok, 2 failed``."""
        of = "" if self.planned is None else f" of {self.planned:,}"
        jobs = "job" if (self.ok if self.planned is None else self.planned) == 1 else "jobs"
        skipped = [f"{self.skipped:,} skipped"] if self.skipped else []
        reused = [f"{self.reused:,} reused"] if self.reused else []
        return ", ".join([f"{self.ok:,}{of} {jobs} ok", *self.shortfall(), *skipped, *reused])


class ExitCode(Struct, frozen=True):
    """The process's exit code and why, in one sentence."""

    code: int
    why: str


_CUT_OFF: Final = {
    "run_timeout": "reached its run_timeout and ",
    "launcher_lost": "lost its launcher, the process that starts plugins (killed?), and ",
}


def coverage(tally: Tally) -> Coverage:
    """How much of the plan was done so far."""
    by: dict[str, int] = {}
    for outcome in tally.outcomes():
        by[_column(outcome)] = by.get(_column(outcome), 0) + outcome.count
    ended = sum(by.values())
    planned = _planned(tally, ended)
    return Coverage(
        planned=planned,
        ok=by.get("ok", 0),
        partial=by.get("partial", 0),
        failed=by.get("fail", 0),
        skipped=by.get("skipped", 0),
        upstream_failed=by.get("upstream_failed", 0),
        cancelled=by.get("cancelled", 0),
        not_run=None if planned is None else max(0, planned - ended),
        reused=tally.reused,
    )


def _column(outcome: Outcome) -> str:
    upstream = outcome.status == "skipped" and outcome.reason == "upstream_failed"
    return "upstream_failed" if upstream else outcome.status


def _planned(tally: Tally, ended: int) -> int | None:
    if (planned := tally.planned()) is not None:
        return planned
    # A complete run has one result for each planned job, so the results count the plan.
    return ended if tally.end is not None and tally.end.status == "complete" else None


def reached(tally: Tally, fail_on: str) -> int:
    """How many findings that no baseline accepts are at least as severe as `fail_on`."""
    if fail_on == "none":
        return 0
    return _reached(tally.severities(accepted=False), fail_on)


def _reached(counts: Mapping[Severity, int], fail_on: str) -> int:
    rank = SEVERITIES.index
    return sum(count for severity, count in counts.items() if rank(severity) >= rank(fail_on))


def exit_code(
    tally: Tally,
    fail_on: str,
    *,
    interrupted: bool = False,
    bug: str | None = None,
    journal_error: str | None = None,
) -> ExitCode:
    """The exit code of a run that began.

    `bug` names kastrun's own fault (with its crash file), `journal_error` what stopped the
    journal. Codes 2 and 4 belong to runs that never began: `errors` has them.
    """
    cover = coverage(tally)
    if interrupted:
        return ExitCode(130, f"the run was interrupted: {cover.sentence()}; a resume goes on from here")
    if bug is not None:
        return ExitCode(70, f"this is a bug in kastrun: {bug}")
    if journal_error is not None:
        return ExitCode(5, f"the journal could not be written: {journal_error}; a resume goes on from here")
    if count := reached(tally, fail_on):
        return ExitCode(1, _why_reached(tally, count, fail_on, cover))
    if not cover.complete:
        cut = _CUT_OFF.get(tally.end.cause or "", "") if tally.end else ""
        return ExitCode(
            3, f"the run {cut}is incomplete ({_missing(cover)}), so what it did not find proves nothing"
        )
    return ExitCode(0, _why_clean(tally, cover, fail_on))


def _missing(cover: Coverage) -> str:
    of = "" if cover.planned is None else f" of {cover.planned:,} job{'' if cover.planned == 1 else 's'}"
    return ", ".join(cover.shortfall()) + of


def _why_reached(tally: Tally, count: int, fail_on: str, cover: Coverage) -> str:
    findings = "finding" if count == 1 else "findings"
    why = f"{count:,} {findings} reached fail_on = {fail_on} (the worst is {tally.worst()})"
    return why if cover.complete else f"{why}, and the run is incomplete ({_missing(cover)})"


def _why_clean(tally: Tally, cover: Coverage, fail_on: str) -> str:
    findings = (
        "fail_on is none, so no finding counts" if fail_on == "none" else f"no finding reached {fail_on}"
    )
    if accepted := 0 if fail_on == "none" else _reached(tally.severities(accepted=True), fail_on):
        findings = f"only accepted findings reached {fail_on} ({accepted:,}, in the baseline)"
    if cover.planned == 0:
        return f"no job was planned, so nothing could fail; {findings}"
    skipped = " or was skipped by choice" if cover.skipped else ""
    return f"every planned job ended ok{skipped}; {findings}"
