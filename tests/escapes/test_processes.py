"""Attacks 1 to 19: what runs beside a job is not its to touch, and nothing of it outlives it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from arena import SECRET, Arena

OTHERS = {"EPERM", "EACCES", "ESRCH", "ENOENT"}


def died(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ends within a moment."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return bool(select.select([pidfd], [], [], 0.5)[0])
    finally:
        os.close(pidfd)


def stack_of(pid: int) -> tuple[int, int]:
    """Where a process keeps its environment."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[stack]"):
            low, high = line.split()[0].split("-")
            return int(low, 16), int(high, 16)
    raise AssertionError("it has no stack")


def test_01_traces_another_process(arena: Arena):
    with arena.victim() as process:
        # PTRACE_SEIZE with PTRACE_O_EXITKILL: it dies with its tracer.
        said = arena.run(
            "attempt('seize', lambda: syscall(101, 0x4206, int(ARGS[0]), 0, 1 << 20))", process.pid
        )
        arena.judge(said, escaped=died(process), errnos=OTHERS)


MEMORY = """
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
pid, low, high = map(int, ARGS)
buffer = ctypes.create_string_buffer(high - low)
here, there = Vector(ctypes.addressof(buffer), high - low), Vector(low, high - low)
def both(number):
    return syscall(number, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
"""


def test_02_reads_the_memory_of_another(arena: Arena):
    with arena.victim() as process:
        payload = (
            MEMORY
            + "attempt('read', lambda: both(310)); print(SECRET if (SECRET := b'%s') in buffer.raw else '')"
        )
        said = arena.run(payload % SECRET, process.pid, *stack_of(process.pid))
        arena.judge(said, escaped=SECRET in said.out, errnos=OTHERS)


def test_02_writes_the_memory_of_another(arena: Arena):
    with arena.victim() as process:
        _, high = stack_of(process.pid)
        said = arena.run(MEMORY + "attempt('write', lambda: both(311))", process.pid, high - 4096, high - 8)
        gone = SECRET.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
        arena.judge(said, escaped=gone, errnos=OTHERS)


@pytest.mark.parametrize("name", ["environ", "mem", "root", "cwd", "cmdline", "fd"])
def test_03_reads_another_through_proc(arena: Arena, name: str):
    key = arena.plant("key")
    with arena.victim(cwd=arena.home, stdin=key, name=f"sleep-{SECRET}") as process:
        low, high = stack_of(process.pid)
        payload = {
            "environ": "open(f'/proc/{pid}/environ').read()",
            "mem": f"os.pread(os.open(f'/proc/{{pid}}/mem', 0), {high - low}, {low}).decode('latin-1')",
            "root": "open(f'/proc/{pid}/root' + ARGS[1]).read()",
            "cwd": "open(f'/proc/{pid}/cwd/key').read()",
            "cmdline": "open(f'/proc/{pid}/cmdline').read()",
            "fd": "open(f'/proc/{pid}/fd/0').read()",
        }[name]
        said = arena.run(f"pid = ARGS[0]; print(attempt('{name}', lambda: {payload}))", process.pid, key)
        arena.judge(said, escaped=SECRET in said.out, errnos=OTHERS)


def test_04_kills_another(arena: Arena):
    with arena.victim() as process:
        said = arena.run("attempt('kill', lambda: os.kill(int(ARGS[0]), 9))", process.pid)
        arena.judge(said, escaped=died(process), errnos=OTHERS)


@pytest.mark.parametrize("call", ["tgkill", "pidfd_send_signal", "sigqueue"])
def test_04_kills_another_in_other_ways(arena: Arena, call: str):
    payload = {
        "tgkill": "syscall(234, pid, pid, 9)",
        "pidfd_send_signal": "signal.pidfd_send_signal(os.pidfd_open(pid), 9)",
        "sigqueue": "syscall(129, pid, 9, struct.pack('3i116x', 9, 0, -1))",
    }[call]
    with arena.victim() as process:
        said = arena.run(f"pid = int(ARGS[0]); attempt('{call}', lambda: {payload})", process.pid)
        arena.judge(said, escaped=died(process), errnos=OTHERS)


