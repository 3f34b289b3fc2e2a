"""Outside of the profile's window nothing new starts: jobs wait at this door, and the screen says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import trio

from kastrun.profile.window import Window, is_open, opens, said
from kastrun.tally import Tally
from kastrun.terminal import Screen
from kastrun.terminal.wording import span

LOOK_S: Final = 30.0
"""The wall's clock is looked at this often: it may be set while nobody starts anything."""


class Opening:
    """The door of one run. `wall` is the time in seconds since 1970."""

    def __init__(
        self, window: Window | None, tally: Tally, screen: Screen, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._window, self._tally, self._screen, self._wall = window, tally, screen, wall

    async def wait(self) -> None:
        """Until a job may start. Many may wait at once; it is said once."""
        window = self._window
        if window is None:
            return
        while not is_open(window, now := self._wall()):
            until = opens(window, now)
            if not self._tally.held:
                self._close(window, now, until)
            await trio.sleep(min(until - now, LOOK_S))
        if self._tally.held:
            self._tally.held = ""
            self._screen.note("the window is open: the run goes on", now)

    def _close(self, window: Window, now: float, until: float) -> None:
        zone, left = window.zone.key, span(until - now)
        self._tally.held = f"outside of the window: nothing starts before {said(window, until)} {zone}"
        self._screen.note(f"{self._tally.held} (in {left}); Ctrl-C stops, a resume goes on", now)
