"""What the page shows, made out of a view: plain values for the template, already counted and cut.

Bounds are said on the page, never silent: what is cut here is whole in `findings.jsonl` and the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

from kastrun.facts import JobEnded
from kastrun.model import SEVERITIES, Severity
from kastrun.report.comparison import Change, Counts, Kind
from kastrun.report.finding import Finding
from kastrun.report.page.drawing import Bar, Timeline
from kastrun.report.page.sections import sections
from kastrun.report.page.trend import Trend
from kastrun.report.view import View

MOST_TARGETS: Final = 200
"""Rows of the matrix."""
MOST_FAILURES: Final = 200
MOST_GONE: Final = 50
"""Of findings that only the earlier run has, or that have another severity."""
LONG: Final = 4_000
"""Characters of evidence, of stderr."""

Cell = Literal["found", "clean", "partial", "failed", "skipped", "none"]


class Square(Struct, kw_only=True):
    """One target and one plugin: how its jobs ended, and what they found."""

    kind: Cell = "none"
    worst: Severity | None = None
    count: int = 0
    why: str = ""


class Since(Struct, frozen=True, kw_only=True):
    """What has changed since an earlier run; of what only that one has the first few."""

    run: str
    started_at: str
    counts: dict[Kind, int]
    gone: list[Finding]
    not_scanned: list[Finding]
    turned: list[Change]


def facts(view: View) -> dict[str, Any]:
    """Everything that the template names."""
    parts, targets = sections(view), _matrix(view)
    counts = _severities(view)
    results = list(_some(view.results(), MOST_FAILURES, lambda job: job.status not in {"ok", "skipped"}))
    return {
        "run": view.run,
        "end": view.tally.end,
        "duration_s": view.tally.duration_s(),
        "exit": view.exit,
        "coverage": view.coverage,
        "followed": view.tally.followed,
        "severities": counts,
        "total": sum(counts.values()),
        "accepted": sum(part.count for part in parts if part.part == "accepted"),
        "since": _since(view),
        "trend": Trend.of(view),
        "incomplete": view.tally.incomplete_findings(),
        "sections": parts,
        "rules": sum(len(part.groups) for part in parts),
        "hidden": sum(part.hidden for part in parts),
        "plugins": sorted({outcome.plugin for outcome in view.tally.outcomes()}),
        "targets": dict(list(targets.items())[:MOST_TARGETS]),
        "targets_hidden": max(0, len(targets) - MOST_TARGETS),
        "failures": results,
        "failures_hidden": max(0, _unwell(view) - len(results)),
        "timeline": Timeline.of(view),
        "bars": [Bar.of(name, row) for name, row in _severities_by_target(view).items()],
        "contacts": view.tally.network.contacts(),
        "left_out": view.run.left_out[:MOST_FAILURES],
        "profile": view.profile,
        "long": LONG,
    }


def _severities(view: View) -> dict[Severity, int]:
    """Distinct findings, the gravest first, zeros too."""
    counts = dict.fromkeys(reversed(SEVERITIES), 0)
    for finding in view.findings():
        counts[finding.severity] += 1
    return counts


def _since(view: View) -> Since | None:
    comparison = view.since()
    if comparison is None:
        return None
    counts = Counts()
    listed: dict[Kind, list[Change]] = {"gone": [], "not_scanned": [], "changed": []}
    for change in comparison.changes():
        counts.take(change, view.run.fail_on)
        some = listed.get(change.kind)
        if some is not None and len(some) < MOST_GONE:
            some.append(change)
    before = comparison.before.run
    return Since(
        run=before.run,
        started_at=before.started_at,
        counts=counts.of,
        gone=[each.finding for each in listed["gone"]],
        not_scanned=[each.finding for each in listed["not_scanned"]],
        turned=listed["changed"],
    )


def _matrix(view: View) -> dict[str, dict[str, Square]]:
    """By target and plugin; a square that no job had stays `none`, and is never taken for clean."""
    rows: dict[str, dict[str, Square]] = {}
    for job in view.results():
        square = rows.setdefault(job.target, {}).setdefault(job.plugin, Square())
        kind = _kind(job)
        if square.kind in {"none", "skipped", "clean"}:
            square.kind, square.why = kind, job.reason or ""
    for finding in view.findings():
        square = rows.setdefault(finding.target, {}).setdefault(finding.plugin, Square())
        square.count += 1
        if square.worst is None or SEVERITIES.index(finding.severity) > SEVERITIES.index(square.worst):
            square.worst = finding.severity
        if square.kind == "clean":
            square.kind = "found"
    return rows


def _kind(job: JobEnded) -> Cell:
    if job.status == "ok":
        return "clean"
    if job.status == "partial":
        return "partial"
    return "skipped" if job.status == "skipped" and job.reason != "upstream_failed" else "failed"


def _severities_by_target(view: View) -> dict[str, dict[Severity, int]]:
    rows: dict[str, dict[Severity, int]] = {}
    for finding in view.findings():
        row = rows.setdefault(finding.target, {})
        row[finding.severity] = row.get(finding.severity, 0) + 1
    weight = {severity: 10**number for number, severity in enumerate(SEVERITIES)}
    gravest = sorted(rows, key=lambda name: -sum(weight[each] * count for each, count in rows[name].items()))
    return {name: rows[name] for name in gravest[:20]}


def _unwell(view: View) -> int:
    return sum(outcome.count for outcome in view.tally.outcomes() if outcome.status not in {"ok", "skipped"})


def _some(jobs: Iterable[JobEnded], most: int, wanted: Any) -> Iterable[JobEnded]:
    for job in jobs:
        if wanted(job):
            yield job
            most -= 1
            if not most:
                return
