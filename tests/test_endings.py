"""How a run ends when nobody asked it politely: a terminal that hangs up, a parent that dies, a container;
and how one job is given up by hand while the others go on.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest
from run_facts import folded, start, started
from test_dependencies import plugin, profile
from zoo_runs import Going, command, environment, finished, kastrun, read_journal, until, write_profile

from kastrun.terminal.choice import Choice, decode, processes
from kastrun.warden import tree

TWO = ("127.0.0.1", "127.0.0.2")


class Terminal:
    """A terminal with a run in its foreground: what it shows, and keys for it."""

    def __init__(self, home: Path, *arguments: str | Path) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.shown = bytearray()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command(*arguments, "-o", "out")],
            cwd=home,
            env=environment(home, TERM="xterm-256color"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        self._theirs = theirs

    def look(self) -> bytes:
        if select.select([self.ours], [], [], 0.02)[0]:
            self.shown.extend(os.read(self.ours, 65536))
        return bytes(self.shown)

    def wait_for(self, text: bytes) -> None:
        until(lambda: text in self.look())

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def mode(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def end(self) -> int:
        until(lambda: not self.look() or self.process.poll() is not None)
        while self.process.poll() is None or select.select([self.ours], [], [], 0)[0]:
            self.look()
        return self.process.wait()

    def hang_up(self) -> None:
        if self.ours >= 0:
            os.close(self._theirs)
            os.close(self.ours)
            self.ours = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()


Opens = Callable[..., Terminal]


@pytest.fixture
def on() -> Iterator[Opens]:
    """Opens terminals, and closes them whatever becomes of the test."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(Terminal(*arguments))


def times(journal: Path, text: bytes) -> int:
    """How often a text is in a journal that may not be there yet."""
    return journal.read_bytes().count(text) if journal.exists() else 0


# a polite stop by SIGHUP


def test_sighup_is_a_polite_stop(tmp_path: Path) -> None:
    going = Going(tmp_path, write_profile(tmp_path, ["waits"]))
    going.wait_for("finding")
    going.signal(signal.SIGHUP)
    ran = going.finish()
    assert (ran.code, ran.result("waits")["status"]) == (130, "cancelled")
    assert ran.events[-1]["cause"] == "signal"


def test_under_nohup_a_sighup_is_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    profile = write_profile(tmp_path, {"second-time": f"options = {{ flag = {json.dumps(str(gate))} }}"})
    with (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            ["nohup", *command(profile, "-o", "out")], cwd=tmp_path, env=environment(tmp_path),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: times(journal, b'"finding"') > 0)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)  # this one is heard, and comes after the other
    process.wait(30)
    assert b"stopping: running jobs" in (tmp_path / "err").read_bytes()
    assert (tmp_path / "err").read_bytes().count(b"killing what runs") == 0


def test_a_closed_terminal_stops_the_run_and_its_journal_is_whole(tmp_path: Path, on: Opens) -> None:
    terminal = on(tmp_path, write_profile(tmp_path, ["waits"]))
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: bool(terminal.look()) and times(journal, b'"finding"') > 0)
    terminal.hang_up()
    code = terminal.process.wait(30)
    ran = finished(tmp_path / "out", code, "", "", complete=False)
    assert (code, ran.result("waits")["status"], ran.events[-1]["cause"]) == (130, "cancelled", "signal")


def test_a_run_whose_parent_is_killed_goes_on_to_its_end(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], targets=[f"127.0.0.{number}" for number in range(1, 40)])
    nothing = subprocess.DEVNULL
    parent = subprocess.Popen(
        ["sh", "-c", '"$@" & wait', "sh", *command(profile, "-o", "out")], cwd=tmp_path,
        env=environment(tmp_path), stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True,
    )  # fmt: skip
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: times(journal, b'"result"') > 0)
    parent.kill()
    parent.wait()
    until((tmp_path / "out" / "run.json").exists)
    events = read_journal(tmp_path / "out")
    assert (events[-1]["status"], sum(event["type"] == "result" for event in events)) == ("complete", 39)


