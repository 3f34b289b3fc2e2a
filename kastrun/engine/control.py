"""The user's hand on a run: stop politely, then stop now.

Stopping cancels the nursery of jobs: nothing more starts, what runs gets its grace and its
result. Hurrying takes the grace away. Both may be asked for at any moment, and twice.
"""

from __future__ import annotations

from collections.abc import Callable

import trio


class Control:
    """Shared by the run and by whoever hears the signals; used in the trio thread only."""

    def __init__(self) -> None:
        self.stopping = False
        self.hurrying = False
        self.given_up: dict[str, int] = {}
        """Processes that are to end by hand, and how many jobs share each."""
        self.launcher_lost = False
        """No child can be started any more: the engine starts nothing more, what runs goes on to its end."""
        self._scope: trio.CancelScope | None = None
        self._wakers: set[Callable[[], None]] = set()

    def attach(self, scope: trio.CancelScope) -> None:
        """The engine names the scope that holds its jobs."""
        self._scope = scope
        if self.stopping:
            scope.cancel()

    def stop(self) -> None:
        """Start nothing more, end what runs; the second time, without grace."""
        if self.stopping:
            self.hurry()
        self.stopping = True
        if self._scope is not None:
            self._scope.cancel()

    def hurry(self) -> None:
        """Kill what runs, now."""
        self.stopping = self.hurrying = True
        if self._scope is not None:
            self._scope.cancel()
        for wake in tuple(self._wakers):
            wake()

    def give_up(self, process: str, jobs: int) -> None:
        """End one process, and the run goes on."""
        self.given_up[process] = jobs
        for wake in tuple(self._wakers):
            wake()

    def listen(self, wake: Callable[[], None]) -> None:
        """`wake` is called when the hurry begins."""
        self._wakers.add(wake)

    def ignore(self, wake: Callable[[], None]) -> None:
        """No more."""
        self._wakers.discard(wake)
