"""Namespaces of a job's own, and the two processes that stay behind to keep them.

Who is asked to enter forks an init, which makes the root and forks the program. The outer
one ends as the program ended, so that whoever waits for it sees the program's own status.
With the init's end everything in its PID namespace ends.
"""

from __future__ import annotations

import os
import signal
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from kastrun.sandbox import kernel, root
from kastrun.sandbox.orders import Orders

_ALWAYS: Final = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)
_IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
_WORD: Final = struct.Struct("i?")
"""A wait status, and whether the program left others behind."""


def enter(orders: Orders) -> None:
    """Returns in the process that is to become the program; the others never return. Raises OSError."""
    _die_with(os.getppid())
    ear, mouth = os.pipe()
    _unshare(orders)
    outer = os.getpid()
    init = os.fork()
    if init:
        _relay(ear, init)
    _die_with(outer, inside=True)
    root.build(orders)
    program = os.fork()
    if program:
        _reign(mouth, program)
    os.setsid()


def _unshare(orders: Orders) -> None:
    uid, gid = os.geteuid(), os.getegid()
    kernel.call("unshare", _ALWAYS | (kernel.CLONE_NEWNET if orders.netns else 0))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{orders.inner_ids[0]} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{orders.inner_ids[1]} {gid} 1", encoding="ascii")


def _die_with(parent: int, *, inside: bool = False) -> None:
    """Be killed when `parent` ends. It may have ended already; seen from a namespace of its own it is 0."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if not inside and os.getppid() != parent:
        raise ProcessLookupError(f"process {parent}, which started this one, is gone")


def _relay(ear: int, init: int) -> NoReturn:
    """Hear how the program ended, and end like it."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _keep_only(ear)
    word = os.read(0, _WORD.size)
    status, left = _WORD.unpack(word) if word else (int(signal.SIGKILL), False)
    if not left:
        os.waitpid(init, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with suppress(OSError, ValueError):  # SIGKILL has no other way of being handled
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _reign(mouth: int, program: int) -> NoReturn:
    """Be the init: reap every orphan, tell how the program ended, and go when the last is gone."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.set_capabilities(0)
    _keep_only(mouth)
    while True:
        pid, status = os.wait()
        if pid == program:
            break
    left = _others_live()
    if left:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)  # they may have a grace, longer than the outer one lives
    os.write(0, _WORD.pack(status, left))
    while left:
        left = _others_live(wait=True)
    os._exit(0)


def _others_live(*, wait: bool = False) -> bool:
    """Whether any child is left; dead ones are reaped on the way."""
    try:
        while os.waitpid(-1, 0 if wait else os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _keep_only(fd: int) -> None:
    """Close every descriptor but this one, which is 0 from now on; the job's pipes are not ours to hold."""
    os.dup2(fd, 0)
    kernel.close_from(1)
