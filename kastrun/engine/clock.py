"""One clock for a run: monotonic time for every span, anchored once to the wall for people.

Times come from trio's clock only, so that a step of the system's clock in the middle of
a night's scan bends no duration.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import trio


class Clock:
    """Made inside the trio run; `now` is in seconds of trio's clock."""

    def __init__(self) -> None:
        self._anchor = time.time() - trio.current_time()
        self.began = trio.current_time()

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return trio.current_time()

    def stamp(self, moment: float) -> str:
        """`moment` as RFC 3339 UTC with milliseconds."""
        wall = datetime.fromtimestamp(self._anchor + moment, UTC)
        return wall.strftime("%Y-%m-%dT%H:%M:%S.") + f"{wall.microsecond // 1000:03d}Z"
