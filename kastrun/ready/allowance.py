"""May a job start now? The one place that says so, for the run, for a plugin and for a host.

Knows what runs and how much was started when; neither order nor jobs. A host is a name or an
address as it is written (docs/targets.md): nothing is resolved here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final

from msgspec import Struct

from kastrun.model import Rate, Target

_KEPT: Final = 4096
"""So many hosts' rates are remembered before those that are idle are looked for."""


class Caps(Struct, frozen=True, kw_only=True):
    """What a profile allows: jobs at once against a host, starts in time, processes by plugin."""

    per_host: int | None = None
    rate: Rate | None = None
    per_host_rate: Rate | None = None
    plugins: Mapping[str, int] = {}

    def untimed(self) -> Caps:
        """The same where time does not pass."""
        return Caps(per_host=self.per_host, plugins=self.plugins)


UNCAPPED: Final = Caps()


def host_of(target: Target) -> str:
    """Against whom a job counts; what has no host (a network as a whole, a file) is its own."""
    return target.host or target.value


class Allowance:
    """Each `…opens` is the moment from which one more may start; `inf`: only an end can tell."""

    def __init__(self, caps: Caps, clock: Callable[[], float]) -> None:
        self._caps = caps
        self._clock = clock
        self._by_host: dict[str, int] = {}
        self._by_plugin: dict[str, int] = {}
        self._due = -inf
        self._due_by_host: dict[str, float] = {}
        self._kept = _KEPT
        self._spaces: dict[str, float] = {}
        self._held: dict[str, float] = {}

    def opens(self) -> float:
        """For any job at all."""
        return _opens(self._caps.rate, self._due)

    def plugin_opens(self, plugin: str) -> float:
        """For one more process of a plugin."""
        most = self._caps.plugins.get(plugin)
        return -inf if most is None or self._by_plugin.get(plugin, 0) < most else inf

    def host_opens(self, host: str) -> float:
        """For one more job against a host."""
        most = self._caps.per_host
        if most is not None and self._by_host.get(host, 0) >= most:
            return inf
        opens = _opens(self._caps.per_host_rate, self._due_by_host.get(host, -inf))
        return max(opens, self._held.get(host, -inf)) if self._held else opens

    def space(self, host: str, seconds: float) -> None:
        """From now on so many seconds lie between two starts against `host`, the first of them begin now."""
        if seconds:
            self._spaces[host] = seconds
            self._held[host] = self._clock() + seconds
        else:
            self._spaces.pop(host, None)
            self._held.pop(host, None)

    def reserve(self, host: str) -> None:
        """One more job of the process that is about to start is against this host."""
        if self._caps.per_host is not None:
            self._by_host[host] = self._by_host.get(host, 0) + 1

    def started(self, plugin: str, hosts: Sequence[str]) -> None:
        """A process has started, with a job against each of `hosts`, all of them reserved.

        All its jobs are paid for at once, and what that takes beyond the burst is owed.
        """
        self._by_plugin[plugin] = self._by_plugin.get(plugin, 0) + 1
        now = self._clock()
        for host in hosts if self._spaces else ():
            if host in self._spaces:
                self._held[host] = now + self._spaces[host]
        if (rate := self._caps.rate) is not None:
            self._due = max(self._due, now) + len(hosts) / rate.per_s
        if (rate := self._caps.per_host_rate) is not None:
            for host in hosts:
                self._due_by_host[host] = max(self._due_by_host.get(host, now), now) + 1 / rate.per_s
            self._forget(now)

    def ended(self, plugin: str, hosts: Sequence[str]) -> None:
        """The process is gone."""
        self._by_plugin[plugin] -= 1
        if self._caps.per_host is not None:
            for host in hosts:
                self._by_host[host] -= 1
                if not self._by_host[host]:
                    del self._by_host[host]

    def _forget(self, now: float) -> None:
        """Hosts that owe nothing are as new ones."""
        if len(self._due_by_host) > self._kept:
            self._due_by_host = {host: due for host, due in self._due_by_host.items() if due > now}
            self._kept = max(_KEPT, 2 * len(self._due_by_host))


def _opens(rate: Rate | None, due: float) -> float:
    """A bucket holds `burst` tokens, and is full again at `due`: from when on has it one?"""
    return -inf if rate is None else due - (rate.burst - 1) / rate.per_s
