"""`defectdojo.json`: for its Generic Findings Import, which refuses a file with a key it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from kastrun.model import JsonObject
from kastrun.report.finding import Finding
from kastrun.report.view import View

_LONGEST_TITLE: Final = 511
"""What its database holds."""
_CWE: Final = re.compile(r"CWE-(\d{1,6})", re.ASCII)
_VULNERABILITY: Final = re.compile(r"(?:CVE-\d{4}-\d{4,}|GHSA(?:-[a-z0-9]{4}){3})", re.ASCII)


def chunks(view: View) -> Iterator[bytes]:
    """The document, a finding at a time."""
    head = {"name": "kastrun", "type": "kastrun", "version": view.run.kastrun, "dynamic_tool": True}
    yield msgspec.json.encode(head).removesuffix(b"}") + b',"findings":['
    separator = b"\n"
    for finding in view.findings():
        yield separator + msgspec.json.encode(_finding(finding))
        separator = b",\n"
    yield b"\n]}\n"


def _finding(finding: Finding) -> JsonObject:
    said: JsonObject = {
        "title": finding.title[:_LONGEST_TITLE],
        "severity": finding.severity.capitalize(),
        "description": _description(finding),
        "date": finding.at[:10],
        "active": True,
        "verified": False,
        "dynamic_finding": True,
        "static_finding": False,
        "unique_id_from_tool": finding.fingerprint,
        "vuln_id_from_tool": finding.name,
        "tags": [finding.plugin, *finding.tags],
    }
    cwe = next((int(found[1]) for ref in finding.refs if (found := _CWE.fullmatch(ref))), None)
    vulnerabilities = [ref for ref in finding.refs if _VULNERABILITY.fullmatch(ref)]
    url = finding.location.url
    given = {
        "mitigation": finding.remediation,
        "references": "\n".join(finding.refs),
        "cwe": cwe,
        "vulnerability_ids": vulnerabilities,
        "cvssv3": finding.cvss if finding.cvss.startswith("CVSS:3") else "",
        "param": finding.location.param,
        "endpoints": [url] if url and url.startswith(("https://", "http://")) else [],
    }
    return said | {key: value for key, value in given.items() if value}


def _description(finding: Finding) -> str:
    """The same for the same finding, so that an import finds it again."""
    parts = [finding.description or finding.title, f"Where: {finding.where}", f"Target: {finding.target}"]
    if finding.evidence:
        parts.append(f"Evidence:\n{finding.evidence}")
    if finding.incomplete:
        parts.append("Its job did not end ok: others may have been missed.")
    return "\n\n".join(parts)
