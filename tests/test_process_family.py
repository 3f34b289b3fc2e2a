"""Descendants that hide, and guards that are killed: nothing lives on, and no other job is hurt."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from kastrun.process import Child, Exit, Family, GuardLost, LauncherLost, Stream
from kastrun.warden import wire

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
def family(nothing_left: None) -> Iterator[Family]:
    with Family() as family:
        yield family


def start(family: Family, code: str) -> Child:
    argv = [sys.executable, "-I", "-S", "-c", DAEMON + code]
    return family.spawn(argv, env={"PATH": PATH}, cwd="/", stdin=b"")


async def until(child: Child, wanted: Stream) -> bytes:
    """What it wrote to stdout until `wanted` came (a line on OUT, or EXIT)."""
    out = b""
    with trio.fail_after(40):
        while True:
            for stream, data in await child.read(math.inf):
                out += data if stream is Stream.OUT else b""
                if stream is wanted and (stream is Stream.EXIT or b"\n" in out):
                    return out


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def dead(*pids: int) -> None:
    with trio.fail_after(20):
        while any(alive(pid) for pid in pids):
            await trio.sleep(0.01)


async def ended(child: Child) -> Exit:
    await until(child, Stream.EXIT)
    child.close()
    assert child.exit is not None
    return child.exit


@pytest.mark.parametrize("env", ["dict(os.environ)", "{}"])
async def test_a_daemon_dies_with_its_leader(family: Family, env: str) -> None:
    child = start(family, f"print(daemon({env}), flush=True)")
    daemon = int(await until(child, Stream.EXIT))
    child.close()
    assert not alive(daemon)
    assert child.exit is not None
    assert child.exit.left == 1
    assert "time.sleep(600)" in child.exit.survivors[0]


async def test_another_jobs_daemon_is_left_alone_though_it_wiped_its_environment(family: Family) -> None:
    first = start(family, "print(daemon({}), flush=True); time.sleep(600)")
    daemon = int(await until(first, Stream.OUT))
    assert (await ended(start(family, ""))).left == 0
    assert alive(daemon)
    first.kill()
    await ended(first)
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
print(os.getpid(), flush=True)
while True: signal.pause()
"""
    child = start(family, code)
    leader = (await until(child, Stream.OUT)).decode().strip()
    child.terminate()
    with trio.fail_after(10):
        while not heard.exists() or len(heard.read_text().split()) < 3:
            await trio.sleep(0.01)
    pids = heard.read_text().split()
    assert len(set(pids)) == 3
    assert leader in pids
    child.kill()
    await ended(child)
    assert not any(alive(int(pid)) for pid in pids)


async def test_after_terminate_what_outlives_the_leader_has_until_kill(family: Family) -> None:
    code = """
import signal
r, w = os.pipe()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(w, b"x")
    while True: signal.pause()
os.read(r, 1); print("ready", flush=True); time.sleep(600)
"""
    child = start(family, code)
    await until(child, Stream.OUT)
    child.terminate()
    with trio.fail_after(20):
        while not child.leader_gone:
            assert (Stream.EXIT, b"") not in await child.read(math.inf)
    assert len(child.tree()) == 1
    child.kill()
    assert (await ended(child)).signal == signal.SIGTERM


async def test_after_terminate_a_tree_that_ends_by_itself_needs_no_kill(family: Family) -> None:
    child = start(family, "os.fork(); print('ready', flush=True); time.sleep(600)")
    await until(child, Stream.OUT)
    child.terminate()
    exit_ = await ended(child)
    assert (exit_.signal, exit_.left) == (signal.SIGTERM, 0)


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
"""
    exit_ = await ended(start(family, code))
    assert exit_.left == 40
    assert len(exit_.survivors) == 20


async def test_one_that_forks_faster_than_one_can_look(family: Family) -> None:
    code = """
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork(): os._exit(0)
"""
    began = time.monotonic()
    await ended(start(family, code))
    assert time.monotonic() - began < 18  # it did not end by itself


async def test_a_stopped_tree_is_killed(family: Family) -> None:
    code = "import signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(600)"
    child = start(family, code)
    await until(child, Stream.OUT)
    child.kill()
    assert (await ended(child)).signal == signal.SIGKILL


async def test_dead_orphans_are_reaped_while_their_job_runs(family: Family) -> None:
    code = """
r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0: os.write(w, b"%d" % os.getpid()); os._exit(0)
    os._exit(0)
