"""Addresses and networks as plain numbers, for look-ups, and the special ones among them.

Knows nothing of a profile: what a special address leads to is `kastrun.scope`'s decision.
"""

from __future__ import annotations

from ipaddress import ip_network
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


def block(text: str) -> Block:
    """A canonical address or network. Raises ValueError for what is clearly neither."""
    if ":" in text or "/" in text:
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
    for kind, whole in _SPECIAL[found.version]:
        bits = whole.host_bits
        if found.host_bits <= bits and found.first >> bits == whole.first >> bits:
            return kind
    return None


_SPECIAL: Final = {
    4: (
        ("loopback", block("127.0.0.0/8")),
        ("link-local", block("169.254.0.0/16")),
        ("multicast", block("224.0.0.0/4")),
        ("unspecified", block("0.0.0.0/32")),
    ),
    6: (
        ("loopback", block("::1/128")),
        ("link-local", block("fe80::/10")),
        ("multicast", block("ff00::/8")),
        ("unspecified", block("::/128")),
    ),
}
