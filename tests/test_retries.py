"""A passing error is tried again: when, how often, and that there is one result; with real children."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from test_batches import OK, by_target, plugin, profile
from test_ready import ids, job
from test_resume import results, resume
from zoo_runs import Going, kastrun, run

from kastrun.engine.backoff import FIRST_S, LONGEST_S, OWN_S, wait_s
from kastrun.ready import ReadyQueue

TWICE = "[limits]\nattempts = 2\n"
FAILS = "find(values[0], key=str(job['attempt']))\n"
ERROR = "out(type='done', status='error', error={'kind': 'transient', 'message': 'come back'})\n"
ONCE = f"{FAILS}if job['attempt'] == 1:\n    {ERROR}    sys.exit()\n{OK}"


@pytest.mark.parametrize("failures", range(1, 12))
def test_waits_double_up_to_a_minute_and_jitter_takes_half_at_most(failures: int) -> None:
    most = min(OWN_S, FIRST_S * 2 ** (failures - 1))
    assert wait_s(failures, None, 0.0) == most / 2
    assert wait_s(failures, None, 1.0) == most


def test_what_the_plugin_asks_for_is_waited_for_and_no_more_than_ten_minutes() -> None:
    assert wait_s(1, 90, 0.0) == 90
    assert wait_s(1, 90, 1.0) == pytest.approx(99)
    assert wait_s(1, 0.1, 0.0) == FIRST_S / 2
    assert wait_s(1, LONGEST_S, 0.0) == LONGEST_S
    assert wait_s(1, LONGEST_S + 1, 0.0) is None


def test_a_job_that_waits_is_no_job_that_is_ready_and_takes_room_in_the_window() -> None:
    now = [0.0]
    jobs = [job(1, awaited=True), job(2, needs=("j1",), plugin="q"), job(3)]
    queue = ReadyQueue(iter(jobs), clock=lambda: now[0], window=2)
    first = queue.take()
    assert first is not None
    queue.freed(first)
    queue.again(first.jobs[0].job, 5.0)
    assert (queue.take(), queue.opens()) == (None, 5.0)  # j2 waits for j1, and j3 is outside of the window
    now[0] = 5.0
    again = queue.take()
    assert again is not None and ids(again) == ["j1"]
    assert again.jobs[0].job.attempt == 2
    queue.ended(again.jobs[0].job, succeeded=True)
    assert ids(queue.take()) == ["j2"]


def test_a_second_attempt_that_ends_ok_replaces_the_first(tmp_path: Path) -> None:
    plugin(tmp_path, "flaky", ONCE, batch=1)
    plugin(tmp_path, "after", OK, batch=1, depends_on=["flaky"])
    ran = run(tmp_path, profile(tmp_path, "flaky", "after", targets=("127.0.0.1",), tables=TWICE))
    assert ran.code == 0, ran.stdout
    assert [(start["plugin"], start["attempt"]) for start in ran.of("start")] == [
        ("flaky", 1),
        ("flaky", 2),
        ("after", 1),
    ]
    (retry,) = ran.of("retry")
    assert (retry["attempt"], retry["reason"], retry["message"]) == (1, "plugin_transient", "come back")
    moments = [datetime.fromisoformat(each["at"]) for each in (retry, ran.of("start")[1])]
    assert (moments[1] - moments[0]).total_seconds() >= retry["wait_s"] - 0.01 >= FIRST_S / 2 - 0.01
    result = ran.result("flaky")
    assert (result["status"], result["attempt"], result["counts"]["finding"]) == ("ok", 2, 1)
    assert [finding["attempt"] for finding in ran.of("finding")] == [1, 2]
    assert ran.summary is not None
    assert (ran.summary["findings"], ran.summary["retries"]) == (
        {"by_severity": {"low": 1}, "incomplete": 0},
        1,
    )
    assert json.loads(kastrun(tmp_path, "show", "--json", "out").stdout) == ran.summary


def test_after_the_last_attempt_the_job_has_failed_and_what_it_said_is_incomplete(tmp_path: Path) -> None:
    plugin(tmp_path, "flaky", FAILS + ERROR, batch=1)
    ran = run(tmp_path, profile(tmp_path, "flaky", targets=("127.0.0.1",), tables=TWICE))
    assert ran.code == 3
    result = ran.result("flaky")
    assert (result["status"], result["reason"], result["attempt"]) == ("fail", "plugin_transient", 2)
    assert ran.summary is not None and ran.summary["findings"]["incomplete"] == 1
    assert "attempt 2" in ran.stdout


@pytest.mark.parametrize(
    ("kind", "more"),
    [("target", {}), ("config", {}), ("internal", {}), ("transient", {"retry_after_s": 601})],
)
def test_nothing_else_is_tried_again(tmp_path: Path, kind: str, more: dict[str, Any]) -> None:
    error = {"kind": kind, "message": "no", **more}
    plugin(tmp_path, "fails", f"out(type='done', status='error', error={error})\n")
    ran = run(tmp_path, profile(tmp_path, "fails", targets=("127.0.0.1",), tables=TWICE))
    assert (len(ran.of("start")), ran.result("fails")["attempt"]) == (1, 1)


def test_unless_the_profile_says_so_nothing_is_tried_again(tmp_path: Path) -> None:
    plugin(tmp_path, "flaky", ONCE)
    ran = run(tmp_path, profile(tmp_path, "flaky", targets=("127.0.0.1",)))
    assert (ran.of("retry"), ran.result("flaky")["attempt"]) == ([], 1)


def test_a_waiting_job_holds_no_worker(tmp_path: Path) -> None:
    plugin(tmp_path, "flaky", ONCE, batch=1, priority=1)
    plugin(tmp_path, "other", OK, batch=1)
    path = profile(tmp_path, "flaky", "other", targets=("127.0.0.1",), tables=TWICE, top="max_workers = 1")
    ran = run(tmp_path, path)
    assert [(s["plugin"], s["attempt"]) for s in ran.of("start")] == [
        ("flaky", 1),
        ("other", 1),
        ("flaky", 2),
    ]


def test_a_batch_is_tried_again_as_one(tmp_path: Path) -> None:
    plugin(tmp_path, "flaky", f"if job['attempt'] == 1:\n    {ERROR}    sys.exit()\n{OK}")
    ran = run(tmp_path, profile(tmp_path, "flaky", tables=TWICE))
    assert ran.code == 0
    assert len(ran.of("retry")) == 4
    assert {each["attempt"] for each in by_target(ran).values()} == {2}


def waiting(tmp_path: Path) -> Going:
    """A run with one job, which waits five minutes to be tried again; it is mended by a file."""
    error = ERROR.replace("'come back'", "'come back', 'retry_after_s': 300")
    body = f"{FAILS}if not os.path.exists({str(tmp_path / 'mended')!r}):\n    {error}    sys.exit()\n{OK}"
    plugin(tmp_path, "flaky", body, batch=1)
    going = Going(tmp_path, profile(tmp_path, "flaky", targets=("127.0.0.1",), tables=TWICE))
    going.wait_for("retry")
    (tmp_path / "mended").touch()
    return going


def resumed(tmp_path: Path) -> list[tuple[object, object]]:
    """How the job ended each time, once a resume has run it anew."""
    done = resume(tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(kastrun(tmp_path, "show", "--json", "out").stdout)
    assert shown["findings"] == {"by_severity": {"low": 1}, "incomplete": 0}
    return [(each["status"], each["attempt"]) for each in results(tmp_path / "out")]


def test_ctrl_c_ends_the_waiting_and_a_resume_tries_the_job_anew(tmp_path: Path) -> None:
    going = waiting(tmp_path)
    going.signal(2)
    ran = going.finish()
    result = ran.result("flaky")
    assert (ran.code, result["status"], result["attempt"]) == (130, "cancelled", 1)
    assert result["failure"]["message"] == "the run was stopped while it waited for attempt 2"
    assert resumed(tmp_path) == [("cancelled", 1), ("ok", 1)]


def test_a_run_that_is_killed_while_a_job_waits_runs_it_again(tmp_path: Path) -> None:
    going = waiting(tmp_path)
    going.signal(9)
    going.process.wait(30)
    assert resumed(tmp_path) == [("ok", 1)]
