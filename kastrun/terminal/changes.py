"""What became of the findings between two runs, for people: counts, then what is new, the gravest first.

Pure: a comparison in, rich renderables out. What is unchanged is counted and not listed.
"""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from kastrun.model import SEVERITIES, Severity
from kastrun.report.comparison import KINDS, WORDS, Change, Comparison, Counts, Kind, verdict
from kastrun.report.view import View
from kastrun.tally import ExitCode
from kastrun.terminal.layout import facts, grid, more, section
from kastrun.terminal.wording import SEVERITY_STYLE, clean

_SHOWN: Final = 20
_TITLES: Final[dict[Kind, str]] = {
    "new": "New",
    "changed": "Of another severity",
    "gone": "Gone",
    "not_scanned": "Not scanned: the later run has not looked, so they may be there",
}
_DOUBTS: Final[dict[Kind, str]] = {
    "new": "the earlier run has not looked with this plugin and these options",
    "gone": "the plugin or its options have changed since",
}

_Listed = dict[tuple[Kind, Severity], list[Change]]


def changes(
    comparison: Comparison, fail_on: str, *, verbose: bool = False
) -> tuple[RenderableType, ExitCode]:
    """Everything to print, and the exit code; `verbose` lists all, else 20 of a kind."""
    counts, listed = _gather(comparison, fail_on, None if verbose else _SHOWN)
    code = verdict(counts, fail_on, comparison.after)
    parts = [_section(kind, counts, listed, verbose) for kind in _TITLES if counts.of[kind]]
    blocks = [block for part in parts for block in (Text(), part)]
    return Group(_head(comparison, counts), *blocks, Text(), _exit(code)), code


def _gather(comparison: Comparison, fail_on: str, most: int | None) -> tuple[Counts, _Listed]:
    """Counts of all, and the first of each kind and severity: a million would not be read."""
    counts = Counts()
    listed: _Listed = {}
    for change in comparison.changes():
        counts.take(change, fail_on)
        some = listed.setdefault((change.kind, change.finding.severity), [])
        if change.kind in _TITLES and (most is None or len(some) < most):
            some.append(change)
    return counts, listed


def _head(comparison: Comparison, counts: Counts) -> RenderableType:
    said = Text()
    for kind in KINDS:
        if counts.of[kind] or kind == "new":
            said.append(", " if said else "").append(f"{counts.of[kind]:,} {WORDS[kind]}")
    said.stylize("bold")
    return Group(
        facts([("Before", _run(comparison.before)), ("After", _run(comparison.after))]), Text(), said
    )


def _run(view: View) -> Text:
    run = view.run
    return Text(f"{clean(run.name)} {clean(run.run)}, {view.coverage.sentence()}")


def _section(kind: Kind, counts: Counts, listed: _Listed, verbose: bool) -> RenderableType:
    shown = [
        change for severity in reversed(SEVERITIES) for change in listed.get((kind, severity), ())
    ]  # the gravest first
    shown = shown if verbose else shown[:_SHOWN]
    table = grid(2)
    for change in shown:
        severity = change.finding.severity
        table.add_row(Text(severity, style=SEVERITY_STYLE[severity]), _told(change))
    return section(
        f"{_TITLES[kind]} ({counts.of[kind]:,})", [table, *more(counts.of[kind] - len(shown), "more finding")]
    )


def _told(change: Change) -> Text:
    finding = change.finding
    told = Text(clean(finding.title, 200))
    if change.before is not None:
        told.append(f" (was {change.before})", style="yellow")
    told.append(
        f"\n{clean(finding.plugin)} {clean(finding.rule, 60)}: {clean(finding.where, 200)}", style="dim"
    )
    if finding.accepted:
        told.append("\naccepted in the baseline", style="dim")
    if not change.certain and change.kind in _DOUBTS:
        told.append(f"\n{_DOUBTS[change.kind]}", style="dim yellow")
    return told


def _exit(code: ExitCode) -> RenderableType:
    return facts([(f"Exit code {code.code}", Text(f"{clean(code.why)}."))])