def test_04_signals_everybody(arena: Arena):
    """With SIGURG, which nobody minds but a process that waits for it."""
    waits = "import signal; signal.pthread_sigmask(0, [23]); print(flush=True); signal.sigwait([23])"
    with arena.victim(python=waits) as process:
        said = arena.run("attempt('kill', lambda: os.kill(-1, signal.SIGURG))")
        # Where it has processes of its own, the call itself succeeds.
        arena.judge(said, escaped=died(process), errnos=OTHERS | {"done"})


def test_05_changes_the_limits_of_another(arena: Arena):
    with arena.victim() as process:
        said = arena.run("attempt('prlimit', lambda: resource.prlimit(int(ARGS[0]), 7, (9, 9)))", process.pid)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        arena.judge(said, escaped="Max open files            9 " in limits, errnos=OTHERS)


@pytest.mark.parametrize("call", ["nice", "affinity", "scheduler"])
def test_06_slows_another_down(arena: Arena, call: str):
    payload = {
        "nice": "os.setpriority(os.PRIO_PROCESS, pid, 19)",
        "affinity": "os.sched_setaffinity(pid, [0])",
        "scheduler": "os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))",
    }[call]
    with arena.victim() as process:
        said = arena.run(f"pid = int(ARGS[0]); attempt('{call}', lambda: {payload})", process.pid)
        pid = process.pid
        slowed = os.getpriority(os.PRIO_PROCESS, pid) == 19 or os.sched_getscheduler(pid) == os.SCHED_IDLE
        slowed |= os.sched_getaffinity(pid) == {0} != os.sched_getaffinity(0)
        arena.judge(said, escaped=slowed, errnos=OTHERS)


def test_07_takes_a_descriptor_of_another(arena: Arena):
    key = arena.plant("key")
    with arena.victim(stdin=key) as process:
        payload = (
            "print(attempt('getfd', lambda: os.read(syscall(438, os.pidfd_open(int(ARGS[0])), 0, 0), 99)))"
        )
        said = arena.run(payload, process.pid)
        arena.judge(said, escaped=SECRET in said.out, errnos=OTHERS)


DAEMON = """
def daemon(name):
    "In a session of its own; it holds a lock as long as it lives, and lives as long as it may."
    lock = os.open(name, os.O_RDWR | os.O_CREAT)
    ready, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            fcntl.flock(lock, fcntl.LOCK_EX)
            for fd in (0, 1, 2):
                os.close(fd)
            os.write(tell, b'!')
            while os.path.exists('alive'):
                time.sleep(0.02)
        os._exit(0)
    os.wait()
    os.read(ready, 1)
    print('daemon', 'done', flush=True)
open('alive', 'w').close()
"""
LINGER = """
while os.path.exists('alive'):
    time.sleep(0.02)
"""


def living(arena: Arena, names: list[str]) -> list[str]:
    """Which daemons still hold their locks, after a moment to let go."""
    until = time.monotonic() + 2
    while time.monotonic() < until and (locked := [name for name in names if _locked(arena.work / name)]):
        if not arena.cell.confined:
            return locked
        time.sleep(0.01)
    return [name for name in names if _locked(arena.work / name)]


def _locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_08_leaves_a_daemon(arena: Arena):
    said = arena.run(DAEMON + "daemon('lock')")
    alive = living(arena, ["lock"])
    (arena.work / "alive").unlink()
    arena.judge(said, escaped=bool(alive), errnos={"done"})
    assert said.left == (1 if arena.cell.confined else 0)


def test_09_10_leaves_a_swarm_that_hears_no_signal(arena: Arena):
    names = [f"lock{number}" for number in range(40)]
    said = arena.run(DAEMON + "for number in range(40): daemon(f'lock{number}')")
    alive = living(arena, names)
    (arena.work / "alive").unlink()
    arena.judge(said, escaped=bool(alive), errnos={"done"})


