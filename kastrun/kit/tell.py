"""Reports as text: TAP 14 for programs, a table for people, JSON. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from kastrun.kit.conduct import Report
from kastrun.kit.verdict import Result
from kastrun.model import JsonObject
from kastrun.terminal.wording import clean

_COLOURS: Final = {"pass": "32", "fail": "1;31", "warn": "33", "skip": "36"}
_MOST: Final = 600
"""Characters of a reason that are shown; whatever a plugin printed may be in it."""


def tap(reports: Sequence[Report]) -> str:
    """TAP version 14: one test point a check and plugin; a failure or a warning has its diagnostic."""
    named = [(report.name, result) for report in reports for result in report.results]
    lines = ["TAP version 14", f"1..{len(named)}"]
    for number, (name, result) in enumerate(named, 1):
        lines += _point(number, name, result)
    return "\n".join(lines) + "\n"


def _point(number: int, name: str, result: Result) -> Iterator[str]:
    check, verdict = result.check, result.verdict
    ok = "not ok" if verdict.outcome == "fail" else "ok"
    skipped = f" # SKIP {_plain(verdict.reason)}" if verdict.outcome == "skip" else ""
    yield f"{ok} {number} - {name}: {check.id}: {check.title}{skipped}"
    if verdict.outcome in {"fail", "warn"}:
        yield "  ---"
        severity = "fail" if verdict.outcome == "fail" else "warning"
        told = {
            "severity": severity,
            "rule": check.rule,
            "message": _short(verdict.reason),
            "mend": check.mend,
        }
        # A JSON string is a YAML double-quoted scalar.
        yield from (f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
        yield "  ..."


def table(report: Report, *, colour: bool) -> str:
    """A line a check, what is wrong and how to mend it below, and a count."""
    lines = [f"{report.name}  ({report.folder})"]
    for result in report.results:
        lines += _row(result, colour)
    counts: Counter[str] = Counter(result.verdict.outcome for result in report.results)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _COLOURS if counts[outcome])
    return "\n".join([*lines, told]) + "\n"


def _row(result: Result, colour: bool) -> Iterator[str]:
    check, verdict = result.check, result.verdict
    word = f"\x1b[{_COLOURS[verdict.outcome]}m{verdict.outcome}\x1b[0m" if colour else verdict.outcome
    yield f"  {word}  {check.id:<20}  {check.title}"
    if verdict.outcome == "skip":
        yield f"        {_short(verdict.reason)}"
    if verdict.outcome in {"fail", "warn"}:
        yield f"        {_short(verdict.reason)}"
        yield f"        rule: {check.rule}"
        yield f"        mend: {check.mend}"


def as_json(reports: Sequence[Report]) -> list[JsonObject]:
    """One object a plugin, one a check within."""
    return [
        {
            "plugin": report.name,
            "folder": str(report.folder),
            "failed": report.failed,
            "checks": [
                {
                    "id": result.check.id,
                    "title": result.check.title,
                    "outcome": result.verdict.outcome,
                    "reason": result.verdict.reason or None,
                    "rule": result.check.rule,
                    "mend": result.check.mend,
                }
                for result in report.results
            ],
        }
        for report in reports
    ]


def _short(text: str) -> str:
    text = clean(text)
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


def _plain(text: str) -> str:
    """In a TAP directive `#` would begin another."""
    return _short(text).replace("\\", "\\\\").replace("#", "\\#")
