"""Attacks 20, 36 to 43, 46 and 47: parts of the kernel that no scanner needs are not there."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from arena import Arena, Said
from listeners import Listeners
from test_network import INSIDE, OUTSIDE, REACH, judged


def test_20_a_listener_of_its_own(arena: Arena):
    said = arena.run("""
libc.prctl(38, 1, 0, 0, 0)
allow = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(allow, 8)
program = ctypes.create_string_buffer(struct.pack("=H6xQ", 1, ctypes.addressof(code)), 16)
got = attempt("listen", lambda: syscall(317, 1, 8, ctypes.byref(program)))
if got is not None:
    print("listens", os.readlink(f"/proc/self/fd/{got}"))
""")  # fmt: skip
    arena.judge(said, escaped="listens anon_inode:seccomp" in said.out, errnos={"EBUSY"})


def test_36_a_ring(arena: Arena):
    said = arena.run("""
got = attempt("setup", lambda: syscall(425, 8, ctypes.create_string_buffer(120)))
if got is not None:
    print("ring", os.readlink(f"/proc/self/fd/{got}"))
""")  # fmt: skip
    arena.judge(said, escaped="ring anon_inode:[io_uring]" in said.out, errnos={"ENOSYS"})


def test_37_a_user_namespace(arena: Arena):
    said = arena.run("""
before = os.readlink("/proc/self/ns/user")
def clone():
    pid = syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
attempt("clone", clone)
attempt("unshare", lambda: syscall(272, 0x10000000))
attempt("enter", lambda: syscall(308, os.open("/proc/self/ns/uts", os.O_RDONLY), 0))
print("moved", os.readlink("/proc/self/ns/user") != before)
""")  # fmt: skip
    said = Said(said.out.replace("moved False\n", ""), said.err, said.code)
    arena.judge(said, escaped="moved True" in said.out, errnos={"EPERM"})


def test_38_a_namespace_by_another_call(arena: Arena):
    said = arena.run("""
def clone3():
    args = struct.pack("=11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    pid = syscall(435, ctypes.create_string_buffer(args, 88), 88)
    if pid == 0:
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
if attempt("clone3", clone3):
    print("born")
""")  # fmt: skip
    arena.judge(said, escaped="born" in said.out, errnos={"ENOSYS"})


def test_39_programs_in_the_kernel(arena: Arena):
    said = arena.run("""
array = ctypes.create_string_buffer(struct.pack("=5I", 2, 4, 4, 1, 0), 72)
attempt("map", lambda: syscall(321, 0, array, 72))
""")  # fmt: skip
    if str(arena.cell) != "none-user":  # whom the machine may not let do that anyway
        arena.judge(said, escaped=said.attempts["map"] == "done", errnos={"EPERM"})


def test_40_watching_the_processor(arena: Arena):
    said = arena.run("""
attributes = struct.pack("=IIQ", 1, 112, 0) + bytes(24) + struct.pack("=Q", 1 << 5)
attempt("open", lambda: syscall(298, ctypes.create_string_buffer(attributes, 112), 0, -1, -1, 0))
""")  # fmt: skip
    if str(arena.cell) != "none-user":
        arena.judge(said, escaped=said.attempts["open"] == "done", errnos={"EPERM"})


def test_41_keys_of_the_user(arena: Arena):
    said = arena.run("""
name = f"kastrun-test-{os.getpid()}".encode()
key = attempt("add", lambda: syscall(248, b"user", name, b"x", 1, -4))  # the user's keyring
attempt("search", lambda: syscall(250, 10, -4, b"user", name, 0))
attempt("request", lambda: syscall(249, b"user", name, None, -4))
if key:
    print("kept", syscall(250, 6, key, 0, 0) >= 0 or syscall(250, 3, key))
    syscall(250, 9, key, -4)  # taken out again
""")  # fmt: skip
    arena.judge(said, escaped="kept " in said.out, errnos={"EPERM"})


def test_42_faults_in_user_space(arena: Arena):
    said = arena.run("""
attempt("open", lambda: syscall(323, 1))  # UFFD_USER_MODE_ONLY: anybody may
""")  # fmt: skip
    arena.judge(said, escaped=said.attempts["open"] == "done", errnos={"EPERM"})


def test_43_memory_and_queues_of_all(arena: Arena):
    key = random.randrange(1 << 20, 1 << 30)
    said = arena.run("""
attempt("shm", lambda: syscall(29, int(ARGS[0]), 4096, 0o1600))
attempt("msg", lambda: syscall(68, int(ARGS[0]), 0o1600))
attempt("sem", lambda: syscall(64, int(ARGS[0]), 1, 0o1600))
if attempt("queue", lambda: syscall(240, ARGS[1].encode(), 0o100 | 2, 0o600, None)):
    syscall(241, ARGS[1].encode())
""", key, f"kastrun-test-{key}")  # fmt: skip
    seen = [name for name in ("shm", "msg", "sem") if _removed(name, key)]
    # In namespaces it may have its own, which nobody else sees.
    own = {"done", "EACCES", "EMFILE"} if arena.cell.level == "strict" else set()
    arena.judge(said, escaped=len(seen) == 3, errnos={"EPERM"} | own)
    assert not arena.cell.confined or seen == []


def _removed(kind: str, key: int) -> bool:
    """Whether there is such a thing in this namespace; then it is removed."""
    for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[0]) == key:
            flag = {"shm": "-m", "msg": "-q", "sem": "-s"}[kind]
            subprocess.run(["ipcrm", flag, fields[1]], check=True)
            return True
    return False


def test_46_calls_that_are_not_known(arena: Arena):
    said = arena.run("""
for number in (470, 500, 1 << 20, 0x40000000 | 39, 0x40000000 | 42):
    attempt(f"call-{number:#x}", lambda: syscall(number, 0, 0, 0))
""")  # fmt: skip
    # The machine has none of them either: what is shown is that they are not let through to one that has.
    if arena.cell.confined:
        arena.judge(said, escaped=False, errnos={"ENOSYS"})


OTHER_ENTRY = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
static long old(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
                   : "memory", "r8", "r9", "r10", "r11");
  return result;
}
int main(int argc, char **argv) {
  (void)argc;
  char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  struct sockaddr_in *there = (struct sockaddr_in *)low;
  there->sin_family = AF_INET, there->sin_port = htons(atoi(argv[1]));
  there->sin_addr.s_addr = inet_addr(argv[2]);
  int failed = connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)there, 16);
  printf("inside %s\n", failed ? "failed" : "done");
  fflush(stdout);
  there->sin_addr.s_addr = inet_addr(argv[3]);
  long s = old(359, AF_INET, SOCK_STREAM, 0);
  long got = old(362, s, (long)low, 16);
  printf("entry %s\n", got ? "failed" : "done");
  return 0;
}
"""


@pytest.mark.needs("gcc")
def test_47_the_other_way_into_the_kernel(arena: Arena):
    source, program = arena.folder / "entry.c", arena.folder / "entry"
    source.write_text(OTHER_ENTRY)
    subprocess.run(["gcc", "-O1", "-Wall", "-static", "-o", program, source], check=True)
    with Listeners(INSIDE, OUTSIDE) as listeners:
        said = arena.run("""
pid = os.posix_spawn(ARGS[0], ARGS, os.environ)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if code:
    print("entry", "killed" if code == -signal.SIGSYS else code)
""", program, listeners.port, INSIDE, OUTSIDE, reach=tuple(REACH), also=[str(program)])  # fmt: skip
        judged(arena, listeners, said, {"killed"})
