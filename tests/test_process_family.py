"""Descendants that hide: daemons, sessions of their own, wiped environments, forking ones."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import trio

from kastrun.process import Child, Family, Stream, spawn

pytestmark = pytest.mark.usefixtures("nothing_left")
PATH = os.environ["PATH"]

DAEMON = """
import os, sys, time
def daemon(env):
    r, w = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(w, b"%d\\n" % os.getpid())
            os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"], env)
        os._exit(0)
    os.wait()
    return int(os.read(r, 20))
"""


@pytest.fixture
def family() -> Family:
    return Family()


def start(family: Family, code: str, mark: str) -> Child:
    argv = [sys.executable, "-I", "-S", "-c", DAEMON + code]
    child = spawn(argv, env={"PATH": PATH, "KASTRUN_JOB": mark}, cwd="/", stdin=b"")
    family.enter(child.pid, mark)
    return child


async def until(child: Child, *wanted: Stream) -> bytes:
    """What it wrote to stdout until one of `wanted` came (a line on OUT, or EXIT)."""
    out = b""
    with trio.fail_after(20):
        while True:
            for stream, data in await child.read(math.inf):
                out += data if stream is Stream.OUT else b""
                if stream in wanted and (stream is Stream.EXIT or b"\n" in out):
                    return out


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(family: Family, child: Child) -> int:
    buried = family.bury(child.pid)
    child.reap()
    child.close()
    return buried


@pytest.mark.parametrize("env", ["dict(os.environ)", "{}", "{'KASTRUN_JOB': 'somebody.else'}"])
async def test_a_daemon_dies_with_its_leader(family: Family, env: str) -> None:
    child = start(family, f"print(daemon({env}), flush=True)", "a.1")
    daemon = int(await until(child, Stream.EXIT))
    assert alive(daemon)
    assert gone(family, child) == 1
    assert not alive(daemon)


async def test_another_jobs_daemon_is_left_alone(family: Family) -> None:
    first = start(family, "print(daemon(dict(os.environ)), flush=True); time.sleep(600)", "a.1")
    daemon = int(await until(first, Stream.OUT))
    second = start(family, "", "b.1")
    await until(second, Stream.EXIT)
    assert gone(family, second) == 0
    assert alive(daemon)
    family.kill(first.pid)
    await until(first, Stream.EXIT)
    gone(family, first)
    assert not alive(daemon)


async def test_terminate_reaches_every_member_of_the_tree_once(family: Family, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    code = f"""
import signal
def hear(*_):
    fd = os.open({str(heard)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT); os.write(fd, b"%d\\n" % os.getpid())
r, w = os.pipe()
for new_session in (False, True):
    if os.fork() == 0:
        if new_session: os.setsid()
        signal.signal(signal.SIGTERM, hear); os.write(w, b"x")
        while True: signal.pause()
signal.signal(signal.SIGTERM, hear)
os.read(r, 1), os.read(r, 1)
print("ready", flush=True)
while True: signal.pause()
"""
    child = start(family, code, "a.1")
    await until(child, Stream.OUT)
    family.terminate(child.pid)
    with trio.fail_after(10):
        while not heard.exists() or len(heard.read_text().split()) < 3:
            await trio.sleep(0.01)
    pids = heard.read_text().split()
    assert len(set(pids)) == 3
    assert str(child.pid) in pids
    family.kill(child.pid)
    await until(child, Stream.EXIT)
    gone(family, child)
    assert not any(alive(int(pid)) for pid in pids)


async def test_a_swarm_of_sessions_that_ignore_sigterm(family: Family) -> None:
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
r, w = os.pipe()
for _ in range(40):
    if os.fork() == 0:
        os.setsid(); os.write(w, b"x")
        while True: signal.pause()
for _ in range(40): os.read(r, 1)
print("ready", flush=True)
"""
    child = start(family, code, "a.1")
    await until(child, Stream.EXIT)
    assert gone(family, child) == 40


async def test_one_that_forks_faster_than_one_can_look(family: Family) -> None:
    code = """
print("ready", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork(): os._exit(0)
"""
    child = start(family, code, "a.1")
    await until(child, Stream.EXIT)
    began = time.monotonic()
    gone(family, child)
    assert time.monotonic() - began < 15


async def test_a_stopped_tree_is_killed(family: Family) -> None:
    code = "import signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(600)"
    child = start(family, code, "a.1")
    await until(child, Stream.OUT)
    family.kill(child.pid)
    await until(child, Stream.EXIT)
    gone(family, child)


async def test_strangers_are_not_ours_to_kill(family: Family) -> None:
    """A child from before the family (a shell's `exec kastrun`) survives the burial of all."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    try:
        later = Family()
        assert later.bury_all() == 0
        assert alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


async def test_dead_strays_are_reaped_while_their_job_runs(family: Family) -> None:
    code = """
if os.fork() == 0:
    if os.fork() == 0: time.sleep(0.05); os._exit(0)
    os._exit(0)
os.wait(); print("ready", flush=True); time.sleep(600)
"""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    before = set(own.read_text().split())  # of tests before this one
    child = start(family, code, "a.1")
    await until(child, Stream.OUT)
    with trio.fail_after(10):
        while set(own.read_text().split()) - before != {str(child.pid)}:
            family.reap()
            await trio.sleep(0.01)
    family.kill(child.pid)
    await until(child, Stream.EXIT)
    gone(family, child)
