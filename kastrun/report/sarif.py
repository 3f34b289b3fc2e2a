"""`findings.sarif`: SARIF 2.1.0, for code-scanning pages and editors.

Results stream, the rules they name follow. GitHub takes 25,000 results: past that the gravest are
kept, and a notification says how many are left out. Jobs that did not do their work are notifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec

from kastrun.facts import JobEnded
from kastrun.model import SEVERITIES, JsonObject, Severity
from kastrun.report.finding import Finding
from kastrun.report.rules import Rule, gather
from kastrun.report.view import View

MOST_RESULTS: Final = 25_000
MOST_NOTIFICATIONS: Final = 1_000
_LONG: Final = 1_000
"""Of a text: 25,000 results have to fit into 10 MB, compressed."""
_LEVELS: Final = {"info": "note", "low": "note", "medium": "warning", "high": "error", "critical": "error"}
_SCORES: Final = {"info": "0.0", "low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""Where a rule's severity falls on GitHub's scale: over 9.0 is critical, from 7.0 high, from 4.0 medium."""


def chunks(view: View) -> Iterator[bytes]:
    """The document, a result at a time."""
    results = _Results(view)
    yield b'{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"results":['
    separator = b"\n"
    for result in results:
        yield separator + msgspec.json.encode(result)
        separator = b",\n"
    yield b'],\n"tool":' + msgspec.json.encode(_tool(view, results.rules))
    yield b',\n"invocations":[' + msgspec.json.encode(_invocation(view, results.left_out))
    yield b'],\n"columnKind":"unicodeCodePoints"}]}\n'


class _Results:
    """The results in the journal's order, and the rules that they are of by their index."""

    def __init__(self, view: View) -> None:
        self.rules: list[Rule] = []
        self.left_out = 0
        self._view = view

    def __iter__(self) -> Iterator[JsonObject]:
        known = gather(self._view.findings())
        budget = _budget(self._view)
        places: dict[str, int] = {}
        for finding in self._view.findings():
            if not budget[finding.severity]:
                self.left_out += 1
                continue
            budget[finding.severity] -= 1
            place = places.setdefault(finding.name, len(places))
            if place == len(self.rules):
                self.rules.append(known[finding.name])
            yield _result(self._view, finding, place)


def _budget(view: View) -> dict[Severity, int]:
    """How many results of each severity are written, the gravest first."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in view.findings():
        counts[finding.severity] += 1
    room = MOST_RESULTS
    for severity in reversed(SEVERITIES):
        counts[severity] = min(counts[severity], room)
        room -= counts[severity]
    return counts


def _result(view: View, finding: Finding, place: int) -> JsonObject:
    said = f"{finding.title} ({finding.where})" + (f"\n\n{finding.evidence}" if finding.evidence else "")
    return {
        "ruleId": finding.name,
        "ruleIndex": place,
        "level": _LEVELS[finding.severity],
        "message": {"text": _cut(said)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _declared_in(view)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.where, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {
            "kastrun/k1": finding.fingerprint,
            "primaryLocationLineHash": finding.fingerprint,
        },
        "properties": {
            "severity": finding.severity,
            "target": finding.target,
            "incomplete": finding.incomplete,
        },
    }


def _declared_in(view: View) -> str:
    """The profile's file, which is in the repository; the run's own where there was none."""
    return f"file://{quote(view.run.source)}" if view.run.source else "profile.toml"


def _tool(view: View, rules: list[Rule]) -> JsonObject:
    driver = {
        "name": "kastrun",
        "semanticVersion": view.run.kastrun,
        "rules": [_rule(each) for each in rules],
    }
    return {"driver": driver}


def _rule(rule: Rule) -> JsonObject:
    text = _cut(rule.remediation or rule.description or rule.title)
    return {
        "id": rule.name,
        "shortDescription": {"text": _cut(rule.title)},
        "fullDescription": {"text": _cut(rule.description or rule.title)},
        "help": {"text": "\n".join([text, *rule.refs[:20]])},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"security-severity": _SCORES[rule.severity], "tags": ["security", rule.plugin]},
    }


def _invocation(view: View, left_out: int) -> JsonObject:
    run, end = view.run, view.tally.end
    found: JsonObject = {
        "executionSuccessful": view.coverage.complete,
        "exitCode": view.exit.code,
        "exitCodeDescription": view.exit.why,
        "arguments": run.arguments,
        "startTimeUtc": run.started_at,
        "toolExecutionNotifications": list(_notifications(view, left_out)),
    }
    return found | ({"endTimeUtc": end.ended_at} if end else {})


def _notifications(view: View, left_out: int) -> Iterator[JsonObject]:
    if left_out:
        said = (
            f"{left_out:,} findings, the mildest, are left out: a code-scanning page takes {MOST_RESULTS:,}"
        )
        yield _notification("warning", "left_out", said)
    rest = 0
    for number, job in enumerate(job for job in view.results() if job.status not in {"ok", "skipped"}):
        if number < MOST_NOTIFICATIONS:
            yield _notification("error", job.reason or job.status, f"{job.plugin} {job.target}: {_why(job)}")
        else:
            rest += 1
    if rest:
        yield _notification("error", "left_out", f"and {rest:,} more jobs did not do their work")


def _notification(level: str, name: str, text: str) -> JsonObject:
    return {"level": level, "descriptor": {"id": name}, "message": {"text": _cut(text)}}


def _why(job: JobEnded) -> str:
    return (job.failure.message if job.failure else job.message) or job.status


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
