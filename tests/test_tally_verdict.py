"""The table of exit codes in run.md, row by row, and the sentences that explain it."""

from __future__ import annotations

import pytest
from run_facts import ended, folded, of_statuses, over, started

from kastrun.tally import Tally, coverage, exit_code

OK = "ok"
HIGH = "high"
SO = "so what it did not find proves nothing"
WORST_HIGH = "fail_on = high (the worst is high)"


def run_of(
    *statuses: object, planned: int | None = 2, worst: str | None = None, accepted: bool = False
) -> Tally:
    tally = of_statuses(planned, *statuses)
    if worst is not None:
        tally.finding("j0", "nmap", "a.example", worst, "r", "t", accepted)  # type: ignore[arg-type]
    return tally


@pytest.mark.parametrize(
    ("tally", "fail_on", "told", "code"),
    [
        (run_of(OK, OK), HIGH, {}, 0),
        (run_of(OK, ("skipped", "mode")), HIGH, {}, 0),
        (run_of(OK, ("skipped", "requires_missing")), HIGH, {}, 0),
        (run_of(OK, OK, worst="medium"), HIGH, {}, 0),
        (run_of(OK, OK, worst="critical"), "none", {}, 0),
        (run_of(OK, OK, worst="critical", accepted=True), HIGH, {}, 0),
        (run_of(planned=0), HIGH, {}, 0),
        (run_of(OK, OK, worst="high"), HIGH, {}, 1),
        (run_of(OK, OK, worst="critical"), HIGH, {}, 1),
        (run_of(OK, OK, worst="info"), "info", {}, 1),
        (run_of(OK, ("fail", "oom"), worst="high"), HIGH, {}, 1),
        (run_of(OK, worst="high"), HIGH, {}, 1),
        (run_of(OK, ("fail", "oom")), HIGH, {}, 3),
        (run_of(OK, ("fail", "oom")), "none", {}, 3),
        (run_of(OK, "partial"), HIGH, {}, 3),
        (run_of(OK, ("cancelled", "cancelled")), HIGH, {}, 3),
        (run_of(OK, ("skipped", "upstream_failed")), HIGH, {}, 3),
        (run_of(OK), HIGH, {}, 3),
        (run_of(OK, planned=None), HIGH, {}, 3),
        (run_of(OK, OK, worst="high"), HIGH, {"journal_error": "disk full"}, 5),
        (run_of(OK, ("fail", "oom")), HIGH, {"journal_error": "disk full"}, 5),
        (run_of(OK, OK, worst="high"), HIGH, {"bug": "crash.txt", "journal_error": "disk full"}, 70),
        (run_of(OK, OK), HIGH, {"interrupted": True, "bug": "b", "journal_error": "j"}, 130),
    ],
)
def test_the_table(tally: Tally, fail_on: str, told: dict[str, object], code: int) -> None:
    verdict = exit_code(tally, fail_on, **told)  # type: ignore[arg-type]
    assert verdict.code == code
    assert verdict.why


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (exit_code(run_of(OK, OK), HIGH), "every planned job ended ok; no finding reached high"),
        (
            exit_code(run_of(OK, ("skipped", "mode")), "none"),
            "every planned job ended ok or was skipped by choice; fail_on is none, so no finding counts",
        ),
        (
            exit_code(run_of(planned=0), HIGH),
            "no job was planned, so nothing could fail; no finding reached high",
        ),
        (
            exit_code(run_of(OK, OK, worst="critical"), HIGH),
            "1 finding reached fail_on = high (the worst is critical)",
        ),
        (
            exit_code(run_of(OK, worst="high"), HIGH),
            f"1 finding reached {WORST_HIGH}, and the run is incomplete (1 not run of 2 jobs)",
        ),
        (
            exit_code(run_of(OK, ("fail", "oom"), "partial", planned=5), HIGH),
            f"the run is incomplete (1 failed, 1 partial, 2 not run of 5 jobs), {SO}",
        ),
        (
            exit_code(run_of(OK, planned=None), HIGH),
            f"the run is incomplete (the rest of an uncounted plan not run), {SO}",
        ),
        (
            exit_code(run_of(OK), HIGH, journal_error="No space left on device"),
            "the journal could not be written: No space left on device; a resume goes on from here",
        ),
        (exit_code(run_of(OK), HIGH, bug="see crash.txt"), "this is a bug in kastrun: see crash.txt"),
        (
            exit_code(run_of(OK), HIGH, interrupted=True),
            "the run was interrupted: 1 of 2 jobs ok, 1 not run; a resume goes on from here",
        ),
    ],
)
def test_the_reason_is_one_sentence(verdict: object, why: str) -> None:
    assert verdict.why == why  # type: ignore[attr-defined]


def test_a_complete_run_counts_its_own_plan() -> None:
    tally = folded(started(None), ended("j"), over())
    assert coverage(tally).planned == 1
    assert exit_code(tally, HIGH).code == 0


def test_an_interrupted_run_of_an_uncounted_plan_has_no_number_for_what_did_not_run() -> None:
    cover = coverage(folded(started(None), ended("j"), over("interrupted")))
    assert (cover.planned, cover.not_run) == (None, None)
    assert cover.sentence() == "1 job ok, the rest of an uncounted plan not run"


def test_the_coverage_says_everything_that_happened() -> None:
    statuses = [
        "ok",
        "ok",
        "fail",
        "partial",
        ("skipped", "mode"),
        ("skipped", "upstream_failed"),
        "cancelled",
    ]
    assert coverage(of_statuses(8, *statuses)).sentence() == (
        "2 of 8 jobs ok, 1 failed, 1 partial, 1 cancelled, "
        "1 not run because another job failed, 1 not run, 1 skipped"
    )
