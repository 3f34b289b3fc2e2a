"""Which origins are tried, and what an answer to one means. Pure: no request is made here.

A browser lets a foreign script read a response where Access-Control-Allow-Origin names
its origin or is `*`; with the visitor's cookies only where it is named and
Access-Control-Allow-Credentials is exactly `true`. More than one header is none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

from fetch import Page

STRANGER = "https://kastrun-probe.example"
LIST = (
    "Compare the Origin header with a fixed list of whole origins (https://app.example.com), "
    "and answer with the one that matched or not at all."
)
READS = "Scripts of a foreign site can read this page"
WITH = "with the cookies of whoever visits both"


@dataclass(frozen=True, slots=True)
class Probe:
    """An origin to ask with, and the rule that is broken where it is allowed."""

    origin: str
    rule: str
    title: str
    remediation: str
    key: str | None = None
    worst: str = "high"  # where the visitor's cookies go along; without them it is low


def probes(url: SplitResult) -> Iterator[Probe]:
    """The foreign origin first: a server that allows it allows all, and the others tell nothing more."""
    host = (url.hostname or "").rstrip(".")
    yield Probe(STRANGER, "cors.any-origin", "Any site may read the page: its origin is echoed", LIST)
    yield Probe(
        "null",
        "cors.null-origin",
        "The origin `null` may read the page",
        "Take `null` off the list of allowed origins: any site can send it, from a sandboxed frame.",
    )
    if not _is_address(host):
        for key, lookalike in (
            ("begins-alike", f"https://{host}.kastrun-probe.example"),
            ("ends-alike", f"https://kastrun-probe{host}"),
        ):
            title = f"An origin that merely {key.partition('-')[0]} like this site may read the page"
            yield Probe(lookalike, "cors.lookalike-origin", title, LIST, key)
    if url.scheme == "https":
        yield Probe(
            f"http://{f'[{host}]' if ':' in host else host}",
            "cors.plain-http-origin",
            "An origin without TLS may read a page that is served with it",
            "Allow https origins only: who shares a network with a visitor can put scripts into http pages.",
            worst="medium",
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def judge(probe: Probe, page: Page) -> dict[str, Any] | None:
    """The finding that the answer to `probe` makes, if any."""
    allowed, credentials = _policy(page)
    if allowed != probe.origin:
        return None
    finding: dict[str, Any] = {
        "rule": probe.rule,
        "title": probe.title,
        "severity": probe.worst if credentials else "low",
        "confidence": "high",
        "description": f"{READS}, {WITH if credentials else 'without cookies'}. "
        f"It was asked with the origin {probe.origin}.",
        "remediation": probe.remediation,
        "refs": ["CWE-942", "CWE-346", "OWASP-A05:2021"],
    } | _seen(page, probe.origin)
    return finding if probe.key is None else {**finding, "key": probe.key}


def wildcard(page: Page) -> dict[str, Any] | None:
    """What a `*` means: public by intent, and with credentials a mistake that browsers refuse."""
    allowed, credentials = _policy(page)
    if allowed != "*":
        return None
    refs = ["CWE-942", "OWASP-A05:2021"]
    if credentials:
        return {
            "rule": "cors.wildcard-credentials",
            "title": "Every site is allowed, with credentials: browsers refuse that",
            "severity": "low",
            "confidence": "high",
            "description": "The server means to let any site read the page with a visitor's cookies. "
            "Browsers refuse this combination; the intent is unsafe.",
            "remediation": "Remove Access-Control-Allow-Credentials, or name the origins that need it. "
            + LIST,
            "refs": refs,
        } | _seen(page, STRANGER)
    return {
        "rule": "cors.wildcard",
        "title": "Every site may read the page, without cookies",
        "severity": "info",
        "confidence": "high",
        "description": "Right for public data. Wrong where only the network protects the page: "
        "a visitor inside reads it for a site outside.",
        "remediation": "Nothing to mend where all here is public; else name the origins. " + LIST,
        "refs": refs,
    } | _seen(page, STRANGER)


def _policy(page: Page) -> tuple[str | None, bool]:
    allowed = page.all("access-control-allow-origin")
    credentials = page.all("access-control-allow-credentials")
    return (allowed[0] if len(allowed) == 1 else None), credentials == ["true"]


def _seen(page: Page, origin: str) -> dict[str, Any]:
    lines = [f"{name}: {value[:500]}" for name, value in page.headers if name.startswith("access-control-")]
    return {
        "evidence": "\n".join([f"HTTP {page.status} for Origin: {origin}", *lines])[:4096],
        "location": {"url": page.url, "method": "GET"},
    }
