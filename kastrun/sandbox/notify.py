"""The kernel's side of the broker: system calls that wait at a seccomp listener for their answer.

An answer is always a value or an errno. The kernel's third choice, to let the call go on, is
not offered here: what was looked at could be something else by then.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress
from typing import Final, NamedTuple

_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_IS_VALID: Final = 0x40082102
_ADD_DESCRIPTOR: Final = 0x40182103
_SET_FLAGS: Final = 0x40082104
_SYNC_WAKE_UP: Final = 1
_ADD_AND_ANSWER: Final = 2

_NOTIFICATION: Final = struct.Struct("=QIIiIQ6Q")
_ANSWER: Final = struct.Struct("=QqiI")
_ADDITION: Final = struct.Struct("=QIIII")
_ID: Final = struct.Struct("=Q")


class Gone(Exception):
    """Whoever made the call has died."""


class Call(NamedTuple):
    """A system call that waits. `tid` is the thread's, as seen from here."""

    id: int
    tid: int
    number: int
    arguments: tuple[int, ...]

    def int(self, place: int) -> int:
        """An argument that is an unsigned int for the kernel: its low 32 bits."""
        return self.arguments[place] & 0xFFFFFFFF


class Listener:
    """The descriptor that calls are read from and answered on; it is this object's to close."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        with suppress(OSError):  # Linux 6.6: whoever waits for an answer wakes on this processor
            fcntl.ioctl(fd, _SET_FLAGS, _SYNC_WAKE_UP)

    def receive(self) -> Call:
        """The next call; there must be one. Raises Gone where its maker died just now."""
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self.fd, _RECEIVE, buffer)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                raise Gone from error
            raise
        id_, tid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
        return Call(id_, tid, number, tuple(arguments))

    def check(self, call: Call) -> None:
        """Raises Gone where what was read of the maker's memory may have been another process's."""
        try:
            fcntl.ioctl(self.fd, _IS_VALID, _ID.pack(call.id))
        except OSError as error:
            raise Gone from error

    def answer(self, call: Call, value: int) -> None:
        """The call returns `value`."""
        self._answer(call, value, 0)

    def fail(self, call: Call, number: int) -> None:
        """The call fails with this errno."""
        self._answer(call, 0, -number)

    def lend(self, call: Call, fd: int, *, close_on_exec: bool) -> None:
        """The call returns a new descriptor for what our `fd` is. Raises OSError, Gone."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        try:
            fcntl.ioctl(self.fd, _ADD_DESCRIPTOR, _ADDITION.pack(call.id, _ADD_AND_ANSWER, fd, 0, flags))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESRCH):
                raise Gone from error
            raise

    def close(self) -> None:
        """From now on every call that would wait fails (ENOSYS)."""
        os.close(self.fd)

    def _answer(self, call: Call, value: int, error: int) -> None:
        with suppress(FileNotFoundError):  # it died meanwhile
            fcntl.ioctl(self.fd, _SEND, _ANSWER.pack(call.id, value, error, 0))
