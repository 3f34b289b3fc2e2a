"""The runs that there are, as a table, one to a row. Pure: rows in, rich renderables out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kastrun.model import SEVERITIES, JsonObject
from kastrun.terminal.wording import SEVERITY_STYLE, clean, span

_COLUMNS: Final = ("name", "run", "status", "took", "jobs", "findings", "exit")
_STYLES: Final = {"complete": "", "running": "cyan", "starting": "cyan"}


def runs(rows: Sequence[JsonObject]) -> RenderableType:
    """The rows as `kastrun runs --json` has them."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in _COLUMNS:
        narrow = name in ("run", "status", "took", "exit")
        table.add_column(name, no_wrap=narrow, overflow="fold", justify="right" if name == "took" else "left")
    for row in rows:
        status = Text(row["status"], style=_STYLES.get(row["status"], "yellow"))
        table.add_row(Text(clean(row["name"], 60)), Text(row["run"]), status, *_facts(row))
    return table


def _facts(row: JsonObject) -> tuple[Text, ...]:
    if "coverage" not in row:  # it has only begun, or cannot be read
        return Text(""), Text(clean(row.get("error", ""), 200)), Text(""), Text("")
    code = "" if row["exit_code"] is None else str(row["exit_code"])
    return Text(span(row["duration_s"])), Text(row["coverage"]), _findings(row), Text(code)


def _findings(row: JsonObject) -> Text:
    counts = row["findings"]
    told = Text()
    for severity in reversed(SEVERITIES):
        if severity in counts:
            told.append(", " if told else "")
            told.append(f"{counts[severity]:,} {severity}", SEVERITY_STYLE[severity])
    if accepted := sum(row["accepted"].values()):
        told.append(f" ({accepted:,} accepted)", "dim")
    return told or Text("none")
