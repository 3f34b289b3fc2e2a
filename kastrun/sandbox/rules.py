"""A job's reach, indexed: may it contact this address and port, may it ask for this name?

Knows no socket and no clock. Every answer costs one look-up for each prefix length that
occurs, however many entries there are, and is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from kastrun.blocks import Block, block, forms, special
from kastrun.reach import NameSpan, Reach, Span

Verdict = Literal["allowed", "refused", "audited"]
"""`audited`: outside the scope, let through and told."""

_REMEMBERED: Final = 4096
_ANY: Final = 0
_MOST_PINS: Final = 10_000


class Rules:
    """One job's reach. Names that are pinned later widen it."""

    def __init__(self, reach: Reach) -> None:
        self.told = reach.scope != "off"
        """Whether what is contacted is to be written down."""
        self.pins: dict[str, tuple[str, ...]] = {}
        """Addresses by name, as text; none for a name that has none or must not be reached."""
        self._network = reach.network
        self._outside: Verdict = "refused" if reach.scope == "enforce" else "audited"
        self._allowed, self._written = _Spans(reach.allowed), _Spans(reach.written)
        self._excluded = _Spans(reach.excluded)
        self._names, self._excluded_names = _Names(reach.names), _Names(reach.excluded_names)
        self._judged: dict[tuple[int, int, int], Verdict] = {}
        for name, addresses in reach.pins:
            self.pin(name, addresses)

    def judge(self, version: int, number: int, port: int) -> Verdict:
        """May this address, as a number, be contacted at this port?"""
        key = (version, number, port)
        verdict = self._judged.get(key)
        if verdict is None:
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            verdict = self._judged[key] = self._decide(version, number, port)
        return verdict

    def _decide(self, version: int, number: int, port: int) -> Verdict:
        every = forms(Block(version, number, 0))
        if self._network == "none" or any(self._excluded.cover(form, port) for form in every):
            return "refused"
        if self._network == "full":
            return "allowed"
        if not any(self._allowed.cover(form, port) for form in every):
            return self._outside
        if any(map(special, every)) and not any(self._written.cover(form, port) for form in every):
            return self._outside
        return "allowed"

    def knows(self, name: str) -> bool:
        """Whether the job may ask for this name, in lower case and without a trailing dot."""
        return bool(self._names.ports(name)) and _ANY not in self._excluded_names.ports(name)

    def pin(self, name: str, addresses: Iterable[str]) -> None:
        """From now on this is what a name of the scope resolves to, and may be contacted."""
        found = tuple(addresses)
        while len(self.pins) >= _MOST_PINS:
            del self.pins[next(iter(self.pins))]  # it would be asked for again
        self.pins[name] = found
        for address in found:
            version, first, bits = block(address)
            for port in self._names.ports(name):
                self._allowed.add((version, first, bits, port))
            for port in self._excluded_names.ports(name):
                self._excluded.add((version, first, bits, port))
        self._judged.clear()


class _Spans:
    """Networks, by prefix length."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._tables: dict[tuple[int, int], dict[int, set[int]]] = {}
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        version, first, bits, port = span
        self._tables.setdefault((version, bits), {}).setdefault(first >> bits, set()).add(port)

    def cover(self, asked: Block, port: int) -> bool:
        for (version, bits), table in self._tables.items():
            if version == asked.version:
                ports = table.get(asked.first >> bits)
                if ports is not None and (_ANY in ports or port in ports):
                    return True
        return False


class _Names:
    """Names and what is below names."""

    def __init__(self, spans: Iterable[NameSpan]) -> None:
        self._exact: dict[str, set[int]] = {}
        self._below: dict[str, set[int]] = {}
        for name, below, port in spans:
            (self._below if below else self._exact).setdefault(name, set()).add(port)

    def ports(self, name: str) -> set[int]:
        """The ports at which the entries that cover a name hold; empty where none does."""
        found = set(self._exact.get(name, ()))
        rest = name.partition(".")[2] if self._below else ""
        while rest:
            found |= self._below.get(rest, set())
            rest = rest.partition(".")[2]
        return found
