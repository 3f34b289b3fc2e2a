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
        self._second = (0, "")

    def now(self) -> float:
        """Seconds on the monotonic clock."""
        return trio.current_time()

    def stamp_wall(self, seconds: float) -> str:
        """`seconds` since 1970, as another process's clock had them, as `stamp` writes them."""
        return self.stamp(seconds - self._anchor)

    def stamp(self, moment: float) -> str:
        """`moment` as RFC 3339 UTC with milliseconds."""
        seconds, milliseconds = divmod(int((self._anchor + moment) * 1000), 1000)
        if seconds != self._second[0]:  # most stamps are of the same second as the one before
            text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = (seconds, text)
        return f"{self._second[1]}.{milliseconds:03d}Z"
