"""The fold counts what went by, forgets what it may, and lets a later result replace an earlier one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_facts import ended, folded, iso, of_statuses, over, start, started

from kastrun.facts import Fact, LeftOut, Progress
from kastrun.model import SEVERITIES, Failure
from kastrun.tally import Tally, coverage, moment
from kastrun.tally.fold import FAILURES, GROUPS, SLOWEST


def find(tally: Tally, job: str = "j", rule: str = "r", severity: str = "low", **more: object) -> None:
    given = {"plugin": "nmap", "target": "a.example", "title": "A title"} | more
    tally.finding(job=job, rule=rule, severity=severity, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fact",
    [
        started(3, left_out=[LeftOut(plugin="x", target=None, reason="mode", message="m")]),
        start("j"),
        ended("j", "fail", "oom", failure=Failure(message="m", hint="h", signal="SIGKILL")),
        over(),
        Progress(job="j", done=1),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_facts_come_back_from_json_as_they_went(fact: Fact) -> None:
    assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact


def test_a_run_is_counted() -> None:
    tally = of_statuses(5, "ok", "ok", ("fail", "oom"), ("skipped", "mode"))
    cover = coverage(tally)
    assert (cover.planned, cover.ok, cover.failed, cover.skipped, cover.not_run) == (5, 2, 1, 1, 1)
    assert tally.ended() == 4
    assert not tally.running


def test_progress_stays_with_its_job_and_keeps_what_it_does_not_say() -> None:
    tally = folded(started(), start("j"), Progress(job="j", done=1, total=9, message="ports"))
    tally.apply(Progress(job="j", done=2))
    tally.apply(Progress(job="gone", done=2))
    job = tally.running["j"]
    assert (job.done, job.total, job.message) == (2, 9, "ports")


def test_a_log_is_the_last_message_unless_it_is_for_debugging() -> None:
    tally = folded(started(), start("j"))
    tally.log("j", "warn", "slow")
    tally.log("j", "debug", "detail")
    assert tally.running["j"].message == "slow"
    assert tally.logs == {"warn": 1, "debug": 1}


def test_findings_are_grouped_by_rule_and_severity_with_their_first_targets() -> None:
    tally = folded(started(), start("j"))
    for number in range(5):
        find(tally, target=f"{number}.example")
    find(tally, severity="high")
    high, low = tally.findings()
    assert (high.severity, high.count) == ("high", 1)
    assert (low.count, low.targets) == (5, ["0.example", "1.example", "2.example"])
    assert tally.severities() == {"high": 1, "low": 5}
    assert tally.worst() == "high"


def test_what_the_baseline_accepts_is_counted_apart() -> None:
    tally = Tally()
    find(tally, severity="critical", accepted=True)
    find(tally, severity="info")
    assert tally.worst() == "info"
    assert tally.severities() == {"critical": 1, "info": 1}
    assert [group.accepted for group in tally.findings()] == [False, True]


def test_rules_without_end_are_counted_as_others() -> None:
    tally = Tally()
    for number in range(GROUPS + 500):
        find(tally, rule=f"r{number}")
    find(tally, rule="x" * 1_000_000, title="y" * 1_000_000, severity="high")
    groups = tally.findings()
    assert len(groups) == GROUPS + 2
    assert [(g.severity, g.count) for g in groups if not g.rule] == [("high", 1), ("low", 500)]
    assert max(len(group.title) for group in groups) <= 200


def test_findings_of_a_job_that_failed_are_incomplete() -> None:
    tally = folded(started(), start("good"), start("bad"))
    find(tally, "good")
    find(tally, "bad")
    tally.apply(ended("good"))
    tally.apply(ended("bad", "fail", "oom"))
    assert tally.incomplete_findings() == 1
    assert tally.severities() == {"low": 2}


def test_a_later_ok_replaces_the_attempt_that_failed() -> None:
    tally = folded(started(1), start("j"))
    find(tally)
    find(tally, rule="only-then")
    tally.apply(ended("j", "fail", "plugin_transient"))
    tally.apply(start("j", attempt=2))
    find(tally)
    tally.apply(ended("j", attempt=2))
    assert coverage(tally).complete
    assert [(group.rule, group.count) for group in tally.findings()] == [("r", 1)]
    assert tally.incomplete_findings() == 0
    assert not tally.failures


def test_what_two_failed_attempts_both_found_counts_once() -> None:
    tally = folded(started(1), start("j"))
    find(tally, rule="first")
    find(tally, rule="both")
    tally.apply(ended("j", "fail", "plugin_transient"))
    tally.apply(start("j", attempt=2))
    find(tally, rule="both")
    find(tally, rule="second")
    tally.apply(ended("j", "fail", "oom", attempt=2))
    assert {group.rule: group.count for group in tally.findings()} == {"first": 1, "both": 1, "second": 1}
    assert tally.incomplete_findings() == 3
    assert coverage(tally).failed == 1


def test_a_retry_without_a_result_between_is_one_job() -> None:
    tally = folded(started(1), start("j"))
    find(tally)
    tally.apply(start("j", attempt=2))
    find(tally)
    tally.apply(ended("j", attempt=2))
    assert tally.severities() == {"low": 1}
    assert tally.ended() == 1


@pytest.mark.parametrize("last", [[], [over("interrupted", at=3)]], ids=["killed", "interrupted"])
def test_a_resumed_run_folds_like_one_that_was_never_broken(last: list[Fact]) -> None:
    tally = folded(started(2), start("done"), ended("done", at=2), start("torn", at=2))
    find(tally, "torn")
    for fact in last:
        tally.apply(fact)
    tally.apply(started(2, at=100))
    assert not tally.running
    assert tally.incomplete_findings() == 1
    tally.apply(start("torn", at=100))
    find(tally, "torn")
    tally.apply(ended("torn", at=104, took=4))
    tally.apply(over(at=105))
    assert tally.severities() == {"low": 1}
    assert coverage(tally).complete
    assert tally.duration_s() == (5 + 3 if last else 5 + 2)


def test_an_upstream_failure_is_replaced_too() -> None:
    tally = of_statuses(1, ("skipped", "upstream_failed"))
    assert coverage(tally).upstream_failed == 1
    tally.apply(ended("j0"))
    assert coverage(tally).complete


def test_failures_are_kept_while_they_are_among_the_latest() -> None:
    tally = folded(started(FAILURES + 5))
    for number in range(FAILURES + 5):
        tally.apply(ended(f"j{number}", "fail", "oom"))
    assert len(tally.failures) == FAILURES
    assert next(iter(tally.failures)) == "j5"
    assert tally.failures_seen == coverage(tally).failed == FAILURES + 5


def test_the_slowest_and_the_plugins_times() -> None:
    tally = folded(started(40))
    for number in range(40):
        plugin = "nmap" if number % 2 else "waf"
        tally.apply(start(f"j{number}", plugin, at=number))
        tally.apply(ended(f"j{number}", plugin=plugin, at=number + 1, took=number))
    assert [slow.duration_s for slow in tally.slowest()] == list(range(39, 39 - SLOWEST, -1))
    nmap = tally.plugins["nmap"]
    assert (nmap.busy_s, nmap.first_start, nmap.last_end) == (sum(range(1, 40, 2)), iso(1), iso(40))


def test_jobs_of_a_batch_share_its_time() -> None:
    tally = folded(started())
    for number in range(4):
        tally.apply(start(f"j{number}", process="b1", batch=4))
    for number in range(4):
        tally.apply(ended(f"j{number}", at=20, took=20, process="b1", batch=4))
    assert (tally.plugins["nmap"].busy_s, tally.busy_s, tally.ran) == (20, 20, 4)
    assert {slow.duration_s for slow in tally.slowest()} == {5}


def test_a_job_that_ran_again_is_among_the_slowest_once() -> None:
    tally = folded(started())
    for took, status in ((5, "cancelled"), (2, "ok")):
        tally.apply(start("j1"))
        tally.apply(ended("j1", status, took=took))
    assert [(slow.job, slow.duration_s, slow.status) for slow in tally.slowest()] == [("j1", 2, "ok")]


def test_a_job_without_a_process_takes_no_time() -> None:
    tally = folded(started(1), ended("j", "fail", "requires_missing", took=0))
    assert tally.ran == 0
    assert tally.slowest() == []
    assert tally.plugins == {}


def test_kinds_levels_and_warnings_cannot_fill_the_memory() -> None:
    tally = folded(started(1), start("j"), ended("j", warnings=("leaked_process",)))
    for number in range(1000):
        tally.asset("j", "nmap", "a.example", f"kind{number}", "v")
    tally.apply(ended("j", "partial", warnings=("stdin_unread",)))
    tally.artifact("j", "nmap", "shot.png")
    assert len(tally.assets) == 201
    assert tally.assets["other"] == 800
    assert tally.warnings["stdin_unread"] == 1
    assert tally.artifacts == {"nmap": 1}


@pytest.mark.parametrize("between", [[], [ended("j", "fail", "oom", warnings=("utf8_replaced",))]])
def test_what_an_attempt_counted_is_counted_anew_by_the_next(between: list[Fact]) -> None:
    tally = folded(started(1))
    for fact in [*between, started(1), ended("j", warnings=("utf8_replaced",))]:
        tally.apply(start("j"))
        tally.asset("j", "nmap", "a.example", "service", "22")
        tally.log("j", "warn", "slow")
        tally.artifact("j", "nmap", "shot.png")
        tally.apply(fact)
    counted = (tally.assets, tally.logs, tally.artifacts, tally.warnings)
    assert counted == ({"service": 1}, {"warn": 1}, {"nmap": 1}, {"utf8_replaced": 1})


def test_the_duration_runs_with_the_clock_until_the_end() -> None:
    tally = folded(started())
    assert tally.duration_s(moment(iso(7))) == 7
    tally.apply(over(at=9))
    assert tally.duration_s(moment(iso(50))) == 9
    assert Tally().duration_s() == 0


def test_a_moment_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["ok", "partial", "fail", "skipped", "cancelled"]),
            st.lists(st.tuples(st.sampled_from(SEVERITIES), st.sampled_from("ab")), max_size=4),
        ),
        max_size=20,
    )
)
def test_the_last_result_of_each_job_counts(attempts: list[tuple[int, str, list[tuple[str, str]]]]) -> None:
    tally = folded(started(4))
    last: dict[int, str] = {}
    found: dict[int, list[tuple[str, str]]] = {}
    for job, status, findings in attempts:
        if last.get(job) in ("ok", "skipped"):
            continue  # a finished job is never run again
        tally.apply(start(f"j{job}"))
        for severity, rule in findings:
            find(tally, f"j{job}", rule, severity)
        tally.apply(ended(f"j{job}", status, "mode" if status == "skipped" else None))
        last[job] = status
        before = [] if status == "ok" else found.get(job, [])
        found[job] = [*before, *findings] if not before else _union(before, findings)
    cover = coverage(tally)
    by_status = {status: list(last.values()).count(status) for status in set(last.values())}
    assert (cover.ok, cover.failed) == (by_status.get("ok", 0), by_status.get("fail", 0))
    assert (cover.not_run, cover.cancelled) == (4 - len(last), by_status.get("cancelled", 0))
    assert sum(tally.severities().values()) == sum(map(len, found.values()))
    assert tally.incomplete_findings() == sum(len(found[job]) for job in last if last[job] != "ok")


def _union(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> list[tuple[str, str]]:
    every = set(before) | set(now)
    return [finding for finding in every for _ in range(max(before.count(finding), now.count(finding)))]
