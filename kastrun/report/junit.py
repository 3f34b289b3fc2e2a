"""`junit.xml`: for the test tabs of GitLab, Jenkins and others.

A suite a plugin, a case a job. A job with a finding at or above the gate (`fail_on`; where that is
none, low) that no baseline accepts is a failure; a job that did not do its work is an error, which no
test tab shows as green. What is accepted is told in `system-out`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

from kastrun.facts import JobEnded
from kastrun.model import SEVERITIES
from kastrun.report.finding import Finding
from kastrun.report.view import View

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (section 2.2)."""
_MOST: Final = 20
"""Findings named in one case."""


def chunks(view: View) -> Iterator[bytes]:
    """The document, a suite at a time."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    for plugin in sorted({outcome.plugin for outcome in view.tally.outcomes()}):
        suite = _suite(view, plugin)
        ET.indent(suite)
        yield ET.tostring(suite, encoding="utf-8") + b"\n"
    yield b"</testsuites>\n"


def _suite(view: View, plugin: str) -> ET.Element:
    found = _by_job(view, plugin)
    suite = ET.Element("testsuite", name=plugin, timestamp=view.run.started_at)
    cases = [_case(job, found.get(job.job, [])) for job in view.results() if job.plugin == plugin]
    suite.extend(cases)
    ends = [child.tag for case in cases for child in case]
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(ends.count(tag)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    return suite


def _by_job(view: View, plugin: str) -> Mapping[str, list[Finding]]:
    fail_on = view.run.fail_on
    gate = SEVERITIES.index(fail_on if fail_on in SEVERITIES else "low")
    found: dict[str, list[Finding]] = {}
    for finding in view.findings():
        if finding.plugin == plugin and SEVERITIES.index(finding.severity) >= gate:
            found.setdefault(finding.job, []).append(finding)
    return found


def _case(job: JobEnded, found: list[Finding]) -> ET.Element:
    took = f"{job.timings.duration_s:.3f}"
    case = ET.Element("testcase", classname=job.plugin, name=_text(job.target), time=took)
    if job.status == "skipped" and job.reason != "upstream_failed":
        ET.SubElement(case, "skipped", message=_text(job.message or job.reason or ""))
    elif job.status != "ok":
        failure = job.failure
        said = failure.message if failure else job.message or job.status
        error = ET.SubElement(case, "error", type=job.reason or job.status, message=_text(said))
        error.text = _text("\n".join(filter(None, [failure.hint, failure.stderr] if failure else [])))
    elif counting := [each for each in found if not each.accepted]:
        worst = max((each.severity for each in counting), key=SEVERITIES.index)
        count = f"{len(counting)} finding{'' if len(counting) == 1 else 's'}, the worst is {worst}"
        element = ET.SubElement(case, "failure", type=worst, message=count)
        element.text = _text("\n".join(_lines(counting)))
    if accepted := [each for each in found if each.accepted]:
        told = ET.SubElement(case, "system-out")
        told.text = _text("\n".join(["accepted in the baseline:", *_lines(accepted)]))
    return case


def _lines(found: list[Finding]) -> Iterator[str]:
    for each in found[:_MOST]:
        yield f"{each.severity}: {each.title} [{each.rule}] {each.where}"
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more"


def _text(said: str) -> str:
    return _NOT_XML.sub("\ufffd", said)
