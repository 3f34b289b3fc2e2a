"""Who comes after whom: `depends_on` (hard) and `consumes` (soft) between plugins.

Floor 2, pure. Between plugins the graph must have no cycle; between jobs the edges follow
from it, target by target (see `plan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from kastrun.model import Plugin


def producers(plugin: Plugin, plugins: Iterable[Plugin]) -> list[str]:
    """The plugins whose assets `plugin` consumes, itself left out."""
    return [
        other.name
        for other in plugins
        if other.name != plugin.name and not set(plugin.consumes).isdisjoint(other.produces)
    ]


def edges(plugins: Mapping[str, Plugin]) -> dict[str, list[str]]:
    """By plugin, those of `plugins` that come before it."""
    return {
        name: list(
            dict.fromkeys(
                [
                    *(each for each in plugin.depends_on if each in plugins),
                    *producers(plugin, plugins.values()),
                ]
            )
        )
        for name, plugin in plugins.items()
    }


def cycle(plugins: Mapping[str, Plugin]) -> list[str] | None:
    """A circle of plugins (the first name again at its end), or None where there is none."""
    try:
        TopologicalSorter(edges(plugins)).prepare()
    except CycleError as error:
        found: list[str] = list(reversed(error.args[1]))
        return found
    return None


def in_order(plugins: Mapping[str, Plugin]) -> list[str]:
    """Every plugin after those it waits for, and in the given order where that leaves a choice.

    Raises graphlib.CycleError where `cycle` would have found one.
    """
    before = edges(plugins)
    placed: dict[str, None] = {}
    TopologicalSorter(before).prepare()

    def place(name: str) -> None:
        if name not in placed:
            for other in before[name]:
                place(other)
            placed[name] = None

    for name in plugins:
        place(name)
    return list(placed)
