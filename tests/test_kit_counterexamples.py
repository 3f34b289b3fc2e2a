"""For each check of the kit a plugin that fails just that check; two reference plugins that pass them all.

The folders of tests/kit are named after the checks. Each is examined whole, as an author would.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kastrun.kit import CHECKS, Report, checks_run, conduct, examine

KIT = Path(__file__).parent / "kit"
GOOD = ("good-python", "good-sh")
FOLDERS = sorted(path.parent.name for path in KIT.glob("*/plugin.toml"))
ONLY_WARNED = frozenset({"signs-of-life"})

pytestmark = pytest.mark.usefixtures("nothing_left")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conduct, "ABANDONED_S", 1.0)
    monkeypatch.setenv("KIT_EXAMPLE", "set by whoever starts the kit")


def with_outcome(report: Report, outcome: str) -> set[str]:
    return {result.check.id for result in report.results if result.verdict.outcome == outcome}


def test_every_check_has_its_counter_example() -> None:
    assert set(FOLDERS) - set(GOOD) == {check.id for check in CHECKS}


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in GOOD])
async def test_a_counter_example_fails_just_its_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "signs-of-life":
        monkeypatch.setattr(checks_run, "LATE_S", 1.0)
    report = await examine(KIT / name)
    reasons = {r.check.id: r.verdict for r in report.results if r.verdict.outcome in {"fail", "warn"}}
    assert with_outcome(report, "fail") == {name} - ONLY_WARNED, reasons
    assert with_outcome(report, "warn") - {"examples"} == {name} & ONLY_WARNED, reasons
    assert report.failed is (name not in ONLY_WARNED)
    assert all(r.verdict.reason for r in report.results if r.verdict.outcome != "pass")


@pytest.mark.needs("curl", "jq")
@pytest.mark.parametrize("name", GOOD)
async def test_a_reference_plugin_passes_every_check(name: str) -> None:
    report = await examine(KIT / name)
    assert {r.check.id: r.verdict for r in report.results if r.verdict.outcome != "pass"} == {}


async def test_only_what_is_asked_for_is_run_and_judged() -> None:
    report = await examine(KIT / "lines", only={"lines", "secrets"})
    assert [(r.check.id, r.verdict.outcome) for r in report.results] == [
        ("lines", "fail"),
        ("secrets", "pass"),
    ]


async def test_where_the_minimal_job_fails_the_rest_is_skipped_and_says_so() -> None:
    report = await examine(KIT / "minimal-job", only={"minimal-job", "secrets", "at-once"})
    told = {r.check.id: r.verdict for r in report.results}
    assert told["minimal-job"].outcome == "fail"
    assert "no_done" in told["minimal-job"].reason
    assert told["secrets"] == told["at-once"] == ("skip", "the minimal job must succeed first")
