"""Puts the live view on a terminal: erases what it drew, draws again, and restores the cursor.

The only thing here that knows escape sequences. No thread (rich's Live has one): the run's
own task calls `update`, which draws at most every INTERVAL_S and as one write, so nothing
tears. What happens for good (a failure, a log line) is written above the view and scrolls.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from io import StringIO
from typing import Final, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from kastrun.facts import JobEnded
from kastrun.tally import Tally
from kastrun.terminal.choice import Choice
from kastrun.terminal.failure import details, headline, word
from kastrun.terminal.live import render
from kastrun.terminal.plain import log_line, new_failures
from kastrun.terminal.wording import at, clean, counted

INTERVAL_S: Final = 0.2
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_SIZE: Final = os.terminal_size((80, 24))


def size_of(file: TextIO) -> os.terminal_size:
    """Columns and lines of the terminal behind `file`; 80 × 24 where it does not say."""
    try:
        size = os.get_terminal_size(file.fileno())
    except (OSError, ValueError):
        return _SIZE
    return size if size.columns > 0 and size.lines > 0 else _SIZE


def takes_more(file: TextIO) -> bool:
    """Whether writing would not block: a terminal stopped with Ctrl-S must not stop the run."""
    try:
        return bool(select.select([], [file.fileno()], [], 0)[1])
    except (OSError, ValueError):
        return True


class LiveScreen:
    """Draws the run on `file`, which must be a terminal. `size` may be replaced in tests."""

    def __init__(
        self,
        file: TextIO,
        *,
        verbose: bool = False,
        color: bool = True,
        size: Callable[[TextIO], os.terminal_size] = size_of,
        choice: Choice | None = None,
    ) -> None:
        self._file = file
        self._verbose = verbose
        self._color = color
        self._size = size
        self._choice = choice
        self._ascii = "utf" not in (file.encoding or "").lower()
        self._seen = 0
        self._drawn_at = float("-inf")
        self._above: list[RenderableType] = []
        self._widths: list[int] = []

    def start(self, tally: Tally, now: float) -> None:
        """Hide the cursor and draw for the first time."""
        self._seen = tally.failures_seen
        self._file.write(_HIDE)
        self._draw(tally, now)

    def update(self, tally: Tally, now: float) -> None:
        """Draw again, unless that was done a moment ago."""
        due = now - self._drawn_at >= INTERVAL_S or now < self._drawn_at
        if due and takes_more(self._file):
            self._draw(tally, now)

    def log(self, plugin: str, target: str, level: str, message: str, now: float) -> None:
        """Write what a plugin logged above the view at the next drawing, where the user asked for it."""
        if self._verbose:
            style = {"error": "red", "warn": "yellow"}.get(level, "dim")
            self._above.append(Text(log_line(plugin, target, level, message, now), style=style))

    def note(self, text: str, now: float) -> None:
        """Write something of kastrun's own above the view at the next drawing."""
        self._drawn_at = float("-inf")
        self._above.append(Text(f"{at(now)} {clean(text)}", style="bold"))

    def stop(self, tally: Tally, now: float) -> None:
        """Write what is still to be said, take the view away and give the cursor back."""
        self._take_failures(tally, now)
        columns = self._size(self._file).columns
        self._file.write(self._rewind(columns) + self._said(columns) + "\x1b[J" + _SHOW)
        self._file.flush()
        self._widths = []

    def _draw(self, tally: Tally, now: float) -> None:
        self._take_failures(tally, now)
        columns, lines = self._size(self._file)
        room = max(1, lines - 1)
        view = render(tally, now, columns, room, ascii_only=self._ascii, choice=self._choice)
        painted = self._paint(view, columns)
        self._file.write(self._rewind(columns) + self._said(columns) + painted + "\x1b[J")
        self._file.flush()
        self._widths = [line.cell_len for line in view.renderables if isinstance(line, Text)]
        self._drawn_at = now

    def _rewind(self, columns: int) -> str:
        """Back to where the view began: a terminal made narrower has wrapped its lines."""
        rows = sum(max(1, -(-width // columns)) for width in self._widths)
        return f"\x1b[{rows}F" if rows else ""

    def _said(self, columns: int) -> str:
        said = "".join(self._paint(line, columns) for line in self._above)
        self._above.clear()
        return said

    def _paint(self, view: RenderableType, columns: int) -> str:
        out = StringIO()
        console = Console(
            file=out, force_terminal=True, width=columns, no_color=not self._color, highlight=False,
            legacy_windows=False, markup=False, emoji=False,
        )  # fmt: skip
        console.print(view)
        # Each line clears what an older one left behind it, rather than the whole view flashing.
        return out.getvalue().replace("\n", "\x1b[K\n")

    def _take_failures(self, tally: Tally, now: float) -> None:
        failures, more = new_failures(tally, self._seen)
        self._seen = tally.failures_seen
        for fact in failures:
            self._above.append(_failure(fact, now))
            for style, line in details(fact, verbose=True) if self._verbose else ():
                self._above.append(Text(f"    {line}", style=style))
        if more:
            self._above.append(Text(f"{at(now)} and {counted(more, 'more failure')}", style="red"))


def _failure(fact: JobEnded, now: float) -> Text:
    what, reason, message = headline(fact)
    line = Text(f"{at(now)} ", style="dim").append(word(fact), style="bold red")
    line.append(f" {what} ", style="not dim").append(reason, style="not dim red")
    return line.append(f": {message}" if message else "", style="not dim")
