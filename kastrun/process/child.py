"""One child: its pipes and its end in one wait, and what may be done to it.

Leaves byte chunks and an exit. The child itself, and all that it begets, is its warden's;
an epoll holds stdout, stderr and the warden's socket, so one task waits for all three, and
a grandchild that holds a pipe cannot hide the end.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Final, NamedTuple

import trio

from kastrun.process.guards import Guard, Guards
from kastrun.process.stdin import Stdin
from kastrun.sandbox.ledger import Line
from kastrun.warden import tree, wire

_CHUNK: Final = 65536


class Stream(Enum):
    """Where a chunk came from. An empty chunk of OUT or ERR is its end; EXIT has none."""

    OUT = "stdout"
    ERR = "stderr"
    EXIT = "exit"


class Exit(NamedTuple):
    """How a child ended: exit code or signal number (the other None), CPU seconds and peak memory.

    `max_rss_mb` (2**20 bytes) is None where it is not above the warden's own: after vfork a
    child starts with its parent's peak, so that a smaller figure would be that. `left` counts
    the processes that outlived it and were killed, `survivors` has command lines of the first.
    """

    code: int | None
    signal: int | None
    cpu_s: float
    max_rss_mb: float | None
    left: int = 0
    survivors: tuple[str, ...] = ()


class NotStarted(OSError):
    """There is no such process: the system's own error."""


class GuardLost(Exception):
    """A child's warden is gone, or could not be had; in words."""


class LauncherLost(GuardLost):
    """The launcher is gone: no child can be started any more. Those that run are none the worse."""

    def __init__(self) -> None:
        super().__init__("the launcher, which makes the wardens of plugins, is gone (killed?)")


class Child:
    """A child, from the moment it was asked for. `close` when done, whatever happened."""

    def __init__(self, guard: Guard, guards: Guards, out: int, err: int, stdin: Stdin) -> None:
        self.exit: Exit | None = None
        """How it ended, once EXIT was read: then nothing that it begot lives any more."""
        self.egress: list[Line] = []
        """What it contacted and was refused; complete once EXIT was read."""
        self.asked: Callable[[str], None] | None = None
        """Called with a name that it wants resolved; the answer is given to `pin`."""
        self.leader_gone = False
        """After `terminate`: it has ended, and others of its tree have not. Told at the next `read`."""
        self._guard: Guard | None = guard
        self._guards = guards
        self._epoll = guard.epoll
        self._stdin = stdin
        self._streams = {out: Stream.OUT, err: Stream.ERR}
        for fd in self._streams:
            self._epoll.register(fd, select.EPOLLIN)
        if stdin.pending:
            self._epoll.register(stdin.writer, select.EPOLLOUT)
        self._wait = trio.CancelScope()
        self._woken = False

    async def read(self, deadline: float) -> list[tuple[Stream, bytes]]:
        """What came since, waiting for it.

        Empty at `deadline` (trio's clock), after `wake`, and where only `leader_gone` is news.

        EXIT is given once; OUT and ERR end with an empty chunk, once each. Raises NotStarted
        where there is no process, LauncherLost where there never was one since no warden could
        be had, GuardLost where nobody can tell any more.
        """
        before = self.leader_gone
        while True:
            if not self._woken:
                with trio.CancelScope(deadline=deadline) as self._wait:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
            got = self._ready()
            if got or self._woken or self._wait.cancelled_caught or self.leader_gone != before:
                break
        self._woken = False
        if any(stream is Stream.EXIT for stream, _ in got):
            got += self._ready()  # what it wrote last has been taken: its pipes usually end here
        return got

    def wake(self) -> None:
        """End the wait of `read` at once, or the next one."""
        self._woken = True
        self._wait.cancel()

    def terminate(self) -> None:
        """SIGTERM to it and all that it begot. What outlives it now is left alone until `kill`."""
        self._tell(wire.TERMINATE)

    def kill(self) -> None:
        """SIGKILL to it and all that it begot."""
        self._tell(wire.KILL)

    def pin(self, name: str, addresses: Sequence[str]) -> None:
        """The answer to a name that was `asked` for; none where it has no address, or must not be reached."""
        self._tell(("pin", name, tuple(addresses)))

    def tree(self) -> list[int]:
        """The pids of it and all that it begot, as far as they live; raises GuardLost."""
        if self._guard is None or self.exit is not None:
            return []
        try:
            return tree.descendants(self._guard.pid)
        except wire.Closed as error:
            raise GuardLost(_GONE) from error

    def stdin_unread(self) -> bool:
        """Whether bytes of the job line were never read."""
        return self._stdin.unread()

    def close_pipes(self) -> None:
        """Let go of its pipes; whoever still writes gets EPIPE. Idempotent."""
        for fd in list(self._streams):
            self._drop(fd)
        if self._stdin.writer >= 0 and self._stdin.pending:
            self._epoll.unregister(self._stdin.writer)
        self._stdin.close()

    def close(self) -> None:
        """Let go of everything; what still lives is killed. Idempotent."""
        if self._guard is None:
            return
        self.close_pipes()
        guard, self._guard = self._guard, None
        if self.exit is not None:
            self._guards.give_back(guard)
        else:
            self._guards.dismiss(guard)

    def _tell(self, packet: tuple[Any, ...]) -> None:
        if self._guard is not None and self.exit is None:
            with suppress(wire.Closed):  # heard of at the next read
                wire.send(self._guard.control, packet)

    def _ready(self) -> list[tuple[Stream, bytes]]:
        got: list[tuple[Stream, bytes]] = []
        for fd, _ in self._epoll.poll(0):
            if fd in self._streams:
                got.append(self._take(fd))
            elif fd == self._stdin.writer:
                self._feed()
            elif self._ended():
                got.append((Stream.EXIT, b""))
        return got

    def _take(self, fd: int) -> tuple[Stream, bytes]:
        stream = self._streams[fd]
        data = os.read(fd, _CHUNK)
        if not data:
            self._drop(fd)
        return stream, data

    def _feed(self) -> None:
        if not self._stdin.push():
            self._epoll.unregister(self._stdin.writer)
            self._stdin.end()

    def _ended(self) -> bool:
        """Hear the warden; whether it said that all is over."""
        if self._guard is None:
            raise AssertionError("a child that is closed is not read")
        try:
            said = self._guard.hear()
        except wire.Closed as error:
            if not self._guard.born and self._guards.launcher_lost():
                raise LauncherLost from error
            raise GuardLost(_GONE) from error
        if said is None:
            return False
        what, *rest = said
        if what == "egress":
            self.egress += rest[0]
            return False
        if what == "ask":
            if self.asked is not None:
                self.asked(rest[0])
            return False
        if what == "gone":
            self.leader_gone = True
            return False
        if what == "end":
            self.exit = _exit(*rest)
            return True
        if what == "not":
            self.exit = Exit(None, None, 0.0, None)
            raise NotStarted(*rest)
        if what == "stuck":
            raise GuardLost(rest[0])
        raise RuntimeError(f"in a warden: {rest[0]}")

    def _drop(self, fd: int) -> None:
        # Unregister first: the warden may still hold the pipe for a moment, and then closing
        # alone leaves a stale event behind.
        self._epoll.unregister(fd)
        os.close(fd)
        del self._streams[fd]


_GONE: Final = "its warden, the process that guards it, is gone (killed?)"


def _exit(code: int, cpu_s: float, max_rss_kib: int, left: int, survivors: list[str]) -> Exit:
    return Exit(
        code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        cpu_s=cpu_s,
        max_rss_mb=max_rss_kib / 1024 if max_rss_kib else None,
        left=left,
        survivors=tuple(survivors),
    )
