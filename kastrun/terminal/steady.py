"""A screen that survives the loss of its terminal.

A run must not end because nobody looks: whoever closes the window, or ends the reader of
the pipe, loses the view and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kastrun.tally import Tally

if TYPE_CHECKING:
    from kastrun.terminal import Screen


class SteadyScreen:
    """Passes everything on to `screen` until that raises OSError, and from then on nothing."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lost = False

    def start(self, tally: Tally, now: float) -> None:
        """See Screen."""
        self._try(lambda: self._screen.start(tally, now))

    def update(self, tally: Tally, now: float) -> None:
        """See Screen."""
        self._try(lambda: self._screen.update(tally, now))

    def log(self, plugin: str, target: str, level: str, message: str, now: float) -> None:
        """See Screen."""
        self._try(lambda: self._screen.log(plugin, target, level, message, now))

    def note(self, text: str, now: float) -> None:
        """See Screen."""
        self._try(lambda: self._screen.note(text, now))

    def stop(self, tally: Tally, now: float) -> None:
        """See Screen."""
        self._try(lambda: self._screen.stop(tally, now))

    def _try(self, say: Callable[[], None]) -> None:
        if self._lost:
            return
        try:
            say()
        except OSError:
            # EPIPE, or EIO of a terminal that hung up: there is no one left to tell.
            self._lost = True
