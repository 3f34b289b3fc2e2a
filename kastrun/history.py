"""How long jobs took in earlier runs of a profile, and so how long they may take now.

Floor 2, pure. A figure a plugin, and one for each of the few jobs that took far longer than
their plugin's others: those are the ones that must not begin last.
"""

from __future__ import annotations

from heapq import heappush, heappushpop
from typing import Final

from msgspec import Struct

from kastrun.facts import JobEnded

OUTLIERS: Final = 1000
"""So many single jobs are remembered, the longest."""
_TIMES: Final = 2.0
"""A job is one of them where it took more than so many times its plugin's mean."""
_TIMEOUTS: Final = frozenset({"total_timeout", "idle_timeout"})


class History(Struct, frozen=True, kw_only=True):
    """Seconds by plugin, on average, and by job id where a job is far from that."""

    plugins: dict[str, float] = {}
    jobs: dict[str, float] = {}


class Learning:
    """Takes the results of a run, in any number; `history` is then what to expect of the next."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, float]] = {}
        self._longest: list[tuple[float, str, str]] = []

    def take(self, result: JobEnded) -> None:
        """What failed early says nothing of how long its work takes; what ran out of time does."""
        if result.status not in {"ok", "partial"} and result.reason not in _TIMEOUTS:
            return
        seconds = result.timings.duration_s / (result.batch or 1)
        count, total = self._sums.get(result.plugin, (0, 0.0))
        self._sums[result.plugin] = (count + 1, total + seconds)
        keep = heappush if len(self._longest) < OUTLIERS else heappushpop
        keep(self._longest, (seconds, result.job, result.plugin))

    def history(self, before: History) -> History:
        """The newest run counts; plugins that were not in it keep their figure."""
        means = {plugin: total / count for plugin, (count, total) in self._sums.items()}
        return History(
            plugins={**before.plugins, **{plugin: round(mean, 3) for plugin, mean in means.items()}},
            jobs={
                job: round(seconds, 3)
                for seconds, job, plugin in sorted(self._longest, reverse=True)
                if seconds > _TIMES * means[plugin]
            },
        )
