"""`report.md`: for pull-request comments, tickets and a CI's job summary.

Verdict first, then failures, then findings by rule. What came from a target is text in here: Markdown
and HTML that it may hold are escaped, and so are mentions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape
from itertools import islice
from typing import Final

from kastrun.facts import JobEnded
from kastrun.report.comparison import WORDS
from kastrun.report.finding import Finding
from kastrun.report.rules import gather, worst_first
from kastrun.report.view import View

MOST_RULES: Final = 100
MOST_PLACES: Final = 10
MOST_FAILURES: Final = 50
_ESCAPED: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|~@:])")
_SPACE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def chunks(view: View) -> Iterator[bytes]:
    """The document, a section at a time."""
    for section in (_verdict, _failures, _new, _findings, _accepted, _network, _run):
        for line in section(view):
            yield line.encode(errors="replace") + b"\n"


def _verdict(view: View) -> Iterator[str]:
    yield f"# kastrun: {text(view.run.name)}"
    yield ""
    yield f"**{view.coverage.sentence()}.** Exit code {view.exit.code}: {text(view.exit.why)}"
    yield ""
    if followed := view.tally.followed:
        rest = (f"{count:,} × passed over: {meaning}" for count, _, meaning, _ in followed.rest())
        yield "; ".join([followed.sentence(), *rest]) + "."
        yield ""
    counts = view.tally.severities()
    if counts:
        yield "|" + "|".join(counts) + "|"
        yield "|" + "-:|" * len(counts)
        yield "|" + "|".join(f"{count:,}" for count in counts.values()) + "|"
    else:
        yield "No findings." if view.coverage.complete else "No findings, but the run is not complete."
    yield ""
    if accepted := sum(view.tally.severities(accepted=True).values()):
        yield f"{accepted:,} of them accepted in the baseline: they never reach `fail_on`."
        yield ""
    yield from _since(view)


def _since(view: View) -> Iterator[str]:
    comparison = view.since()
    if comparison is None:
        return
    counts = comparison.counts(view.run.fail_on).of
    said = ", ".join(f"{counts[kind]:,} {word}" for kind, word in WORDS.items() if counts[kind])
    yield f"Since run {text(comparison.before.run.run)}: {said or 'no finding in either'}."
    yield ""


def _failures(view: View) -> Iterator[str]:
    unwell = (job for job in view.results() if job.status not in {"ok", "skipped"})
    shown = list(islice(unwell, MOST_FAILURES))
    if not shown:
        return
    yield "## Not scanned"
    yield ""
    yield "|plugin|target|why|"
    yield "|-|-|-|"
    for job in shown:
        yield f"|{text(job.plugin)}|{text(job.target)}|{text(_why(job))}|"
    if rest := sum(1 for _ in unwell):
        yield f"\nand {rest:,} more"
    yield ""


def _why(job: JobEnded) -> str:
    said = job.failure.message if job.failure else job.message or ""
    return f"{job.reason or job.status}: {said}" if said else job.reason or job.status


def _new(view: View) -> Iterator[str]:
    since = view.since()
    if since is not None:
        title = f"New since run {text(since.before.run.run)}"
        yield from _by_rule(title, lambda: (each for each in _open(view) if since.is_new(each)))


def _findings(view: View) -> Iterator[str]:
    since = view.since()
    title = "Findings" if since is None else "Findings that were there before"
    yield from _by_rule(
        title, lambda: (each for each in _open(view) if since is None or not since.is_new(each))
    )


def _open(view: View) -> Iterator[Finding]:
    """What no baseline accepts."""
    return (each for each in view.findings() if not each.accepted)


def _accepted(view: View) -> Iterator[str]:
    return _by_rule("Accepted in the baseline", lambda: (each for each in view.findings() if each.accepted))


def _by_rule(title: str, findings: Callable[[], Iterator[Finding]]) -> Iterator[str]:
    rules = worst_first(gather(findings()).values())
    if not rules:
        return
    places: dict[str, list[Finding]] = {rule.name: [] for rule in rules[:MOST_RULES]}
    for finding in findings():
        found = places.get(finding.name)
        if found is not None and len(found) < MOST_PLACES:
            found.append(finding)
    yield f"## {title}"
    yield ""
    for rule in rules[:MOST_RULES]:
        yield f"### {rule.severity}: {text(rule.title)} ({rule.count:,})"
        yield ""
        for each in (rule.description, rule.remediation):
            if each:
                yield f"{text(each)}\n"
        for finding in places[rule.name]:
            yield f"- {text(finding.where)}{_remarks(finding)}"
        if rule.count > len(places[rule.name]):
            yield f"- and {rule.count - len(places[rule.name]):,} more"
        yield f"\n{text(rule.name)} {' '.join(map(text, rule.refs))}".rstrip() + "\n"
    if len(rules) > MOST_RULES:
        yield f"and {len(rules) - MOST_RULES:,} more rules; `findings.jsonl` has all\n"


def _remarks(finding: Finding) -> str:
    """What else is to be said of one finding, in brackets."""
    remarks = ["its job did not end ok"] if finding.incomplete else []
    if told := finding.acceptance:
        until = f" until {told.until}" if told.until else ""
        word = f"acceptance ended on {told.until}" if told.ended else f"accepted{until}"
        remarks.append(f"{word}: {text(told.reason)}")
    return f" ({'; '.join(remarks)})" if remarks else ""


def _network(view: View) -> Iterator[str]:
    contacts = view.tally.network.contacts()
    if not contacts:
        return
    yield "## What plugins contacted"
    yield ""
    yield "|plugin|verdict|times|where|"
    yield "|-|-|-:|-|"
    for each in contacts:
        where = ", ".join(map(text, each.destinations)) + (f" and {each.more:,} more" if each.more else "")
        yield f"|{text(each.plugin)}|{each.verdict}|{each.count:,}|{where}|"
    yield ""


def _run(view: View) -> Iterator[str]:
    run, end = view.run, view.tally.end
    yield "---"
    yield ""
    until = end.ended_at if end else "(never ended)"
    yield f"Run {text(run.run)}, {run.started_at} to {until}, kastrun {text(run.kastrun)}"


def text(said: str) -> str:
    """Text that is only text in Markdown, on one line: no markup, HTML, mention, nor table cell's end."""
    return escape(_ESCAPED.sub(r"\\\1", _SPACE.sub(" ", said)).strip(), quote=False)
