"""Everything that our children beget: found, signalled, reaped, whoever they pretend to be.

This process makes itself a subreaper, so that a descendant whose parent died, `setsid`
and double forks included, becomes a child of ours instead of init's. A child of ours
that is not a leader is therefore a *stray*, and says in its environment which leader it
came from; one that wiped its environment belongs to no one and dies with the next leader.
Nothing here waits or knows what a job is. Linux only: elsewhere the process group is all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "KASTRUN_JOB"
"""The variable that tells a stray's leader; its value is a mark that no other leader has."""

_PR_SET_CHILD_SUBREAPER = 36
_SWEEPS = 2000
_LOOKS = 4
_BLOCK = 1 << 16
_LINUX = sys.platform == "linux"


def _become_subreaper() -> None:
    if _LINUX and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphans (prctl)")


def _children(pid: int) -> list[int]:
    """The direct children of `pid`; empty where it is gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        with suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_bytes().split())
    return found


def _mark(pid: int) -> str | None:
    """The mark in the environment that `pid` was started with; None where it has none."""
    environment = b""
    for _ in range(_LOOKS):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return None
        if environment:
            break
        time.sleep(0.0003)  # in the middle of an exec it is empty for a moment
    prefix = f"{MARK}=".encode()
    for pair in environment.split(b"\0"):
        if pair.startswith(prefix):
            return pair[len(prefix) :].decode(errors="replace")
    return None


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class Family:
    """All descendants of this process, by the leader that begot them. One for a process.

    Raises OSError where the kernel will not make us a subreaper.
    """

    def __init__(self) -> None:
        _become_subreaper()
        # A mask that we inherited would be every plugin's too, and make it deaf to SIGTERM.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGPIPE})
        self._leaders: dict[int, str] = {}
        # Orphans come to the main thread, and leaders are spawned from it: one file tells all.
        self._own = f"/proc/self/task/{os.getpid()}/children"
        # Whatever was there before the first leader (a shell's `exec kastrun`) is not ours to kill.
        self._strangers = frozenset(self._own_children()) if _LINUX else frozenset[int]()

    def enter(self, pid: int, mark: str) -> None:
        """`pid` is a leader from now on; everything that carries `mark` is its."""
        self._leaders[pid] = mark

    def tree(self, leader: int) -> list[int]:
        """The leader, its descendants, and strays that carry its mark."""
        mark = self._leaders.get(leader)
        pending = [leader, *(stray for stray in self._strays() if mark and _mark(stray) == mark)]
        found: list[int] = []
        while pending:
            pid = pending.pop()
            if pid not in found:
                found.append(pid)
                pending += _children(pid) if _LINUX else []
        return found

    def terminate(self, leader: int) -> None:
        """SIGTERM to the whole tree, once for each process; stopped ones are continued."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGTERM)
            os.killpg(leader, signal.SIGCONT)
        for pid in self.tree(leader):
            with suppress(ProcessLookupError):
                if os.getpgid(pid) != leader:
                    _signal(pid, signal.SIGTERM)
                    _signal(pid, signal.SIGCONT)

    def kill(self, leader: int) -> None:
        """SIGKILL to the whole tree. What forks meanwhile is left to `bury`."""
        tree = self.tree(leader)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        for pid in tree:
            _signal(pid, signal.SIGKILL)

    def bury(self, leader: int) -> int:
        """After the leader's death, and before it is reaped: kill what it left, count it.

        Raises RuntimeError when strays go on appearing faster than they can be killed.
        """
        mark = self._leaders.pop(leader, None)
        others = frozenset(self._leaders.values())
        buried: set[int] = set()
        doomed: list[int] = []
        for _ in range(_SWEEPS):
            living = [pid for pid in self._strays(besides=leader) if not self._reaped(pid)]
            doomed = [pid for pid in living if (owner := _mark(pid)) == mark or owner not in others]
            if not doomed:
                return len(buried)
            buried.update(doomed)
            # The leader's group too, at once; only now, so that what was in it has been counted.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)
            self._kill_each(doomed)
        raise RuntimeError(f"{len(doomed)} processes that job {mark} left behind cannot be killed")

    def bury_all(self) -> int:
        """At the very end: kill every stray, whosever it was; how many there were."""
        buried: set[int] = set()
        for _ in range(_SWEEPS):
            living = [pid for pid in self._strays() if not self._reaped(pid)]
            if not living:
                break
            buried.update(living)
            self._kill_each(living)
        return len(buried)

    def reap(self) -> None:
        """Collect dead strays, so that no zombie waits for a job's end."""
        for pid in self._strays():
            self._reaped(pid)

    def _kill_each(self, pids: Iterable[int]) -> None:
        for pid in pids:
            # The group goes at once, which outruns a process that only forks.
            with suppress(ProcessLookupError, PermissionError):
                group = os.getpgid(pid)
                if group not in self._leaders and group != os.getpgrp():
                    os.killpg(group, signal.SIGKILL)
            _signal(pid, signal.SIGKILL)
        time.sleep(0.0005)  # a killed process is a zombie a moment later

    def _strays(self, besides: int | None = None) -> list[int]:
        if not _LINUX:
            return []
        leaders = self._leaders
        return [
            pid
            for pid in self._own_children()
            if pid not in leaders and pid != besides and pid not in self._strangers
        ]

    def _own_children(self) -> list[int]:
        # Raw, since it is read at every job's end: a file object costs more than the reading.
        file = os.open(self._own, os.O_RDONLY | os.O_CLOEXEC)
        found = b""
        try:
            while block := os.read(file, _BLOCK):
                found += block
        finally:
            os.close(file)
        return [int(pid) for pid in found.split()]

    @staticmethod
    def _reaped(pid: int) -> bool:
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True
