"""What a CI log gets: one line each, no colour, at the right moments."""

from __future__ import annotations

from io import StringIO

import pytest
from run_facts import T0, ended, folded, start, started

from kastrun.model import Failure
from kastrun.tally import Tally
from kastrun.terminal.pace import left_s
from kastrun.terminal.plain import PlainScreen, QuietScreen, due, start_line, status_line


def halfway() -> Tally:
    tally = folded(started(12), *(start(f"j{n}") for n in range(4)))
    for number in range(3):
        tally.apply(ended(f"j{number}", at=10, took=10))
    tally.apply(ended("f", "fail", "oom"))
    for severity in ("high", "high", "low"):
        tally.finding("j3", "nmap", "a.example", severity, "r", "t")  # type: ignore[arg-type]
    return tally


def test_the_lines() -> None:
    assert start_line(folded(started(400)), T0) == "16:00:00Z shop: 400 jobs, 4 at once, fail_on high"
    assert start_line(folded(started(None)), T0) == "16:00:00Z shop: jobs, 4 at once, fail_on high"
    assert start_line(Tally(), T0) == "16:00:00Z starting"
    resumed = folded(started(2), start("j"), ended("j"), started(2, at=9))
    assert start_line(resumed, T0 + 9).endswith("fail_on high, 1 job of an earlier start kept")
    assert status_line(halfway(), T0 + 10) == (
        "16:00:10Z 4/12 jobs, 1 failed, findings: 2 high 1 low, 1 running, about 25 s left"
    )
    assert status_line(folded(started(None)), T0) == "16:00:00Z 0 jobs, findings: none, 0 running"


def test_a_line_is_due_every_thirty_seconds() -> None:
    assert [due(now, 100) for now in (100, 129.9, 130, 500)] == [False, False, True, True]


def test_the_guess_counts_running_jobs_and_workers() -> None:
    tally = halfway()  # 30 s of three jobs, one running for 10 s: a mean of 40/3; 7 wait, 4 at once
    assert left_s(tally, T0 + 10) == pytest.approx((7 * 40 / 3 + (40 / 3 - 10)) / 4)
    assert left_s(folded(started(4)), T0) is None
    assert left_s(folded(started(None)), T0) is None


def test_there_is_no_guess_when_the_last_jobs_have_overrun_it() -> None:
    tally = folded(started(6), *(start(f"j{n}") for n in range(6)))
    for number in range(5):
        tally.apply(ended(f"j{number}", at=1))
    assert left_s(tally, T0 + 1) == pytest.approx(6 / 5 - 1)
    assert left_s(tally, T0 + 60) is None


def test_a_whole_run() -> None:
    out = StringIO()
    screen = PlainScreen(out)
    tally = folded(started(3))
    screen.start(tally, T0)
    tally.apply(start("j"))
    screen.update(tally, T0 + 1)
    screen.log("nmap", "a.example", "warn", "not asked for", T0 + 1)
    tally.apply(
        ended("j", "fail", "bad_json", failure=Failure(message="line 1 is not\x1b[2J JSON", hint="h"))
    )
    screen.update(tally, T0 + 2)
    screen.update(tally, T0 + 31)
    screen.note("stopping; Ctrl-C again kills", T0 + 32)
    tally.apply(ended("k", "partial", plugin="waf"))
    screen.stop(tally, T0 + 33)
    assert out.getvalue().splitlines() == [
        "16:00:00Z shop: 3 jobs, 4 at once, fail_on high",
        "16:00:02Z failed: nmap a.example: bad_json: line 1 is not JSON",
        "16:00:31Z 1/3 jobs, 1 failed, findings: none, 0 running",
        "16:00:32Z stopping; Ctrl-C again kills",
        "16:00:33Z partial: waf a.example: partial",
    ]


def test_verbose_shows_logs_and_failures_in_full() -> None:
    out = StringIO()
    screen = PlainScreen(out, verbose=True)
    tally = folded(started(1))
    screen.start(tally, T0)
    screen.log("nmap", "a.example", "warn", "slow\nhost", T0)
    failure = Failure(
        message="died", hint="look", argv=("./run.sh", "a b"), signal="SIGSEGV", stderr="one\ntwo\n"
    )
    tally.apply(ended("j", "fail", "signal", failure=failure))
    screen.update(tally, T0)
    assert out.getvalue().splitlines()[1:] == [
        "16:00:00Z warn: nmap a.example: slow host",
        "16:00:00Z failed: nmap a.example: signal: died",
        "    killed by SIGSEGV, after 1.0 s",
        "    command: ./run.sh 'a b'",
        "    hint: look",
        "    stderr:",
        "      one",
        "      two",
    ]


def test_a_burst_of_failures_is_counted() -> None:
    out = StringIO()
    screen = PlainScreen(out)
    tally = folded(started(100))
    screen.start(tally, T0)
    for number in range(60):
        tally.apply(ended(f"j{number}", "fail", "oom"))
    screen.update(tally, T0 + 1)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "16:00:01Z and 40 more failures"


def test_failures_that_a_resume_brought_along_are_not_news() -> None:
    out = StringIO()
    screen = PlainScreen(out)
    tally = folded(started(2), ended("j", "fail", "oom"))
    screen.start(tally, T0)
    screen.stop(tally, T0)
    assert "oom" not in out.getvalue()


def test_quiet_says_only_what_kastrun_itself_has_to_say() -> None:
    out = StringIO()
    screen = QuietScreen(out)
    tally = folded(started(1), ended("j", "fail", "oom"))
    screen.start(tally, T0)
    screen.update(tally, T0 + 100)
    screen.log("nmap", "a.example", "error", "m", T0)
    screen.note("stopping", T0)
    screen.stop(tally, T0)
    assert out.getvalue() == "16:00:00Z stopping\n"
