"""Socket addresses: from the bytes that a job passed to a value of ours, which is what is acted on.

Bytes that are not understood whole are refused, so that the kernel never reads
anything that was not judged.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final, NamedTuple

MOST_BYTES: Final = 128
"""`struct sockaddr_storage`: the kernel takes no longer address."""

_FAMILY: Final = struct.Struct("=H")
_V4: Final = struct.Struct("!2xHI")
_V6: Final = struct.Struct("!2xH4x16s")
_ZONE: Final = struct.Struct("=24xI")
_MAPPED: Final = 0xFFFF
_LOOPBACK: Final = 0x7F000001


class Address(NamedTuple):
    """Where a packet would really go: `version` is 4 for an IPv4-mapped IPv6 address too."""

    family: int
    version: int
    number: int
    port: int
    zone: int = 0

    def __str__(self) -> str:
        if self.version == 4:
            return socket.inet_ntoa(self.number.to_bytes(4, "big"))
        return socket.inet_ntop(socket.AF_INET6, self.number.to_bytes(16, "big"))

    def to(self, family: int) -> tuple[str, int] | tuple[str, int, int, int]:
        """As a socket of `family` takes it. Raises OSError where it cannot be reached by such a socket."""
        if family == socket.AF_INET:
            if self.family != socket.AF_INET:
                raise OSError(errno.EAFNOSUPPORT, "an IPv6 address for an IPv4 socket")
            return str(self), self.port
        text = f"::ffff:{self}" if self.version == 4 else str(self)
        return text, self.port, 0, self.zone


def family_of(raw: bytes) -> int:
    """Raises OSError where there is no room for one."""
    if len(raw) < _FAMILY.size:
        raise OSError(errno.EINVAL, "no address")
    return int(_FAMILY.unpack_from(raw)[0])


def parse(raw: bytes, *, nowhere: bool = False) -> Address:
    """An internet address. Raises OSError.

    `0.0.0.0` and `::` are this machine, as Linux connects them, or stay what they are (`nowhere`).
    """
    family = family_of(raw)
    if family == socket.AF_INET:
        if len(raw) < 16:
            raise OSError(errno.EINVAL, "a short address")
        port, number = _V4.unpack_from(raw)
        return Address(family, 4, number or (0 if nowhere else _LOOPBACK), port)
    if family != socket.AF_INET6:
        raise OSError(errno.EAFNOSUPPORT, "no internet address")
    if len(raw) < 24:
        raise OSError(errno.EINVAL, "a short address")
    port, packed = _V6.unpack_from(raw)
    number = int.from_bytes(packed, "big")
    if number >> 32 == _MAPPED:
        return Address(family, 4, number & 0xFFFFFFFF or (0 if nowhere else _LOOPBACK), port)
    (zone,) = _ZONE.unpack_from(raw) if len(raw) >= _ZONE.size else (0,)
    return Address(family, 6, number or (0 if nowhere else 1), port, zone)


def unix_path(raw: bytes) -> str:
    """The path of a local socket for people to read, `@` before an abstract one."""
    path = raw[2:MOST_BYTES]
    name = b"@" + path[1:] if path[:1] == b"\0" else path.split(b"\0")[0]
    return "".join(each if " " < each <= "~" else "?" for each in name.decode("ascii", "replace"))
