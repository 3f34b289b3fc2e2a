"""Addresses and networks as plain numbers, for look-ups, and the special ones among them.

Floor 0. Read by the scope and, in another process, by the broker, so nothing that is slow to
load may be imported at the top. What a special address leads to is decided elsewhere.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_V4_BITS: Final = 0xFFFFFFFF
_V4_WITHIN: Final = (0, 0xFFFF, 0x64FF9B << 64)
"""The first 96 bits of IPv6 addresses whose last 32 are an IPv4 address: compatible and mapped
(RFC 4291 2.5.5), NAT64 (RFC 6052 2.1)."""
_SIX_TO_FOUR: Final = 0x2002


class Block(NamedTuple):
    """A network by its IP version, first address and number of host bits: 0 for one address."""

    version: int
    first: int
    host_bits: int


_SPECIAL: Final = {
    4: (
        ("loopback", 0x7F << 24, 24),
        ("link-local", 0xA9FE << 16, 16),
        ("multicast", 0xE << 28, 28),
        ("unspecified", 0, 0),
    ),
    6: (
        ("loopback", 1, 0),
        ("link-local", 0x3FA << 118, 118),
        ("multicast", 0xFF << 120, 120),
        ("unspecified", 0, 0),
    ),
}
"""By version: the kind, its first address and its host bits."""


def block(text: str) -> Block:
    """A canonical address or network. Raises ValueError for what is clearly neither."""
    if ":" in text or "/" in text:
        from ipaddress import ip_network

        network = ip_network(text)
        bits = network.max_prefixlen - network.prefixlen
        return Block(network.version, int(network.network_address), bits)
    a, b, c, d = text.split(".")
    return Block(4, int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d), 0)


def forms(found: Block) -> tuple[Block, ...]:
    """The block, and the IPv4 one it reaches where it is IPv6 that carries IPv4 (6to4: RFC 3056)."""
    version, first, host_bits = found
    if version == 4 or first <= 1:
        return (found,)
    if host_bits <= 32 and first >> 32 in _V4_WITHIN:
        return found, Block(4, first & _V4_BITS, host_bits)
    if host_bits <= 112 and first >> 112 == _SIX_TO_FOUR:
        return found, Block(4, first >> 80 & _V4_BITS, max(0, host_bits - 80))
    return (found,)


def special(found: Block) -> str | None:
    """``loopback``, ``link-local``, ``multicast`` or ``unspecified`` where all of it is; else None."""
    for kind, first, bits in _SPECIAL[found.version]:
        if found.host_bits <= bits and found.first >> bits == first >> bits:
            return kind
    return None
