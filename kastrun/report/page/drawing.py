"""The page's pictures as coordinates: when which job ran, and how grave what was found is. No markup."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from kastrun.facts import JobEnded
from kastrun.model import SEVERITIES, Severity
from kastrun.report.view import View
from kastrun.tally import moment

MOST_SPANS: Final = 1_500
_GAP_S: Final = 0.0005
"""Times are rounded to the millisecond: a lane is free a little before its last job's end."""


class Span(Struct, frozen=True, kw_only=True):
    """One job on the timeline: its lane, and its beginning and length in percent of the whole."""

    lane: int
    begin: float
    length: float
    status: str
    label: str


class Timeline(Struct, frozen=True, kw_only=True):
    """Jobs in lanes, one a worker. `hidden` are those too many to draw: the shortest."""

    spans: list[Span]
    lanes: int
    seconds: float
    hidden: int

    @classmethod
    def of(cls, view: View) -> Timeline:
        """Of the jobs that had a process."""
        ran = [job for job in view.results() if job.timings.duration_s > 0]
        drawn = sorted(ran, key=lambda job: -job.timings.duration_s)[:MOST_SPANS]
        if not drawn:
            return cls(spans=[], lanes=0, seconds=0.0, hidden=0)
        begins = {job.job: moment(job.timings.started_at) for job in drawn}
        first = min(begins.values())
        last = max(begins[job.job] + job.timings.duration_s for job in drawn)
        whole = max(last - first, 0.001)
        free: list[float] = []
        spans = [
            _span(job, begins[job.job] - first, whole, free)
            for job in sorted(drawn, key=lambda job: begins[job.job])
        ]
        return cls(spans=spans, lanes=len(free), seconds=whole, hidden=len(ran) - len(drawn))


def _span(job: JobEnded, begin: float, whole: float, free: list[float]) -> Span:
    """A job in the first lane that is free when it begins; `free` says when each lane is."""
    end = begin + job.timings.duration_s
    lane = next((number for number, at in enumerate(free) if at <= begin + _GAP_S), len(free))
    if lane == len(free):
        free.append(end)
    free[lane] = end
    label = f"{job.plugin} {job.target}: {job.reason or job.status}, {job.timings.duration_s:.1f} s"
    return Span(
        lane=lane,
        begin=100 * begin / whole,
        length=max(100 * job.timings.duration_s / whole, 0.15),
        status=job.status,
        label=label,
    )


class Bar(Struct, frozen=True, kw_only=True):
    """How much of what severity one target has, gravest first."""

    name: str
    total: int
    parts: list[tuple[Severity, int]]

    @classmethod
    def of(cls, name: str, row: dict[Severity, int]) -> Bar:
        """From counts by severity."""
        parts = [(severity, row[severity]) for severity in reversed(SEVERITIES) if severity in row]
        return cls(name=name, total=sum(row.values()), parts=parts)
