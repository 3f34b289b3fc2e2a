"""How what is printed at an end is laid out: sections, aligned columns, facts with their names. No words.

Pure rich renderables, for the console that prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kastrun.terminal.wording import counted


def section(title: str, body: Iterable[RenderableType]) -> Group:
    """A title, and what is under it a little to the right."""
    return Group(Text(title, style="bold underline"), *(Padding(line, (0, 0, 0, 2)) for line in body))


def more(count: int, noun: str) -> list[RenderableType]:
    """How many more there are than were shown; nothing where that is none."""
    return [Text(f"and {counted(count, noun)}", style="dim")] if count > 0 else []


def facts(rows: Sequence[tuple[str, Text]]) -> Table:
    """Names and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True, min_width=13)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def grid(columns: int, first: Literal["left", "right"] = "left") -> Table:
    """Columns that are as wide as what is in them; the first is never folded."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify=first, no_wrap=True)
    for _ in range(columns - 1):
        table.add_column(overflow="fold")
    return table
