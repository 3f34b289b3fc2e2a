"""Entries of `exclude` and `scope`, and an index of them that costs the same for 5 and 5,000.

An entry is a name, ``*.name``, address, CIDR, HOST:PORT or URL. Names stand in a dict,
wildcards are found by walking up a name's labels, networks by one look-up for each
prefix length that occurs.
"""

from __future__ import annotations

from collections.abc import Iterator

from kastrun.blocks import Block, block
from kastrun.model import Target
from kastrun.reach import NameSpan, Span
from kastrun.targets.addresses import is_address
from kastrun.targets.reading import parse
from kastrun.targets.refusal import TargetError, quoted

_Ports = dict[int | None, str]  # the entries of one name or network by port, None for every port


def read_entry(entry: str) -> tuple[Target, bool]:
    """What an entry means, and whether it is a wildcard (the target is then the name below which it holds).

    Raises TargetError.
    """
    wildcard = entry.startswith("*.")
    target = parse(entry[2:] if wildcard else entry)
    if target.kind == "file":
        raise TargetError(
            f"{quoted(entry)} is a file, which no scope holds",
            "write a name, *.NAME, address, CIDR or HOST:PORT",
        )
    if wildcard and (target.kind not in ("host", "service") or is_address(target.host or "")):
        raise TargetError(f"{quoted(entry)} has `*.` before what is no name", "write it as in *.example.com")
    return target, wildcard


class Entries:
    """A set of entries; each look-up gives the entry that covers what was asked, as it was written.

    An entry with a port (a URL has one always) covers that port only, and so nothing that is
    asked for without a port.
    """

    def __init__(self) -> None:
        self._names: dict[str, _Ports] = {}
        self._suffixes: dict[str, _Ports] = {}
        self._networks: dict[tuple[int, int], dict[int, _Ports]] = {}

    def __bool__(self) -> bool:
        return bool(self._names or self._suffixes or self._networks)

    def add(self, entry: str) -> None:
        """Reads an entry and puts it in. Raises TargetError."""
        target, wildcard = read_entry(entry)
        if target.host is None or is_address(target.host):
            self.add_block(block(target.host or target.value), entry, target.port)
        else:
            names = self._suffixes if wildcard else self._names
            names.setdefault(target.host, {}).setdefault(target.port, entry)

    def add_block(self, found: Block, entry: str, port: int | None = None) -> None:
        """Puts in an address or network that was read before."""
        table = self._networks.setdefault((found.version, found.host_bits), {})
        table.setdefault(found.first >> found.host_bits, {}).setdefault(port, entry)

    def name(self, name: str, port: int | None) -> str | None:
        """The entry that covers a canonical name; ``*.a.example`` covers all below it, not itself."""
        found = _on(self._names.get(name), port)
        rest = name.partition(".")[2] if self._suffixes else ""
        while rest and found is None:
            found = _on(self._suffixes.get(rest), port)
            rest = rest.partition(".")[2]
        return found

    def block(self, asked: Block, port: int | None) -> str | None:
        """The entry that covers an address, or all of a network."""
        for (version, bits), table in self._networks.items():
            if version == asked.version and bits >= asked.host_bits:
                found = _on(table.get(asked.first >> bits), port)
                if found is not None:
                    return found
        return None

    def inside(self, asked: Block) -> bool:
        """Whether an entry without a port covers a part of a network, smaller than it."""
        key = asked.first >> asked.host_bits
        return any(
            None in ports and first >> (asked.host_bits - bits) == key
            for (version, bits), table in self._networks.items()
            if version == asked.version and bits < asked.host_bits
            for first, ports in table.items()
        )

    def spans(self) -> Iterator[Span]:
        """The addresses and networks among them."""
        for (version, bits), table in self._networks.items():
            for first, ports in table.items():
                yield from ((version, first << bits, bits, port or 0) for port in ports)

    def names(self) -> Iterator[NameSpan]:
        """The names among them."""
        for below, table in ((False, self._names), (True, self._suffixes)):
            for name, ports in table.items():
                yield from ((name, below, port or 0) for port in ports)


def _on(ports: _Ports | None, port: int | None) -> str | None:
    if ports is None:
        return None
    return ports.get(None) or ports.get(port)
