"""How many jobs at once, and how long a host is left alone: two controllers, fed with signs.

Floor 2, pure: the moment is given, nothing is measured and nothing is moved here. Workers grow
by one while all are busy and nothing presses, and are cut by a third where something does.
Between the pressure that stops the growth and the one that cuts lies a band in which nothing
changes, so that they settle in it; near the number at which it went wrong they grow slowly.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from kastrun.facts import AdaptCause as Cause

LOOK_S: Final = 2.0
"""Seconds between two looks, and so between two steps up."""
CALM_S: Final = 10.0
"""After a cut: what it did shows in the averages only then."""
SLOWLY_S: Final = 30.0
CUT: Final = 0.7
LONGEST_PAUSE_S: Final = 30.0
SHORTEST_PAUSE_S: Final = 0.2
"""What gets shorter than this is none any more."""
MORE_STARTS: Final = 0.02
"""So many starts a second more are tried with each job that a host answers."""

_PRESSES: Final = {"memory": 0.10, "cpu": 0.60}
"""Shares of the time in which something waited for it; from there on workers are cut."""
_FULL: Final = {"memory": 0.05, "cpu": 0.40}
"""From there on they grow no more."""


class Signs(Struct, frozen=True, kw_only=True):
    """What was seen since the last look: pressures (0 to 1), jobs that took too long, and whether every
    worker is busy while jobs wait.
    """

    memory: float = 0.0
    cpu: float = 0.0
    timeouts: int = 0
    busy: bool = True


class Workers:
    """The number of workers, between `least` and `most`; it begins with `least`."""

    def __init__(self, least: int, most: int) -> None:
        self.count = least
        self._least, self._most = least, most
        self._ceiling = most + 1
        self._calm_until = self._grows_at = 0.0

    def look(self, now: float, signs: Signs) -> Cause | None:
        """Change `count` by what was seen; why, if it changed."""
        if now < self._calm_until:
            return None
        if (cause := _pressing(signs)) is not None:
            return cause if self._cut(now) else None
        if now < self._grows_at or not signs.busy or self.count >= self._most or _full(signs):
            return None
        self.count += 1
        self._grows_at = now + (LOOK_S if self.count + 1 < self._ceiling else SLOWLY_S)
        return "room"

    def _cut(self, now: float) -> bool:
        self._calm_until = now + CALM_S
        self._ceiling = self.count
        before, self.count = self.count, max(self._least, int(self.count * CUT))
        return self.count < before


def _pressing(signs: Signs) -> Cause | None:
    if signs.memory >= _PRESSES["memory"]:
        return "memory"
    if signs.cpu >= _PRESSES["cpu"]:
        return "cpu"
    return "timeouts" if signs.timeouts else None


def _full(signs: Signs) -> bool:
    return signs.memory >= _FULL["memory"] or signs.cpu >= _FULL["cpu"]


class Pauses:
    """By host, the seconds that lie between two starts against it: starts are halved where it complains,
    and grow by MORE_STARTS with each job that it answers.
    """

    def __init__(self) -> None:
        self._pauses: dict[str, float] = {}

    def complains(self, host: str) -> float | None:
        """It asked for less, did not answer, or not in time: the new pause, if it changed."""
        before = self._pauses.get(host, 0.0)
        self._pauses[host] = min(LONGEST_PAUSE_S, max(1.0, 2 * before))
        return self._pauses[host] if self._pauses[host] != before else None

    def answers(self, host: str) -> float | None:
        """A job against it ended well: the new pause, if it changed."""
        if (before := self._pauses.get(host)) is None:
            return None
        after = before / (1 + MORE_STARTS * before)
        if after < SHORTEST_PAUSE_S:
            del self._pauses[host]
            return 0.0
        self._pauses[host] = round(after, 3)
        return self._pauses[host]

    def of(self, host: str) -> float:
        """Seconds between two starts, as it is now."""
        return self._pauses.get(host, 0.0)
