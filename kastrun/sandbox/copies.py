"""Our copies of a job's sockets: made here, lent to it, found again by what its descriptor names.

A copy is the same open socket as the job's, so that what is done to it is done to the job's;
and the socket lives while either is open. A TCP copy is therefore let go once it connects, or
its end would never follow the job's `close`; one that is needed after that is borrowed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from kastrun.sandbox import kernel
from kastrun.sandbox.notify import Call, Listener

_SWEEP_AT: Final = 256
_PIDFD_THREAD: Final = os.O_EXCL


class Copy:
    """A socket of the job's that we hold too. `borrowed`: for one call only."""

    __slots__ = ("borrowed", "family", "inode", "kind", "socket")

    def __init__(self, socket_: socket.socket, *, borrowed: bool) -> None:
        self.socket = socket_
        self.family, self.kind = int(socket_.family), int(socket_.type)
        self.inode = os.fstat(socket_.fileno()).st_ino
        self.borrowed = borrowed

    @property
    def blocks(self) -> bool:
        """Whether the job wants to be kept waiting by it."""
        return os.get_blocking(self.socket.fileno())

    def again(self) -> Copy:
        """One more descriptor of ours for it, which the caller closes."""
        # Not `socket.dup`, which would set the job's own socket to block or not to.
        fd = os.dup(self.socket.fileno())
        return Copy(socket.socket(self.family, self.kind, self.socket.proto, fileno=fd), borrowed=True)


class Copies:
    """The copies of one job, `most` of them at once; then it is told that there are no more files.

    `pids` gives the processes that may hold the job's side.
    """

    def __init__(self, listener: Listener, pids: Callable[[], Iterable[int]], most: int) -> None:
        self._listener, self._pids, self._most = listener, pids, most
        self._held: dict[int, Copy] = {}
        self._sweep_at = min(_SWEEP_AT, most)

    def lend(self, call: Call, family: int, kind: int, protocol: int) -> None:
        """Answer `socket` with a new one. Raises OSError, Gone."""
        self._make_room()
        bare = kind & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        made = socket.socket(family, bare, protocol)
        try:
            if kind & socket.SOCK_NONBLOCK:
                os.set_blocking(made.fileno(), False)
            self._listener.lend(call, made.fileno(), close_on_exec=bool(kind & socket.SOCK_CLOEXEC))
        except BaseException:
            made.close()
            raise
        copy = Copy(made, borrowed=False)
        self._held[copy.inode] = copy

    def find(self, call: Call) -> Copy:
        """Our copy of the socket that the first argument names. Give it back. Raises OSError."""
        fd = ctypes.c_int(call.int(0)).value
        try:
            link = os.readlink(f"/proc/{call.tid}/fd/{fd}")
        except FileNotFoundError as error:
            raise OSError(errno.EBADF, "no such descriptor") from error
        if not link.startswith("socket:["):
            raise OSError(errno.ENOTSOCK, "no socket")
        held = self._held.get(int(link[8:-1]))
        return held if held is not None else Copy(_borrow(call.tid, fd), borrowed=True)

    def give_back(self, copy: Copy) -> None:
        """No more use for what `find` gave: a copy that is held stays, a borrowed one goes."""
        if copy.borrowed:
            copy.socket.close()

    def let_go(self, copy: Copy) -> None:
        """The job alone holds it from now on."""
        self._held.pop(copy.inode, None)
        copy.socket.close()

    def hold(self, copy: Copy) -> None:
        """Keep one that was borrowed: it may be connected anew."""
        copy.borrowed = False
        self._held[copy.inode] = copy

    def close(self) -> None:
        """Let go of all."""
        for copy in self._held.values():
            copy.socket.close()
        self._held.clear()

    def _make_room(self) -> None:
        if len(self._held) < self._sweep_at:
            return
        used = _sockets_of(self._pids())
        for copy in [copy for inode, copy in self._held.items() if inode not in used]:
            self.let_go(copy)
        if len(self._held) >= self._most:
            raise OSError(errno.ENFILE, "too many sockets")
        self._sweep_at = min(self._most, max(_SWEEP_AT, 2 * len(self._held)))


def _sockets_of(pids: Iterable[int]) -> set[int]:
    """The inodes of all sockets that these processes have open."""
    found: set[int] = set()
    for pid in pids:
        with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:  # it has ended
            for entry in entries:
                with suppress(OSError):
                    link = os.readlink(entry.path)
                    if link.startswith("socket:["):
                        found.add(int(link[8:-1]))
    return found


def _borrow(tid: int, fd: int) -> socket.socket:
    """A descriptor of another process, taken; EACCES where this machine does not let us."""
    try:
        pidfd = _pidfd(tid)
        try:
            taken = kernel.call("pidfd_getfd", pidfd, fd, 0)
        finally:
            os.close(pidfd)
    except OSError as error:
        raise OSError(errno.EACCES, f"a socket that cannot be looked at: {error}") from error
    return socket.socket(fileno=taken)


def _pidfd(tid: int) -> int:
    try:
        return kernel.call("pidfd_open", tid, _PIDFD_THREAD)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    with open(f"/proc/{tid}/status", encoding="ascii", errors="replace") as status:  # before Linux 6.9
        leader = next(line for line in status if line.startswith("Tgid:"))
    return os.pidfd_open(int(leader.split()[1]))
