"""kastrun's side of the wardens: the launcher started, a warden for each child, idle ones kept.

A warden is asked for at the first child that finds none idle: so there are as many as there
were children at once. Nothing here waits; what a warden says is heard by its child.
"""

from __future__ import annotations

import resource
import select
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kastrun.warden import wire

_ROOT: Final = str(Path(__file__).parents[2])
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from kastrun.warden.launcher import main; main(int(sys.argv[2]))"
)
_END_S: Final = 10.0


class Guard:
    """One warden as kastrun sees it: the socket that it hears on, and an epoll for all of its child's.

    The epoll lives as long as the warden: the socket stays in it, the pipes of each child come and go.
    """

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.fd = control.fileno()
        self.epoll = select.epoll()
        self.epoll.register(self.fd, select.EPOLLIN)
        self._pid: int | None = None

    def hear(self) -> tuple[Any, ...] | None:
        """The next thing that it says of its child; None where it only said its name.

        Raises wire.Closed where it is gone.
        """
        packet, _ = wire.receive(self.control)
        if packet[0] != "born":
            return packet
        self._pid = packet[1]
        return None

    @property
    def born(self) -> bool:
        """Whether it has said its name: until then it may never have been."""
        return self._pid is not None

    @property
    def pid(self) -> int:
        """The warden's own pid; waits for it where it has only been asked for. Raises wire.Closed."""
        if self._pid is None:
            self.hear()
        if self._pid is None:
            raise AssertionError("a warden says its pid before anything else")
        return self._pid

    def close(self) -> None:
        """Let go of it: it kills what it guards and ends."""
        self.epoll.close()
        self.control.close()


class Guards:
    """The wardens of this process, and the launcher that makes them."""

    def __init__(self) -> None:
        self._launcher: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: list[Guard] = []
        self._all: set[Guard] = set()
        self._hang_up = select.poll()

    def start(self) -> socket.socket:
        """The launcher's socket; the launcher is started where it is not there yet. Raises OSError."""
        if self._launcher is not None:
            return self._launcher
        self._launcher, theirs = wire.pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-ISE", "-c", _START, _ROOT, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                close_fds=True,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
            )
        self._hang_up.register(self._launcher, select.POLLHUP)
        _raise_descriptor_limit()
        return self._launcher

    def take(self) -> Guard:
        """An idle warden, or a new one; nothing is waited for.

        Raises wire.Closed where the launcher is gone, OSError where it cannot be started.
        Without the launcher no idle one is given out either: nobody would bury what it leaves.
        """
        if self.launcher_lost():
            raise wire.Closed
        if self._idle:
            return self._idle.pop()
        launcher = self.start()
        ours, theirs = wire.pair()
        with theirs:
            try:
                wire.send(launcher, ("warden",), (theirs.fileno(),))
            except wire.Closed:
                ours.close()
                raise
        guard = Guard(ours)
        self._all.add(guard)
        return guard

    def launcher_lost(self) -> bool:
        """Whether there was a launcher, and it is gone."""
        return bool(self._hang_up.poll(0))

    def give_back(self, guard: Guard) -> None:
        """Its child is gone: it may have another."""
        self._idle.append(guard)

    def dismiss(self, guard: Guard) -> None:
        """It is of no more use: dead, or stuck with a child that does not end."""
        self._all.discard(guard)
        guard.close()

    def close(self) -> None:
        """Dismiss every warden, and wait until they and the launcher are gone. Idempotent."""
        for guard in tuple(self._all):
            self.dismiss(guard)
        self._idle.clear()
        if self._launcher is None or self._process is None:
            return
        self._launcher.close()
        with suppress(subprocess.TimeoutExpired):  # stuck with what no signal ends: not ours to wait for
            self._process.wait(_END_S)


def _raise_descriptor_limit() -> None:
    """A thousand workers need some six thousand descriptors. Ours alone: the launcher has the old limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
