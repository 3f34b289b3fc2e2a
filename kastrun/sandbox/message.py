"""What a job wants to send, read out of its memory: `struct msghdr`, its pieces, its control messages.

Control messages are allowed by name: what is not on the list (a descriptor, a source route)
is refused. Data is read in bounded parts, and only when it can be sent.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from kastrun.sandbox import memory
from kastrun.sandbox.sockaddr import MOST_BYTES as MOST_ADDRESS

SIZE: Final = 56
"""Of a msghdr; in an array of `struct mmsghdr` each takes `STRIDE`, with what was sent at `SENT_AT`."""
STRIDE: Final = 64
SENT_AT: Final = 56
MOST_DATA: Final = 1 << 18
"""Read of a stream at once; what is left is for the next time."""
MOST_PACKET: Final = 1 << 17
"""More than any datagram holds."""

_HEADER: Final = struct.Struct("=QI4xQQQQi4x")
_PIECE: Final = struct.Struct("=QQ")
_CONTROL: Final = struct.Struct("=QII")
_MOST_PIECES: Final = 1024
_MOST_CONTROL: Final = 4096
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103
_KNOWN: Final = {
    *((socket.SOL_IP, each) for each in (1, 2, 8)),  # IP_TOS, IP_TTL, IP_PKTINFO
    *((41, each) for each in (50, 52, 67)),  # IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS
    (_SOL_UDP, _UDP_SEGMENT),
}

_PASSED_ON: Final = (
    socket.MSG_OOB
    | socket.MSG_DONTROUTE
    | socket.MSG_EOR
    | socket.MSG_CONFIRM
    | socket.MSG_NOSIGNAL
    | socket.MSG_MORE
)


class Message(NamedTuple):
    """One message: whom to, what, and how. `pieces` are addresses and sizes in the job's memory."""

    tid: int
    name: bytes
    pieces: tuple[tuple[int, int], ...]
    control: tuple[tuple[int, int, bytes], ...]
    flags: int

    @property
    def size(self) -> int:
        return sum(size for _, size in self.pieces)

    @property
    def our_flags(self) -> int:
        """Those that are ours to use too; we never wait, and never die of a broken pipe."""
        return self.flags & _PASSED_ON | socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL

    def data(self, skip: int, most: int) -> bytes:
        """At most `most` bytes after the first `skip`. Raises OSError."""
        return memory.gather(self.tid, tuple(_part(self.pieces, skip, most)))


def read_header(tid: int, address: int, flags: int) -> Message:
    """The message of a `sendmsg`. Raises OSError."""
    raw = memory.read(tid, address, SIZE)
    name, name_size, pieces, count, control, control_size, _ = _HEADER.unpack(raw)
    if count > _MOST_PIECES:
        raise OSError(errno.EMSGSIZE, "too many pieces")
    if control_size > _MOST_CONTROL:
        raise OSError(errno.ENOBUFS, "too much control data")
    held = memory.read(tid, pieces, _PIECE.size * count)
    return Message(
        tid,
        read_name(tid, name, name_size),
        tuple(_PIECE.iter_unpack(held)),
        tuple(_controls(memory.read(tid, control, control_size if control else 0))),
        flags,
    )


def read_name(tid: int, address: int, size: int) -> bytes:
    """An address that was passed; empty where there is none. Raises OSError."""
    if size > MOST_ADDRESS:
        raise OSError(errno.EINVAL, "too long an address")
    return memory.read(tid, address, size if address else 0)


def _controls(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    while place + _CONTROL.size <= len(raw):
        size, level, kind = _CONTROL.unpack_from(raw, place)
        if size < _CONTROL.size or place + size > len(raw):
            raise OSError(errno.EINVAL, "a control message of no length")
        if (level, kind) not in _KNOWN:
            raise OSError(errno.EPERM, "a control message that is not allowed")
        yield level, kind, raw[place + _CONTROL.size : place + size]
        place += size + 7 & ~7


def _part(pieces: tuple[tuple[int, int], ...], skip: int, most: int) -> Iterator[tuple[int, int]]:
    for address, size in pieces:
        if skip >= size:
            skip -= size
            continue
        taken = min(size - skip, most)
        if taken:
            yield address + skip, taken
        skip, most = 0, most - taken
