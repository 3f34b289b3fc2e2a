"""Ctrl-C and its relatives, at every stage: real processes, real signals, and nothing left.

Nothing sleeps here: each test waits for what it needs in the journal, on stderr or in a fifo.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import offspring
import pytest
from zoo_runs import (
    LIMIT_S,
    OPEN,
    Going,
    Ran,
    check_journal,
    command,
    environment,
    finished,
    kastrun,
    process_of,
    read_journal,
    until,
    write_profile,
)

TWO = ("127.0.0.1", "127.0.0.2")
FIVE = tuple(f"127.0.0.{number}" for number in range(1, 6))


# before there is a run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_programs_are_probed(tmp_path: Path, number: int) -> None:
    (tmp_path / "bin").mkdir()
    os.mkfifo(tmp_path / "alive")
    tool = tmp_path / "bin" / "zoo-tool"
    tool.write_text(f"#!/bin/sh\necho > {tmp_path}/alive\nexec sleep 300\n")
    tool.chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    going = Going(
        tmp_path, write_profile(tmp_path, ["slow-probe"]), env={"PATH": path, "TMPDIR": str(tmp_path)}
    )
    (tmp_path / "alive").read_text()  # until the probe runs
    going.signal(number)
    code, stdout, stderr = going.end()
    assert (code, stdout) == (130, "")
    assert stderr.splitlines()[-2:] == ["error: stopped before anything was run", "hint: start it again"]
    assert not going.folder.exists()
    assert offspring.living() == {}
    assert list(tmp_path.glob("kastrun-*")) == []


def test_while_targets_are_read_from_standard_input(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], top='targets_from = ["-"]')
    process = subprocess.Popen(
        command(profile, "-o", "out"),
        cwd=tmp_path,
        env=environment(tmp_path, TMPDIR=str(tmp_path)),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(b"127.0.0.1\n" * 20_000)  # more than a pipe holds: it is being read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert stderr == b"interrupted\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan.toml"]


# while jobs run


def running(tmp_path: Path, plugin: str, *, workers: int = 2, jobs: int = 2) -> Going:
    profile = write_profile(tmp_path, [plugin], targets=FIVE[:jobs], top=f"max_workers = {workers}")
    going = Going(tmp_path, profile)
    going.wait_for("finding", min(workers, jobs))
    return going


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_runs_gets_its_grace_and_a_result(tmp_path: Path, number: int) -> None:
    going = running(tmp_path, "waits", jobs=5)
    going.signal(number)
    ran = going.finish()
    assert ran.code == 130
    results = ran.of("result")
    assert [(result["status"], result["reason"]) for result in results] == [("cancelled", "cancelled")] * 2
    for result in results:  # both used the grace for a second finding, and exited 0
        assert result["counts"]["finding"] == 2
        assert result["failure"]["exit_code"] == 0
        assert result["failure"]["message"] == "the run was stopped before this job ended"
    assert len(ran.of("start")) == 2
    assert ran.events[0]["planned"] == 5
    assert ran.events[-1]["status"] == "interrupted"
    assert ran.events[-1]["counts"] == {"cancelled": 2}
    assert "stopping: running jobs get their grace; once more kills them now" in ran.stderr
    assert "kastrun resume out" in ran.stdout
    assert summary(ran)["status"] == "interrupted"
    assert summary(ran)["coverage"]["not_run"] == 3


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)],
)
def test_the_second_time_kills_now(tmp_path: Path, signals: tuple[int, int]) -> None:
    going = running(tmp_path, "holds-on")  # ignores SIGTERM, and has two minutes of grace
    going.signal(signals[0])
    going.wait_for_text("once more kills them now")
    going.signal(signals[1])
    ran = going.finish()
    assert ran.code == 130
    assert [result["status"] for result in ran.of("result")] == ["cancelled"] * 2
    assert {result["failure"]["signal"] for result in ran.of("result")} == {"SIGKILL"}
    assert "killing what runs" in ran.stderr


def test_signals_without_end_change_nothing(tmp_path: Path) -> None:
    going = running(tmp_path, "holds-on")

    def once_more() -> bool:
        going.signal(signal.SIGINT)
        return going.process.poll() is not None

    until(once_more)
    # The last may have come while Python itself was ending: then it died by it, which is 130 to a shell.
    assert going.end()[0] in {130, -signal.SIGINT}
    events = read_journal(going.folder)
    check_journal(events, complete=False)
    assert [event["status"] for event in events if event["type"] == "result"] == ["cancelled"] * 2
    until(lambda: not offspring.living())  # what it could not wait for any more hears that it is gone


def test_a_job_that_a_stranger_kills_is_not_cancelled(tmp_path: Path) -> None:
    going = running(tmp_path, "holds-on", jobs=1)
    os.kill(process_of(going.journal()[1]["job"]), signal.SIGKILL)
    ran = going.finish(complete=True)
    assert (ran.code, ran.result("holds-on")["reason"]) == (3, "signal")


def test_a_pipe_that_a_stranger_holds_open_holds_up_nothing(tmp_path: Path) -> None:
    going = running(tmp_path, "waits", jobs=1)
    pid = process_of(going.journal()[1]["job"])
    with open(f"/proc/{pid}/fd/1", "wb"), open(f"/proc/{pid}/fd/2", "wb"):
        os.kill(pid, signal.SIGTERM)
        ran = going.finish(complete=True)
    result = ran.result("waits")
    assert (result["reason"], result["counts"]["finding"]) == ("no_done", 2)


def test_under_a_terminal_its_cursor_comes_back(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["waits"])
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        ["setsid", "--ctty", *command(profile, "-o", "out")],
        cwd=tmp_path,
        env=environment(tmp_path, TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    shown = bytearray()

    def look() -> bytes:
        if select.select([ours], [], [], 0.02)[0]:
            shown.extend(os.read(ours, 65536))
        return bytes(shown)

    until(lambda: b"waits" in look() and len(findings(tmp_path)) == 1)
    os.write(ours, b"\x03")
    until(lambda: not look() or process.poll() is not None)
    while select.select([ours], [], [], 0)[0]:
        look()
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)
    ran = finished(tmp_path / "out", process.wait(), "", "", complete=False)
    assert ran.code == 130
    assert ran.result("waits")["status"] == "cancelled"
    hidden, back = shown.rfind(b"\x1b[?25l"), shown.rfind(b"\x1b[?25h")
    assert 0 <= hidden < back
    last = re.findall(rb"\x1b\[([\d;]*)m", shown)[-1:]
    assert last in ([], [b"0"], [b""])


def findings(tmp_path: Path) -> list[str]:
    journal = tmp_path / "out" / "journal.jsonl"
    return (
        [line for line in journal.read_text().splitlines() if '"type":"finding"' in line]
        if journal.exists()
        else []
    )


# afterwards


def second_time(tmp_path: Path) -> Going:
    own = f"options = {{ flag = {json.dumps(str(tmp_path / 'flag'))} }}"
    profile = write_profile(
        tmp_path,
        {"second-time": own, "ok-sh": "priority = 0"},
        targets=TWO,
        top="max_workers = 2",
        tables=OPEN,
    )
    going = Going(tmp_path, profile)
    going.wait_for("finding", 4)
    going.wait_for("result", 2)
    return going


def test_resume_runs_what_was_cancelled_and_nothing_else(tmp_path: Path) -> None:
    going = second_time(tmp_path)
    going.signal(signal.SIGINT)
    assert going.finish().code == 130
    check_resumed(tmp_path)


def test_a_run_that_was_killed_is_readable_and_can_be_resumed(tmp_path: Path) -> None:
    going = second_time(tmp_path)
    going.signal(signal.SIGKILL)
    assert going.end()[0] == -signal.SIGKILL
    until(lambda: not offspring.living())  # its wardens heard of it
    shown = kastrun(tmp_path, "show", "out", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["status"]) == (0, "killed")
    check_resumed(tmp_path)


def check_resumed(tmp_path: Path) -> None:
    (tmp_path / "flag").touch()
    before = {event["job"]: event for event in read_journal(tmp_path / "out") if event["type"] == "result"}
    done = kastrun(tmp_path, "resume", "out")
    assert done.returncode == 0, done.stderr
    events = read_journal(tmp_path / "out")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    results: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["type"] == "result":
            results.setdefault(event["job"], []).append(event)
    assert len(results) == 4
    for job, of_job in results.items():
        assert of_job[-1]["status"] == "ok"
        ran_before = before.get(job, {}).get("status")
        assert len(of_job) == (2 if ran_before == "cancelled" else 1)
    summary = json.loads((tmp_path / "out" / "run.json").read_text())
    assert summary["coverage"]["ok"] == summary["coverage"]["planned"] == 4
    assert summary["findings"]["incomplete"] == 0
    assert summary["findings"]["by_severity"] == {"low": 4}
    assert not (tmp_path / "out" / "work").exists()


def summary(ran: Ran) -> dict[str, Any]:
    assert ran.summary is not None
    return ran.summary
