"""How many jobs are running, and a wait for the next end: what the launcher sleeps on.

Used in the trio thread only, so a count and an event are enough.
"""

from __future__ import annotations

import trio


class Turn:
    """Counts starts and ends; `next_end` returns at the first end after it was called."""

    def __init__(self) -> None:
        self.running = 0
        self._event = trio.Event()

    def started(self) -> None:
        """One more runs."""
        self.running += 1

    def ended(self) -> None:
        """One has ended; whoever waits is woken."""
        self.running -= 1
        self.nudge()

    def nudge(self) -> None:
        """Whoever waits is woken, though none has ended."""
        self._event.set()
        self._event = trio.Event()

    async def next_end(self) -> None:
        """Wait until a running job has ended."""
        await self._event.wait()