def test_11_stops_itself_so_as_not_to_hear(arena: Arena):
    """A SIGTERM reaches a stopped process only when somebody continues it."""
    running = arena.begin("print('stop', 'done', flush=True); os.kill(os.getpid(), signal.SIGSTOP)")
    running.until_said("stop")
    running.terminate()
    ended = running.ends_within(2.0)
    said = running.over()
    arena.judge(said, escaped=not ended, errnos={"done"})


@pytest.mark.parametrize("whom", ["kastrun", "its warden"])
def test_13_lives_on_when_those_above_are_killed(arena: Arena, whom: str):
    running = arena.begin(DAEMON + "daemon('lock')" + LINGER)
    running.until_said("daemon")
    if whom == "kastrun":
        running.orphan()
    else:
        running.kill_guard()
    alive = living(arena, ["lock"])
    (arena.work / "alive").unlink()
    arena.judge(running.over(), escaped=bool(alive), errnos={"done"})


def test_15_uses_a_descriptor_that_was_left_open(arena: Arena):
    key = arena.plant("key")
    with key.open("rb") as leaked:
        said = arena.run("print(attempt('read', lambda: os.read(3, 99)))", leak=leaked.fileno())
    arena.judge(said, escaped=SECRET in said.out, errnos={"EBADF"})


def test_16_reads_a_secret_of_the_environment(arena: Arena):
    payload = """
print('look', 'done')
for name in ('self', str(os.getppid()), '1'):
    try:
        print(open(f'/proc/{name}/environ').read())
    except OSError:
        pass
print(os.environ)
"""
    said = arena.run(payload)
    arena.judge(said, escaped=SECRET in said.out, errnos={"done"})


TERMINAL = """
def take():
    fd = os.open(ARGS[0], os.O_RDWR)
    if os.getsid(0) != os.getpid():
        os.setsid()
    fcntl.ioctl(fd, 0x540E, 1)  # TIOCSCTTY
    return fd
"""


def test_17_types_into_a_terminal(arena: Arena):
    with terminal(arena) as (main, name):
        payload = (
            TERMINAL + "attempt('sti', lambda: [fcntl.ioctl(take(), 0x5412, bytes([c])) for c in b'%s\\n'])"
        )
        said = arena.run(payload % SECRET, name)
        arena.judge(said, escaped=SECRET in heard(main), errnos=OTHERS | {"EIO", "ENOTTY"})


def test_18_writes_to_the_terminal(arena: Arena):
    with terminal(arena) as (main, name):
        said = arena.run(f"attempt('write', lambda: os.write(os.open(ARGS[0], 1), b'{SECRET}'))", name)
        arena.judge(said, escaped=SECRET in heard(main), errnos=OTHERS)


@contextmanager
def terminal(arena: Arena) -> Iterator[tuple[int, str]]:
    """A terminal of the user's: our end, and its name."""
    main, theirs = pty.openpty()
    name = os.ttyname(theirs)
    os.chown(name, arena.uid, -1)
    try:
        yield main, name
    finally:
        os.close(theirs)
        os.close(main)


def heard(main: int) -> str:
    """What a terminal shows: typed or written."""
    shown = b""
    while select.select([main], [], [], 0.1)[0]:
        shown += os.read(main, 4096)
    return shown.decode(errors="replace")


def test_19_runs_a_setuid_program(arena: Arena):
    """One of the superuser's, to read what is only another user's."""
    shelf = arena.folder / "shelf"
    shelf.mkdir(mode=0o755)
    key = shelf / "key"
    key.write_text(SECRET)
    key.chmod(0o600)
    os.chown(key, 12, 12)
    cat = Path(shutil.copy("/bin/cat", shelf / "cat"))
    os.chown(cat, 0, 0)
    cat.chmod(0o4755)
    payload = "import subprocess; print(subprocess.run(ARGS, capture_output=True).stdout); print('run done')"
    said = arena.run(payload, cat, key, also=str(shelf))
    arena.judge(said, escaped=SECRET in said.out, errnos={"done"})
