"""Interleaved rounds and their medians, as a table or as JSON: what every benchmark here shares.

Contenders take turns within a round, so that the machine's mood falls on all alike, and the
first round, which fills caches, is not counted. Times move from machine to machine; the
ratios to the first contender are what may be compared. No kastrun and no workload in here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

Measure = Callable[[], float]
"""Runs one contender once; its figure, in the unit of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender: median, least and most, and the median's ratio to the first one's (None: to 0)."""

    name: str
    median: float
    least: float
    most: float
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one comparison gave. `goals` are the ratios wanted of kastrun, in words."""

    title: str
    unit: str
    rounds: int
    rows: list[Row]
    goals: list[str]


def parser(about: str | None, rounds: int = 5) -> argparse.ArgumentParser:
    """`--rounds` and `--json`, which every benchmark knows; for those that know more."""
    found = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    found.add_argument("--rounds", type=int, default=rounds, help=f"counted rounds (default: {rounds})")
    found.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return found


def arguments(about: str | None, rounds: int = 5) -> argparse.Namespace:
    """The usual ones, read."""
    return parser(about, rounds).parse_args()


def compare(
    title: str, unit: str, contenders: Mapping[str, Measure], rounds: int, goals: list[str] | None = None
) -> Table:
    """Let the contenders take turns; the first one is what the others are measured against."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, measure in contenders.items():
            _note(f"{title}: round {number} of {rounds}: {name}")
            figure = measure()
            if number:
                figures[name].append(figure)
    _note("")
    base = statistics.median(next(iter(figures.values())))
    rows = [_row(name.replace("|", "\\|"), found, base) for name, found in figures.items()]
    return Table(title=title, unit=unit, rounds=rounds, rows=rows, goals=goals or [])


def show(tables: list[Table], *, as_json: bool) -> None:
    """Print what was found on standard output."""
    if as_json:
        print(json.dumps([asdict(table) for table in tables], indent=2, ensure_ascii=False))
        return
    for table in tables:
        print(text(table))


def text(table: Table) -> str:
    """The table in Markdown, as it stands in README.md."""
    lines = [f"**{table.title}**; median of {table.rounds}, interleaved", ""]
    lines += [f"| | {table.unit} | least – most | ratio |", "|-|-:|-:|-:|"]
    lines += [
        f"| {row.name} | {_number(row.median)} | {_number(row.least)} – {_number(row.most)} | {_ratio(row)} |"
        for row in table.rows
    ]
    lines += ["", *(f"Goal: {goal}." for goal in table.goals)]
    return "\n".join(lines).rstrip() + "\n"


def _row(name: str, figures: list[float], base: float) -> Row:
    median = statistics.median(figures)
    return Row(
        name=name, median=median, least=min(figures), most=max(figures), ratio=median / base if base else None
    )


def _ratio(row: Row) -> str:
    return "–" if row.ratio is None else f"{row.ratio:.2f}"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _note(text: str) -> None:
    """What goes on, on standard error and only for someone who looks on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
