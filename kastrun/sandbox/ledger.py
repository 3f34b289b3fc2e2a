"""What a job contacted and what it was refused, folded: in bounded memory, told once at its end.

A destination is an address with the ports of it, a name that was asked for, or the path of
a local socket. Past some number of them they are folded by network or by parent domain,
and those too; so neither a million connections nor a million destinations grow it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

from kastrun.sandbox.rules import Verdict

MOST_EACH: Final = 512
"""Entries of one width; the next wider one takes what comes after."""
MOST_RANGES: Final = 256
"""Ranges of ports that are told of one entry."""
_FEW: Final = 32
_NAME_CACHE: Final = "/var/run/nscd/socket"
"""Where glibc looks for a cache at every start of a program: nothing that the job does."""
_WIDTHS: Final = {4: (32, 24, 16, 8, 0), 6: (128, 64, 48, 32, 0)}

Protocol = Literal["tcp", "udp", "dns", "unix"]
Line = tuple[str, Protocol, Verdict, int, float, float, list[tuple[int, int]], bool]
"""Destination, protocol, verdict, count, first and last time (seconds since 1970), ranges of ports,
and whether these are not all."""


class _Entry:
    """One destination by one protocol with one verdict."""

    __slots__ = ("count", "few", "first", "last", "many")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.first = self.last = now
        self.few: set[int] = set()
        self.many: bytearray | None = None

    def add(self, port: int, now: float) -> None:
        self.count += 1
        self.last = now
        if self.many is not None:
            self.many[port >> 3] |= 1 << (port & 7)
        elif port:
            self.few.add(port)
            if len(self.few) > _FEW:
                self.many = bytearray(1 << 13)
                for each in self.few:
                    self.many[each >> 3] |= 1 << (each & 7)
                self.few.clear()

    def ports(self) -> Iterator[int]:
        if self.many is None:
            return iter(sorted(self.few))
        filled = ((place, byte) for place, byte in enumerate(self.many) if byte)
        return (place << 3 | bit for place, byte in filled for bit in range(8) if byte >> bit & 1)


_Key = tuple[str, Protocol, Verdict]


class Ledger:
    """`contact`, `ask` and `path` write; `lines` is what was written."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._entries: dict[_Key, _Entry] = {}
        self._known: dict[tuple[int, int, Protocol, Verdict], _Entry] = {}
        self._widths: dict[int, int] = {}

    def contact(self, protocol: Protocol, version: int, number: int, port: int, verdict: Verdict) -> None:
        """A packet would have gone, or went, to this address."""
        now = self._clock()
        key = (version, number, protocol, verdict)
        entry = self._known.get(key)
        if entry is None:
            entry = self._known_from_now(key, now)
        entry.add(port, now)

    def ask(self, name: str, verdict: Verdict) -> None:
        """A name was asked for."""
        labels = name.split(".")
        above = [f"*.{'.'.join(labels[start:])}" for start in range(1, len(labels) - 1)]
        self._add([name, *above[:1], *above[1:][-1:], "*"], "dns", verdict)

    def path(self, path: str, verdict: Verdict) -> None:
        """A local socket was asked for by its path."""
        if path == _NAME_CACHE:
            return
        self._add([path, "*"], "unix", verdict)

    def lines(self) -> Iterator[Line]:
        """Everything, in the order in which it was first seen."""
        for (destination, protocol, verdict), entry in self._entries.items():
            ranges = _ranges(entry.ports())
            yield (
                destination,
                protocol,
                verdict,
                entry.count,
                entry.first,
                entry.last,
                ranges[:MOST_RANGES],
                len(ranges) > MOST_RANGES,
            )

    def _known_from_now(self, key: tuple[int, int, Protocol, Verdict], now: float) -> _Entry:
        version, number, protocol, verdict = key
        wider = [_network(version, number, width) for width in _WIDTHS[version]]
        entry = self._entry(wider, protocol, verdict, now)
        if len(self._known) >= 4 * MOST_EACH:
            self._known.clear()  # only a short cut
        self._known[key] = entry
        return entry

    def _add(self, wider: list[str], protocol: Protocol, verdict: Verdict) -> None:
        now = self._clock()
        self._entry(wider, protocol, verdict, now).add(0, now)

    def _entry(self, wider: list[str], protocol: Protocol, verdict: Verdict, now: float) -> _Entry:
        """The entry of the first of these destinations that is there already or for which there is room."""
        last = len(wider) - 1
        for place, destination in enumerate(wider):
            key: _Key = (destination, protocol, verdict)
            if key in self._entries:
                return self._entries[key]
            if place == last or self._widths.get(place, 0) < MOST_EACH:
                self._widths[place] = self._widths.get(place, 0) + 1
                entry = self._entries[key] = _Entry(now)
                return entry
        raise AssertionError("the last is always taken")


def _network(version: int, number: int, width: int) -> str:
    bits = 32 if version == 4 else 128
    first = number >> (bits - width) << (bits - width)
    packed = first.to_bytes(bits // 8, "big")
    text = socket.inet_ntop(socket.AF_INET if version == 4 else socket.AF_INET6, packed)
    return text if width == bits else f"{text}/{width}"


def _ranges(ports: Iterator[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for port in ports:
        if found and found[-1][1] == port - 1:
            found[-1] = (found[-1][0], port)
        else:
            found.append((port, port))
    return found
