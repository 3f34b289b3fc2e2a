"""Everything that this process begot: found in /proc, signalled, reaped. Linux only.

This process is a *subreaper*: a descendant whose parent died becomes its child instead of
init's, `setsid`, double forks and wiped environments included. So whatever is below a
warden belongs to that warden's job, whoever it pretends to be.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_BLOCK: Final = 1 << 16
_PAUSE_S: Final = 0.0005
"""A killed process is a zombie a moment later."""
_PATIENCE_S: Final = 30.0
"""Where something forks faster than it is killed, or sleeps where no signal reaches it."""
_SHOWN: Final = 200
_LOOKS: Final = 3


class Unkillable(Exception):
    """Processes that would not die."""


def become_subreaper() -> None:
    """Raises OSError where the kernel will not have it."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphans (prctl)")


def children(pid: int) -> list[int]:
    """The direct children of `pid`; empty where it is gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        with suppress(OSError):
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def descendants(pid: int, besides: Collection[int] = ()) -> list[int]:
    """Everything below `pid`, parents before their children; without `besides` and what is below these."""
    found: list[int] = []
    pending = children(pid)
    while pending:
        each = pending.pop()
        if each not in besides and each not in found:
            found.append(each)
            pending += children(each)
    return found


def terminate(leader: int) -> None:
    """SIGTERM to every descendant of this process, once each; stopped ones are continued."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGTERM)
        os.killpg(leader, signal.SIGCONT)
    for pid in descendants(os.getpid()):
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) != leader:
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)


def strike() -> None:
    """SIGKILL to every descendant of this process, once; none is reaped."""
    _kill_each(descendants(os.getpid()))


def any_lives() -> bool:
    """Whether anything below this process still runs; what has ended is reaped."""
    return bool(_living(()))


def kill(besides: Collection[int] = (), uncounted: int = 0) -> list[str]:
    """SIGKILL every descendant of this process and reap it, until none is left.

    The command lines of those that were still running when first seen, but for `uncounted`, which
    is ours. Processes of `besides` are let live. Raises Unkillable.
    """
    left: dict[int, str] = {}
    until = time.monotonic() + _PATIENCE_S
    while doomed := _living(besides):
        for pid in doomed:
            if pid not in left and pid != uncounted:
                left[pid] = _named(pid)
        _kill_each(doomed)
        if time.monotonic() > until:
            raise Unkillable(f"{len(doomed)} processes cannot be killed: {', '.join(map(str, doomed[:5]))}")
    return list(left.values())


def _living(besides: Collection[int]) -> list[int]:
    """What is below us and no zombie; zombies of our own are reaped on the way."""
    if not besides:
        try:  # the usual case, told by one call: there is no child at all
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
    found = []
    for pid in descendants(os.getpid(), besides):
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                continue
        if _runs(pid):
            found.append(pid)
    return found


def _kill_each(pids: Iterable[int]) -> None:
    own = os.getpgrp()
    for pid in pids:
        # The group goes at once, which outruns a process that only forks.
        with suppress(ProcessLookupError, PermissionError):
            group = os.getpgid(pid)
            if group != own:
                os.killpg(group, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(_PAUSE_S)


def reap_orphans(leader: int) -> None:
    """Collect dead children other than `leader`, so that no zombie waits for the job's end."""
    with suppress(ChildProcessError):
        for pid in children(os.getpid()):
            if pid != leader:
                os.waitpid(pid, os.WNOHANG)


def _named(pid: int) -> str:
    """Its command line; in the middle of an exec it is empty for a moment."""
    for _ in range(_LOOKS):
        if name := command_line(pid):
            return name
        time.sleep(_PAUSE_S)
    return ""


def command_line(pid: int) -> str:
    """The argv of a process, joined by spaces and cut; empty where it is gone."""
    try:
        raw = _read(f"/proc/{pid}/cmdline")
    except OSError:
        return ""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")[:_SHOWN]


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except (OSError, IndexError):
        return False


def _read(path: str) -> bytes:
    # Raw, since it is read at many a job's end: a file object costs more than the reading.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    found = b""
    try:
        while block := os.read(file, _BLOCK):
            found += block
    except ProcessLookupError as error:  # it ended between opening and reading
        raise FileNotFoundError(path) from error
    finally:
        os.close(file)
    return found
