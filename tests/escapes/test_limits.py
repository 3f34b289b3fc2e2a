"""Attacks 12, 14, 44 and 45: taking all of the machine, and hiding from the broker."""

from __future__ import annotations

import resource
from typing import Any

from arena import Arena
from listeners import Listeners
from test_network import REACH, REACHING, judged, listeners
from test_processes import DAEMON, living

from kastrun.policy import Machine, held

__all__ = ["listeners"]

BOMB = """
children = []
def bomb():
    for number in range(60):
        children.append(os.fork())
        if not children[-1]:
            signal.pause()
try:
    attempt("bomb", bomb)
finally:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
"""


def bounds(arena: Arena, **changed: int) -> dict[str, Any]:
    """Orders with other limits."""
    if not arena.cell.confined:
        return {}
    values = {getattr(resource, name): value for name, value in changed.items()}
    return {"rlimits": tuple((dict(arena.orders().rlimits) | values).items())}


def test_12_a_fork_bomb(arena: Arena):
    """Bounded where the kernel counts a job's processes; elsewhere every result says that it is not."""
    said = arena.run(BOMB, **bounds(arena, RLIMIT_NPROC=40))
    counted = arena.cell.level == "strict" and arena.cell.who == "user"
    if arena.cell.confined and not counted:
        machine = Machine(landlock=7, broker=True, root=arena.cell.who == "root")
        missing = held(machine, "namespaces" if arena.cell.level == "strict" else "plain").missing
        assert "process_total" in missing
        return  # and whatever it left was killed: as in the next test
    arena.judge(said, escaped=said.attempts["bomb"] == "done", errnos={"EAGAIN"})


def test_12_ever_new_processes(arena: Arena):
    """Each forks the next, in a session of its own, and ends: there is never one to be found twice."""
    churn = """
lock = os.open('lock', os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
open('alive', 'w').close()
def churn():
    if os.fork():
        return
    for fd in (0, 1, 2):
        os.close(fd)
    until = time.monotonic() + 10
    while os.path.exists('alive') and time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.setsid()
    os._exit(0)
attempt('churn', churn)
"""
    said = arena.run(churn)
    alive = living(arena, ["lock"])
    (arena.work / "alive").unlink()
    arena.judge(said, escaped=bool(alive), errnos={"done"})


def test_14_blinds_the_broker(arena: Arena, listeners: Listeners):
    """A process that may not be looked at gets no answer, rather than one that was not looked at."""
    blind = (
        REACHING
        + """
attempt("blind", lambda: libc.prctl(4, 0, 0, 0, 0))
attempt("tcp", lambda: tcp(OUTSIDE))
attempt("udp", lambda: udp(OUTSIDE))
"""
    )
    said = arena.run(blind, listeners.port, reach=tuple(REACH))
    judged(arena, listeners, said, {"done", "EACCES", "EPERM"})
    if arena.cell.confined:
        assert {said.attempts[name] for name in ("tcp", "udp")} <= {"EACCES", "EPERM"}, said


def test_44_a_memory_bomb(arena: Arena):
    payload = """
def grow():
    try:
        kept = bytearray(192 << 20)
    except MemoryError:
        raise OSError(errno.ENOMEM, "refused")
    print(f"grew={len(kept)}")
attempt("grow", grow)
"""
    said = arena.run(payload, memory_mb=128)
    arena.judge(said, escaped="grew=" in said.out, errnos={"ENOMEM"})


def test_44_memory_that_is_a_file(arena: Arena):
    """It is nobody's private memory, so what bounds it is the size of a file."""
    payload = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
fd = os.memfd_create("bomb")
attempt("grow", lambda: os.ftruncate(fd, 600 << 20))
print(f"size={os.fstat(fd).st_size}")
"""
    said = arena.run(payload)
    arena.judge(said, escaped=f"size={600 << 20}" in said.out, errnos={"EFBIG"})


def test_44_memory_that_is_never_given_back(arena: Arena):
    payload = """
import mmap
area = mmap.mmap(-1, 4 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
address = ctypes.addressof(ctypes.c_char.from_buffer(area))
got = attempt("lock", lambda: syscall(149, address, 4 << 20))
"""
    said = arena.run(payload)
    arena.judge(said, escaped=said.attempts["lock"] == "done", errnos={"EPERM", "ENOMEM"})


def test_44_hides_from_the_kernel_that_is_short_of_memory(arena: Arena):
    """What is killed first is the job: it cannot say otherwise of itself."""
    payload = """
def hide():
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("0")
attempt("hide", hide)
print("score=" + open("/proc/self/oom_score_adj").read())
"""
    said = arena.run(payload)
    arena.judge(said, escaped="score=0" in said.out, errnos={"EACCES", "EROFS"})
    assert not arena.cell.confined or "score=1000" in said.out


SPIN = """
for number in (signal.SIGTERM, signal.SIGXCPU):
    signal.signal(number, signal.SIG_IGN)
def more():
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError:
        raise OSError(errno.EPERM, "refused")
attempt("more", more)
print("spins", flush=True)
while True:
    pass
"""


def test_45_spins(arena: Arena):
    """Its processor time is bounded, which it cannot change, and nothing that it ignores keeps it alive."""
    running = arena.begin(SPIN)
    running.until_said("spins")
    running.terminate()
    running.kill()
    ended = running.ends_within(2.0)
    said = running.over()
    arena.judge(said, escaped=not ended, errnos={"EPERM"})


def test_45_a_spinning_daemon(arena: Arena):
    said = arena.run(DAEMON.replace("time.sleep(0.02)", "pass") + "daemon('lock')")
    alive = living(arena, ["lock"])
    (arena.work / "alive").unlink()
    arena.judge(said, escaped=bool(alive), errnos={"done"})
