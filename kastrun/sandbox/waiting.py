"""Calls that cannot be answered yet: each waits for its socket, for its time limit or for a signal.

The job's thread sleeps in the kernel meanwhile, where only SIGKILL reaches it. So that an
alarm or a polite end is heard all the same, waiting threads are looked at now and then, and
a call whose thread has a signal to handle ends as it would have: EINTR.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from kastrun.sandbox.copies import Copy
from kastrun.sandbox.notify import Call

LOOK_S: Final = 0.25
"""How often waiting threads are looked at."""
READY: Final = 0
_TIMEVAL: Final = struct.Struct("=qq")
_HEARD: Final = sum(1 << (number - 1) for number in (1, 2, 3, 10, 12, 14, 15))
"""SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM: who handles these means to stop waiting."""

Resume = Callable[[Copy, int], int | None]
"""Called with the socket that was waited for and READY, or the errno with which the wait ended early."""


class _Wait(NamedTuple):
    call: Call
    copy: Copy
    resume: Resume
    since: float
    until: float


class Waiting:
    """Every waiting call of a job. Their sockets are in `epoll`."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._waits: dict[int, _Wait] = {}
        self._look_at = 0.0

    def add(self, call: Call, for_: Copy, resume: Resume) -> None:
        """Let `call` wait until `for_` can be written to; it stays open for that long. Raises OSError."""
        copy = for_.again()
        own = copy.socket
        now = time.monotonic()
        seconds, micros = _TIMEVAL.unpack(
            own.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.size)
        )
        limit = seconds + micros / 1e6
        self._waits[own.fileno()] = _Wait(call, copy, resume, now, now + limit if limit else float("inf"))
        self._epoll.register(own.fileno(), select.EPOLLOUT)

    def ready(self, fd: int) -> Iterator[tuple[Call, Callable[[], int | None]]]:
        """The call whose socket this is, and what goes on with it."""
        wait = self._waits.get(fd)
        if wait is not None:
            yield wait.call, self._resumed(wait, READY)

    def overdue(self) -> Iterator[tuple[Call, Callable[[], int | None]]]:
        """Calls that waited as long as their sockets allow, and those of threads with a signal to handle."""
        now = time.monotonic()
        look = now >= self._look_at
        if look:
            self._look_at = now + LOOK_S
        for wait in tuple(self._waits.values()):
            if now >= wait.until:
                yield wait.call, self._resumed(wait, errno.EAGAIN)
            elif look and now - wait.since >= LOOK_S and _has_signal(wait.call.tid):
                yield wait.call, self._resumed(wait, errno.EINTR)

    def seconds(self) -> float | None:
        """How long from now until `overdue` has to be asked; None: not at all."""
        if not self._waits:
            return None
        now = time.monotonic()
        return max(0.0, min(LOOK_S, *(wait.until - now for wait in self._waits.values())))

    def close(self) -> None:
        """Forget them all."""
        for wait in self._waits.values():
            wait.copy.socket.close()

    def _resumed(self, wait: _Wait, why: int) -> Callable[[], int | None]:
        def go_on() -> int | None:
            own = wait.copy.socket
            del self._waits[own.fileno()]
            self._epoll.unregister(own.fileno())
            with own:
                return wait.resume(wait.copy, why)

        return go_on


def _has_signal(tid: int) -> bool:
    """Whether a signal that it handles waits for this thread."""
    fields: dict[str, int] = {}
    with suppress(OSError), open(f"/proc/{tid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            name, _, value = line.partition(":")
            if name in ("SigPnd", "ShdPnd", "SigBlk", "SigCgt"):
                fields[name] = int(value, 16)
    if len(fields) < 4:
        return False
    pending = (fields["SigPnd"] | fields["ShdPnd"]) & ~fields["SigBlk"]
    return bool(pending & fields["SigCgt"] & _HEARD)
