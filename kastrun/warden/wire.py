"""What kastrun and its wardens say to each other: packets over a pair of sockets.

A packet is a marshalled tuple whose first member says what it is; descriptors ride along.
Both ends are the same Python, started by the same kastrun, and each trusts the other:
no plugin ever holds one of these sockets. SEQPACKET keeps packets whole and in order.
"""

from __future__ import annotations

import array
import marshal
import os
import socket
from typing import Any, BinaryIO, Final

TERMINATE: Final = ("terminate",)
"""SIGTERM to the whole tree; from then on what outlives the leader is left alone until KILL."""
KILL: Final = ("kill",)

_MOST_BYTES: Final = 1 << 17
"""Of one packet: the kernel takes no more than its socket buffer. A larger one goes as a file in memory."""
_SPILLED: Final = ("spilled",)
_ROOM: Final = socket.CMSG_SPACE(8 * array.array("i").itemsize)


class Closed(Exception):
    """The other side is gone."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection, neither of which a program that is started inherits."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, packet: tuple[Any, ...], fds: tuple[int, ...] = ()) -> None:
    """Raises Closed where nobody listens any more, OSError."""
    try:
        data = marshal.dumps(packet)
        if len(data) > _MOST_BYTES:
            with _spilled(data) as file:
                send(to, _SPILLED, (file.fileno(), *fds))
            return
        if fds:
            socket.send_fds(to, [data], fds)
        else:
            to.send(data)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Closed from error


def receive(from_: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """The next packet, waiting for it. Raises Closed where there will be none."""
    try:
        # The flag: what is received must not slip into a program that is started. socket.recv_fds
        # has one too, and does not pass it on (Python 3.11).
        data, extra, _, _ = from_.recvmsg(_MOST_BYTES, _ROOM, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError as error:
        raise Closed from error
    if not data:
        raise Closed
    packet: tuple[Any, ...] = marshal.loads(data)  # noqa: S302 - our own other half
    fds = _descriptors(extra)
    if packet == _SPILLED:
        with open(fds.pop(0), "rb") as file:
            file.seek(0)
            packet = marshal.load(file)  # noqa: S302
    return packet, fds


def _spilled(data: bytes) -> BinaryIO:
    """A packet as a file in memory."""
    file = open(os.memfd_create("kastrun-packet"), "w+b")  # noqa: SIM115 - the caller's to close
    file.write(data)
    file.flush()
    return file


def descriptor(from_: socket.socket) -> int:
    """One that a child has sent, with a byte that says nothing."""
    _, extra, _, _ = from_.recvmsg(1, _ROOM, socket.MSG_CMSG_CLOEXEC)
    (found,) = _descriptors(extra)
    return found


def _descriptors(extra: list[tuple[int, int, bytes]]) -> list[int]:
    return [fd for _, _, some in extra for fd in array.array("i", some)]
