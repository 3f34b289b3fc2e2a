"""What plugins contacted and what they were refused: counted by plugin and verdict, the first few named."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, field

from kastrun.facts import Egress

NAMED: Final = 3
_LONG: Final = 200
_ORDER: Final = ("refused", "audited", "allowed")


class Contacts(Struct, kw_only=True):
    """What the jobs of one plugin contacted, or were refused, by one verdict.

    `destinations` are the first of them as people read them, `more` how many lines there were besides.
    """

    plugin: str
    verdict: Literal["allowed", "refused", "audited"]
    count: int = 0
    destinations: list[str] = field(default_factory=list)
    more: int = 0


class Network:
    """Takes egress in, gives `contacts` out."""

    def __init__(self) -> None:
        self._contacts: dict[tuple[str, str], Contacts] = {}

    def take(self, fact: Egress) -> None:
        """Take one fact in."""
        key = (fact.plugin, fact.verdict)
        if key not in self._contacts:
            self._contacts[key] = Contacts(plugin=fact.plugin, verdict=fact.verdict)
        contacts = self._contacts[key]
        contacts.count += fact.count
        where = " ".join(filter(None, (fact.destination[:_LONG], fact.ports[:_LONG], f"({fact.protocol})")))
        if where in contacts.destinations:
            return
        if len(contacts.destinations) < NAMED:
            contacts.destinations.append(where)
        else:
            contacts.more += 1

    def contacts(self) -> list[Contacts]:
        """By verdict, refused ones first, and plugin."""
        return sorted(self._contacts.values(), key=lambda each: (_ORDER.index(each.verdict), each.plugin))
