"""IP addresses and networks, read strictly: one spelling in, one spelling out.

What the C library would also take for an address (``127.1``, ``0x7f.1``, ``010.0.0.1``) is
refused, because each tool reads it in its own way. IPv4-mapped IPv6 (RFC 4291 2.5.5.2)
is the IPv4 address it carries, so that it cannot slip past an exclude or be scanned twice.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from kastrun.targets.refusal import TargetError, quoted

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED: Final = 0xFFFF << 32
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_V4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_plain_ipv4(text: str) -> bool:
    """Whether a text is a canonical IPv4 address as it stands: the quick way."""
    return _PLAIN_V4.fullmatch(text) is not None


def ends_in_number(name: str) -> bool:
    """Whether the last label makes it an IPv4 address or nothing (WHATWG URL, "ends in a number")."""
    return _NUMERIC.fullmatch(name.rpartition(".")[2]) is not None


def is_address(host: str) -> bool:
    """Whether a canonical host is an address, not a name."""
    return ":" in host or host[host.rfind(".") + 1 :].isdigit()


def ipv4(text: str) -> IPv4Address:
    """Four decimal numbers without leading zeros. Raises TargetError."""
    try:
        return IPv4Address(text)
    except ValueError:
        raise TargetError(
            f"{quoted(text)} is not an IPv4 address",
            "write four numbers from 0 to 255, without leading zeros, as in 203.0.113.7",
        ) from None


def ipv6(text: str) -> Address:
    """An IPv6 address without brackets; an IPv4-mapped one gives the IPv4 address. Raises TargetError."""
    if "%" in text:
        raise TargetError(
            f"{quoted(text)} has a zone id, which means something on one machine only",
            "write the address without `%` and what follows it",
        )
    try:
        address = IPv6Address(text)
    except ValueError:
        raise TargetError(
            f"{quoted(text)} is not an IPv6 address",
            "write it as in 2001:db8::7, and with a port as in [2001:db8::7]:443",
        ) from None
    return unmapped(address)


def unmapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped IPv6 address carries; any other as it is."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def address(text: str) -> Address:
    """An address of either family, an IPv6 one with or without brackets. Raises TargetError."""
    if text.startswith("[") and text.endswith("]"):
        return ipv6(text[1:-1])
    return ipv6(text) if ":" in text else ipv4(text)


def network(text: str) -> Network:
    """ADDRESS/PREFIX with no host bits set; a network of mapped addresses is the IPv4 one.

    Raises TargetError.
    """
    base, slash, prefix = text.partition("/")
    first = _bare_v6(base) if ":" in base else ipv4(base)
    if not slash or not _PREFIX.fullmatch(prefix) or int(prefix) > first.max_prefixlen:
        raise TargetError(
            f"{quoted(text)} has no prefix length between 0 and {first.max_prefixlen}",
            f"write it as in {'2001:db8::/64' if ':' in base else '203.0.113.0/28'}; netmasks are not read",
        )
    whole = _network(int(first), int(prefix), first.max_prefixlen)
    if int(whole.network_address) != int(first):
        raise TargetError(
            f"{quoted(text)} has bits set beyond its prefix",
            f"write {whole} for the network, or {base} for the one address",
        )
    if whole.version == 6 and whole.prefixlen >= 96 and int(first) >> 32 == _MAPPED >> 32:
        return IPv4Network((int(first) & 0xFFFFFFFF, whole.prefixlen - 96))
    return whole


def _bare_v6(text: str) -> IPv6Address:
    """The IPv6 address as written, mapped or not: a prefix length counts in its 128 bits."""
    ipv6(text)
    return IPv6Address(text)


def _network(first: int, prefix: int, bits: int) -> Network:
    start = first >> (bits - prefix) << (bits - prefix)
    return IPv4Network((start, prefix)) if bits == 32 else IPv6Network((start, prefix))
