"""Messages: read from a job's memory when they can go, and sent through our copy of the socket."""

from __future__ import annotations

import errno
import socket
import struct
from functools import partial
from typing import Any, Final

from kastrun.sandbox import memory, message
from kastrun.sandbox.copies import Copy
from kastrun.sandbox.destinations import INTERNET, STREAM, Destinations
from kastrun.sandbox.message import Message
from kastrun.sandbox.notify import Call, Listener
from kastrun.sandbox.waiting import READY, Waiting

_MOST_MESSAGES: Final = 64
"""Of one `sendmmsg`; it may always send fewer than it was given."""
_NETLINK_ADDRESS: Final = struct.Struct("=HHII")
_NETLINK_HEADER: Final = struct.Struct("=IHHII")
_NETLINK_FIRST: Final = 16
_NETLINK_GET: Final = 2
"""Of four kinds in a row for each thing: new, delete, get, set."""


class Sending:
    """A job's. What has to wait for room in a socket is left with `waiting`."""

    def __init__(self, listener: Listener, destinations: Destinations, waiting: Waiting) -> None:
        self._listener, self._destinations, self._waiting = listener, destinations, waiting

    def one(self, call: Call, through: Copy, sent: Message, *, patient: bool, begun: int = 0) -> int | None:
        """Send a message, from byte `begun` on; None where `patient` calls have to wait. Raises OSError."""
        try:
            begun += self._emit(call, through, sent, begun)
        except BlockingIOError:
            if not patient:
                return begun or _again()
        except OSError:
            if not begun:
                raise
            return begun
        else:
            if not patient or through.kind != STREAM or begun >= sent.size:
                return begun
        self._waiting.add(call, through, partial(self._go_on, call, sent, begun))
        return None

    def many(self, call: Call, through: Copy, *, patient: bool) -> int | None:
        """Send several, as many as go at once; None where not even the first did. Raises OSError."""
        count = 0
        for place in range(min(call.int(2), _MOST_MESSAGES)):
            at = call.arguments[1] + place * message.STRIDE
            try:
                size = self._emit(call, through, message.read_header(call.tid, at, call.int(3)), 0)
            except OSError as error:
                if count:
                    return count
                if not patient or not isinstance(error, BlockingIOError):
                    raise
                self._waiting.add(call, through, partial(self._go_on_with_many, call))
                return None
            memory.write(call.tid, at + message.SENT_AT, struct.pack("=I", size))
            count += 1
        return count

    def _go_on(self, call: Call, sent: Message, begun: int, waited: Copy, why: int) -> int | None:
        if why == READY:
            return self.one(call, waited, sent, patient=True, begun=begun)
        if begun:
            return begun
        raise OSError(why, "send")

    def _go_on_with_many(self, call: Call, waited: Copy, why: int) -> int | None:
        if why == READY:
            return self.many(call, waited, patient=True)
        raise OSError(why, "send")

    def _emit(self, call: Call, through: Copy, sent: Message, begun: int) -> int:
        """Send one datagram, or what a stream takes at once. Raises OSError, BlockingIOError for no room."""
        if through.kind == STREAM:
            return self._emit_stream(call, through, sent, begun)
        data = sent.data(0, message.MOST_PACKET)
        if sent.size > message.MOST_PACKET:
            raise OSError(errno.EMSGSIZE, "more than a packet holds")
        self._listener.check(call)
        if through.family == socket.AF_NETLINK:
            _check_netlink(sent.name, data)
            return through.socket.sendmsg([data], (), sent.our_flags, (0, 0))
        to: tuple[tuple[Any, ...], ...] = ()
        led = False
        if sent.name:
            there, led = self._destinations.of(through, sent.name)
            to = (there,)
        size = through.socket.sendmsg([data], sent.control, sent.our_flags, *to)
        if led:
            self._destinations.reached(through)
        return size

    def _emit_stream(self, call: Call, through: Copy, sent: Message, begun: int) -> int:
        if through.family in INTERNET and (sent.flags & socket.MSG_FASTOPEN or sent.name):
            # A name would be ignored, or contacted: TCP fast open.
            raise OSError(errno.EOPNOTSUPP if sent.flags & socket.MSG_FASTOPEN else errno.EISCONN, "send")
        if sent.name:
            self._destinations.of(through, sent.name)
        data = sent.data(begun, message.MOST_DATA)
        self._listener.check(call)
        return through.socket.sendmsg([data], (), sent.our_flags)


def _again() -> int:
    raise BlockingIOError(errno.EAGAIN, "no room")


def _check_netlink(name: bytes, data: bytes) -> None:
    """Only questions, and only to the kernel: we may be more than the job is."""
    if name and (len(name) < _NETLINK_ADDRESS.size or any(_NETLINK_ADDRESS.unpack_from(name)[2:])):
        raise OSError(errno.EACCES, "another process")
    place = 0
    while place + _NETLINK_HEADER.size <= len(data):
        size, kind, *_ = _NETLINK_HEADER.unpack_from(data, place)
        if kind < _NETLINK_FIRST or kind & 3 != _NETLINK_GET or size < _NETLINK_HEADER.size:
            raise OSError(errno.EACCES, "more than a question")
        place += size + 3 & ~3