def test_a_run_whose_launcher_is_killed_starts_nothing_more_and_can_be_resumed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    ok, running = '{"type":"done","status":"ok"}', '{"type":"log","level":"info","message":"running"}'
    later = '{"type":"done","status":"error","error":{"kind":"transient","message":"m","retry_after_s":300}}'
    plugin(tmp_path / "plugins", "gated", f"echo '{running}'\nwhile [ ! -e {gate} ]; do sleep 0.05; done")
    plugin(tmp_path / "plugins", "flaky", f"if [ -e {gate} ]; then echo '{ok}'; exit; fi", later, priority=1)
    path = profile(
        tmp_path, ["gated", "flaky"], targets=[f"127.0.0.{number}" for number in range(1, 6)],
        top="max_workers = 2", tables="[limits]\nattempts = 2",
    )  # fmt: skip
    going = Going(tmp_path, path)
    going.wait_for("log", 2)
    (launcher,) = tree.children(going.process.pid)
    os.kill(launcher, signal.SIGKILL)
    until(lambda: Path(f"/proc/{launcher}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    gate.touch()
    ran = going.finish()
    gated = ran.of("result", "gated")
    unstarted = [result for result in gated if result["status"] == "cancelled"]
    assert [result["status"] for result in gated if result not in unstarted] == ["ok", "ok"]
    assert len(unstarted) in {1, 2}  # one for each worker that was free at once
    assert "launcher" in unstarted[0]["failure"]["message"]
    # those that waited to be tried again
    assert [result["status"] for result in ran.of("result", "flaky")] == ["cancelled"] * 5
    assert (ran.code, ran.events[-1]["status"], ran.events[-1]["cause"]) == (
        3,
        "interrupted",
        "launcher_lost",
    )
    assert ran.summary is not None
    assert ran.summary["coverage"]["not_run"] == 5 - len(gated)
    assert "lost its launcher" in ran.stdout
    assert "kastrun resume" in ran.stdout
    done = kastrun(tmp_path, "resume", "out")
    assert (done.returncode, "10 of 10 jobs ok" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.needs("unshare")
@pytest.mark.namespaces
def test_as_the_first_process_of_a_container_it_reaps(tmp_path: Path) -> None:
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to make a PID namespace")
    profile = write_profile(tmp_path, ["daemon", "ok-sh"], targets=TWO, top="max_workers = 1")
    probe = tmp_path / "more" / "zombies"
    probe.mkdir(parents=True)
    (probe / "plugin.toml").write_text(
        '[plugin]\nname = "zombies"\nversion = "1"\nprotocol = 1\nsummary = "counts zombies"\n'
        'exec = ["./run.sh"]\nmode = "passive"\ntargets = ["ip"]\npriority = 100\n'
    )
    (probe / "run.sh").write_text(
        "#!/bin/sh\nread -r job\ncount=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ')\n"
        'echo "{\\"type\\":\\"log\\",\\"level\\":\\"info\\",\\"message\\":\\"$count zombies\\"}"\n'
        'echo \'{"type":"done","status":"ok"}\'\n'
    )
    (probe / "run.sh").chmod(0o755)
    text = profile.read_text().replace("plugin_dirs = [", f"plugin_dirs = [{json.dumps(str(probe.parent))}, ")
    profile.write_text(text + "[plugins.zombies]\n")
    done = subprocess.run(
        [*inside, *command(profile, "-o", "out")], cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    logs = [event["message"] for event in read_journal(tmp_path / "out") if event["type"] == "log"]
    assert [log for log in logs if "zombies" in log] == ["0 zombies"] * 2, done.stderr
    assert done.returncode == 0, done.stdout


# one job, by hand


@pytest.mark.parametrize("confirm", [b"y", b"\r"])
def test_one_job_is_given_up_and_the_run_goes_on(tmp_path: Path, on: Opens, confirm: bytes) -> None:
    gate = tmp_path / "gate"
    own = {"second-time": f"options = {{ flag = {json.dumps(str(gate))} }}\npriority = 90", "waits": ""}
    terminal = on(tmp_path, write_profile(tmp_path, own, top="max_workers = 2"))
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: bool(terminal.look()) and times(journal, b'"finding"') >= 2)
    until(lambda: terminal.mode() != terminal.before)  # keys come without Enter
    running = [json.loads(line)["plugin"] for line in journal.read_bytes().splitlines() if b'"start"' in line]
    terminal.press(b"\x1b[B" * (running.index("waits") + 1) + b"k")
    terminal.wait_for(b"give up waits 127.0.0.1? y: yes, any other key: no")
    terminal.press(b"n")
    terminal.press(b"k")
    terminal.press(confirm)
    until(lambda: bool(terminal.look()) and b'"cancelled"' in journal.read_bytes())
    assert terminal.process.poll() is None
    os.kill(terminal.process.pid, signal.SIGINT)
    code = terminal.end()
    assert terminal.mode() == terminal.before
    ran = finished(tmp_path / "out", code, "", "", complete=False)
    result = ran.result("waits")
    assert (result["status"], result["failure"]["message"]) == ("cancelled", "it was given up by hand")
    assert "kastrun resume" in result["failure"]["hint"]


def test_a_run_in_which_one_job_was_given_up_is_complete_but_for_it(tmp_path: Path, on: Opens) -> None:
    terminal = on(tmp_path, write_profile(tmp_path, ["waits"]))
    terminal.wait_for(b"waits")
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: bool(terminal.look()) and b'"finding"' in journal.read_bytes())
    terminal.press(b"\x1b[20~y")
    code = terminal.end()
    assert terminal.mode() == terminal.before
    ran = finished(tmp_path / "out", code, "", "")
    assert (code, ran.events[-1]["status"], ran.events[-1]["cause"]) == (3, "complete", None)


def test_one_that_is_stopped_twice_gives_the_terminal_back(tmp_path: Path, on: Opens) -> None:
    shutil.copytree(Path(__file__).parent / "zoo" / "waits", tmp_path / "zoo" / "waits")
    terminal = on(tmp_path, write_profile(tmp_path, ["waits"], zoo=tmp_path / "zoo"))
    journal = tmp_path / "out" / "journal.jsonl"
    until(lambda: bool(terminal.look()) and times(journal, b'"finding"') > 0)
    until(lambda: bool(terminal.look()) and terminal.mode() != terminal.before)
    os.kill(terminal.process.pid, signal.SIGTERM)
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.end() in {130, -signal.SIGTERM}
    assert terminal.mode() == terminal.before


# the keys


def test_keys_are_told_apart() -> None:
    assert decode(b"\x1b[A\x1bOBk\x1b[20~\rY\x1b") == ["up", "down", "k", "k", "y", "y", "esc"]


def test_what_is_chosen_and_asked() -> None:
    tally, choice = folded(started(3), start("a"), start("b"), start("c")), Choice()

    def at() -> str | None:
        chosen = choice.chosen(processes(tally))
        return chosen.job if chosen else None

    moves = [("x", None), ("down", "a"), ("down", "b"), ("up", "a"), ("up", "a"), ("esc", None), ("up", "c")]
    for key, wanted in moves:
        assert choice.press(key, tally) is None
        assert at() == wanted
    assert choice.press("k", tally) is None
    assert choice.asking
    assert choice.press("down", tally) is None  # any other key is a no
    assert not choice.asking
    choice.press("k", tally)
    given_up = choice.press("y", tally)
    assert given_up is not None and given_up.job == "c"
    tally.running.pop("c")
    assert at() is None
    choice.press("k", tally)
    assert (at(), choice.asking) == ("a", True)
    tally.running.clear()
    assert choice.press("y", tally) is None
    assert choice.press("k", tally) is None
    assert not choice.asking