os.wait(); print(int(os.read(r, 20)), flush=True); time.sleep(600)
"""
    child = start(family, code)
    orphan = int(await until(child, Stream.OUT))
    with trio.fail_after(10):
        while Path(f"/proc/{orphan}").exists():
            await trio.sleep(0.05)
    child.kill()
    await ended(child)


async def test_a_child_that_is_closed_early_dies(family: Family) -> None:
    child = start(family, "print(daemon({}), os.getpid(), flush=True); time.sleep(600)")
    pids = [int(pid) for pid in (await until(child, Stream.OUT)).split()]
    child.close()
    await dead(*pids)


async def test_strangers_are_not_ours_to_kill() -> None:
    """A child from before the family (a shell's `exec kastrun`) survives it."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    try:
        with Family() as later:
            await ended(start(later, "print(daemon({}))"))
        assert alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def above(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def test_a_killed_warden_costs_its_job_and_leaves_nothing(family: Family) -> None:
    child = start(family, "print(os.getppid(), daemon({}), flush=True); time.sleep(600)")
    other = start(family, "print('well', flush=True); sys.stdin.read(); time.sleep(1)")
    warden, daemon = (int(pid) for pid in (await until(child, Stream.OUT)).split())
    os.kill(warden, signal.SIGKILL)
    with pytest.raises(GuardLost, match="is gone"):
        await ended(child)
    child.close()
    await dead(daemon)  # the launcher buries what a warden left
    assert (await ended(other)).code == 0


async def test_a_warden_killed_while_idle_is_replaced(family: Family) -> None:
    child = start(family, "print(os.getppid(), flush=True)")
    warden = int(await until(child, Stream.EXIT))
    child.close()
    os.kill(warden, signal.SIGKILL)
    await dead(warden)
    assert (await ended(start(family, ""))).code == 0


async def test_a_killed_launcher_costs_no_running_job_but_there_are_no_new_wardens(family: Family) -> None:
    child = start(family, "print(os.getppid(), flush=True); time.sleep(0.2)")
    warden = int(await until(child, Stream.OUT))
    os.kill(launcher := above(warden), signal.SIGKILL)
    await dead(launcher)
    with pytest.raises(LauncherLost, match="launcher"):
        start(family, "")
    assert (await ended(child)).code == 0
    family.close()
    await dead(warden)  # nobody waits for it now that its parent is gone


async def test_without_its_launcher_no_warden_has_another_child(family: Family) -> None:
    """What it leaves if it is killed too would be nobody's."""
    child = start(family, "print(os.getppid(), flush=True)")
    warden = int(await until(child, Stream.EXIT))
    child.close()
    os.kill(launcher := above(warden), signal.SIGKILL)
    await dead(launcher)
    with pytest.raises(LauncherLost):
        start(family, "")
    family.close()
    await dead(warden)


async def test_a_launcher_killed_before_it_made_the_warden_is_told_from_a_lost_warden(family: Family) -> None:
    child = start(family, "print(os.getppid(), flush=True); sys.stdin.read(); time.sleep(600)")
    warden = int(await until(child, Stream.OUT))
    os.kill(launcher := above(warden), signal.SIGSTOP)
    other = start(family, "")
    os.kill(launcher, signal.SIGKILL)
    with pytest.raises(LauncherLost):
        await ended(other)
    other.close()
    child.close()
    await dead(warden)


def test_a_warden_that_cannot_be_forked_costs_its_job_and_not_the_launcher() -> None:
    code = (
        "import os, sys; from kastrun.warden import launcher\n"
        "def full(): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "os.fork = full; launcher.main(int(sys.argv[1]))"
    )
    ours, theirs = wire.pair()
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        for _ in range(2):  # it still listens after the first
            control, given = wire.pair()
            with control, given:
                wire.send(ours, ("warden",), (given.fileno(),))
                given.close()
                packet, _ = wire.receive(control)
                assert packet == ("not", 11, "Resource temporarily unavailable")
    assert process.wait(20) == 0


STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), daemon({}), os.getppid(), file=open(sys.argv[1], "w"), flush=True)
os.rename(sys.argv[1], sys.argv[1] + ".whole"); time.sleep(600)
"""


async def test_when_kastrun_is_killed_nothing_lives_on(tmp_path: Path) -> None:
    """`kill -9`: wardens hear their sockets close, kill what they guard, and go."""
    argv = [sys.executable, "-I", "-S", "-c", DAEMON + STUBBORN, str(tmp_path / "pids")]
    code = f"""
import trio
from kastrun.process import Family
family = Family()
child = family.spawn({argv!r}, env={{}}, cwd="/", stdin=b"")
trio.run(trio.sleep, 600)
"""
    run = subprocess.Popen([sys.executable, "-c", code])
    whole = tmp_path / "pids.whole"
    with trio.fail_after(20):
        while not whole.exists():
            await trio.sleep(0.01)
    pids = [int(pid) for pid in whole.read_text().split()]
    pids.append(above(pids[-1]))
    assert all(alive(pid) for pid in pids)
    run.kill()
    run.wait()
    await dead(*pids)


def test_a_warden_is_small() -> None:
    """It is forked for each worker: what it imports is paid for that often, and seen by whoever breaks in."""
    code = "before = set(sys.modules); import kastrun.warden.launcher; print(*set(sys.modules) - before)"
    root = Path(__file__).parents[1]
    loaded = subprocess.run(
        [sys.executable, "-ISc", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {name for name in loaded if name.startswith("kastrun.")} >= {
        "kastrun.warden",
        "kastrun.warden.tree",
    }
    assert not set(loaded) & {
        "trio",
        "msgspec",
        "asyncio",
        "subprocess",
        "json",
        "logging",
        "typing_extensions",
    }
