"""What the page shows, made out of a view: plain values for the template, already counted and cut.

Bounds are said on the page, never silent: what is cut here is whole in `findings.jsonl` and the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct, field

from kastrun.facts import JobEnded
from kastrun.model import SEVERITIES, Severity
from kastrun.report.finding import Finding
from kastrun.report.page.drawing import Bar, Timeline
from kastrun.report.rules import Rule, gather, worst_first
from kastrun.report.view import View

MOST_INSTANCES: Final = 2_000
"""Findings shown one by one; 50 of one rule at the most."""
OF_A_RULE: Final = 50
MOST_TARGETS: Final = 200
"""Rows of the matrix."""
MOST_FAILURES: Final = 200
LONG: Final = 4_000
"""Characters of evidence, of stderr."""

Cell = Literal["found", "clean", "partial", "failed", "skipped", "none"]


class Square(Struct, kw_only=True):
    """One target and one plugin: how its jobs ended, and what they found."""

    kind: Cell = "none"
    worst: Severity | None = None
    count: int = 0
    why: str = ""


class Group(Struct, kw_only=True):
    """A rule with the findings that are shown of it."""

    rule: Rule
    shown: list[Finding] = field(default_factory=list)


def facts(view: View) -> dict[str, Any]:
    """Everything that the template names."""
    rules = gather(view.findings())
    groups, targets = _groups(view, rules), _matrix(view)
    results = list(_some(view.results(), MOST_FAILURES, lambda job: job.status not in {"ok", "skipped"}))
    return {
        "run": view.run,
        "end": view.tally.end,
        "duration_s": view.tally.duration_s(),
        "exit": view.exit,
        "coverage": view.coverage,
        "severities": {
            severity: view.tally.severities().get(severity, 0) for severity in reversed(SEVERITIES)
        },
        "total": sum(rule.count for rule in rules.values()),
        "followed": view.tally.followed,
        "incomplete": view.tally.incomplete_findings(),
        "groups": groups,
        "hidden": sum(group.rule.count - len(group.shown) for group in groups),
        "plugins": sorted({outcome.plugin for outcome in view.tally.outcomes()}),
        "targets": dict(list(targets.items())[:MOST_TARGETS]),
        "targets_hidden": max(0, len(targets) - MOST_TARGETS),
        "failures": results,
        "failures_hidden": max(0, _unwell(view) - len(results)),
        "timeline": Timeline.of(view),
        "bars": [Bar.of(name, row) for name, row in _severities_by_target(view).items()],
        "left_out": view.run.left_out[:MOST_FAILURES],
        "profile": view.profile,
        "long": LONG,
    }


def _groups(view: View, rules: dict[str, Rule]) -> list[Group]:
    groups = {rule.name: Group(rule=rule) for rule in worst_first(rules.values())}
    room = MOST_INSTANCES
    for finding in view.findings():
        shown = groups[finding.name].shown
        if room and len(shown) < OF_A_RULE:
            shown.append(finding)
            room -= 1
    return list(groups.values())


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
