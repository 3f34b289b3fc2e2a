"""Findings and durations over the runs of one profile, as coordinates: a column a run. No markup."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from kastrun.model import SEVERITIES, Severity
from kastrun.report.past import Found, Past
from kastrun.report.view import View

HEIGHT: Final = 120
WIDTH: Final = 1000
_WIDEST: Final = 70.0
_GAP: Final = 0.25
"""Of a column: what is left free beside its bar."""


class Part(Struct, frozen=True, kw_only=True):
    """One severity of one run, as a piece of its bar."""

    severity: Severity
    y: float
    height: float


class Column(Struct, frozen=True, kw_only=True):
    """One run: what it found and took, and where its two bars stand. `whole`: it did all of its work."""

    run: str
    started_at: str
    counts: dict[Severity, int]
    total: int
    seconds: float
    jobs: str
    whole: bool
    x: float
    width: float
    parts: list[Part]
    took_y: float


class Trend(Struct, frozen=True, kw_only=True):
    """Every run that is drawn, the oldest first; `most` and `longest` are what full height means."""

    columns: list[Column]
    most: int
    longest: float

    @classmethod
    def of(cls, view: View) -> Trend | None:
        """Of the earlier runs that lie beside this one, and this one; None where there is none."""
        past = view.past()
        if not past:
            return None
        runs = [*past, _present(view)]
        most = max(1, *(sum(each.findings.by_severity.values()) for each in runs))
        longest = max(0.001, *(each.duration_s for each in runs))
        step = min(WIDTH / len(runs), _WIDEST / (1 - _GAP))
        columns = [_column(each, number * step, step, most, longest) for number, each in enumerate(runs)]
        return cls(columns=columns, most=most, longest=longest)


def _present(view: View) -> Past:
    """The run itself, as its `run.json` has it."""
    run, end = view.run, view.tally.end
    return Past(
        run=run.run,
        name=run.name,
        status=end.status if end else "killed",
        started_at=run.started_at,
        duration_s=view.tally.duration_s(),
        exit=view.exit,
        coverage=view.coverage,
        findings=Found(by_severity=view.tally.severities()),
    )


def _column(run: Past, x: float, step: float, most: int, longest: float) -> Column:
    top = float(HEIGHT)
    parts: list[Part] = []
    counts = run.findings.by_severity
    for severity in SEVERITIES:  # the mildest at the foot
        if count := counts.get(severity, 0):
            height = HEIGHT * count / most
            top -= height
            parts.append(Part(severity=severity, y=top, height=height))
    return Column(
        run=run.run,
        started_at=run.started_at,
        counts={part.severity: counts[part.severity] for part in reversed(parts)},
        total=sum(counts.values()),
        seconds=run.duration_s,
        jobs=run.coverage.sentence(),
        whole=run.coverage.complete,
        x=x + step * _GAP / 2,
        width=step * (1 - _GAP),
        parts=parts,
        took_y=HEIGHT * (1 - run.duration_s / longest),
    )
