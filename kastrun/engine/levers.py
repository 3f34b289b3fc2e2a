"""What of a run under way may be moved from outside: how many workers, and hosts that are left alone.

Used in the trio thread only. Before the engine runs, and after, moving one does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from kastrun.ready import ReadyQueue


class Levers:
    """Made by who moves them, attached by the engine."""

    def __init__(self) -> None:
        self._tokens: trio.CapacityLimiter | None = None
        self._queue: ReadyQueue | None = None
        self._wake: Callable[[], None] = lambda: None

    def attach(self, tokens: trio.CapacityLimiter, queue: ReadyQueue, wake: Callable[[], None]) -> None:
        """The engine's limiter, its queue, and how it is told to look again."""
        self._tokens, self._queue, self._wake = tokens, queue, wake

    @property
    def busy(self) -> bool:
        """Whether every worker has something to do."""
        return self._tokens is not None and self._tokens.available_tokens <= 0

    def workers(self, count: int) -> None:
        """So many jobs at once from now on; what runs beyond that goes on to its end."""
        if self._tokens is not None:
            self._tokens.total_tokens = count
            self._wake()

    def space(self, host: str, seconds: float) -> None:
        """Between two starts against `host` lie so many seconds from now on; the first of them now."""
        if self._queue is not None:
            self._queue.space(host, seconds)
            self._wake()
