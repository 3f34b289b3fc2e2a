"""Findings of different plugins that are about one weakness: at one place, with a CWE or CVE in common.

They are shown together and never merged: each plugin has its own evidence, and may be wrong by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from kastrun.report.finding import Finding

MOST: Final = 5
"""Named beside one finding."""
_REF: Final = re.compile(r"(?:CWE-\d+|CVE-\d{4}-\d+)$", re.ASCII)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def related(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """By the fingerprint of each finding that has such, those of other plugins, in the order given."""
    listed = list(findings)
    at: dict[tuple[str, str], list[Finding]] = {}
    for each in listed:
        for key in _keys(each):
            at.setdefault(key, []).append(each)
    found: dict[str, list[Finding]] = {}
    for each in listed:
        others = {
            other.fingerprint: other
            for key in _keys(each)
            for other in at[key][: 10 * MOST]
            if other.plugin != each.plugin
        }
        if others:
            found[each.fingerprint] = list(others.values())[:MOST]
    return found


def _keys(finding: Finding) -> Iterator[tuple[str, str]]:
    """Its place, with each CWE and CVE that it names."""
    refs = {ref for each in finding.refs if _REF.match(ref := each.strip().upper())}
    if refs:
        where = place(finding)
        yield from ((where, ref) for ref in sorted(refs))


def place(finding: Finding) -> str:
    """Where it is, as far as plugins agree on it: a page, else host and port; no query, no case of names."""
    location = finding.location
    if location.file and not location.url:
        return location.file
    if location.url or ("://" in finding.target and not (location.host or location.ip)):
        return _page(location.url or finding.target)
    host = (location.host or location.ip or "").lower()
    if not host:
        return finding.target.lower()
    return host if location.port is None else f"{host}:{location.port}"


def _page(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        return url  # a target may say anything
    host = f"{parts.hostname or ''}:{port}" if port else parts.hostname or ""
    return host if parts.path in {"", "/"} else f"{host}{parts.path}"
