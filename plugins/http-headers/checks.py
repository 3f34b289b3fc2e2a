"""What a visit's headers lack, as hits: which rule, on which page, with which line as evidence.

Pure: pages in, hits out. Cookies and CSP have their own modules; what each rule means,
how bad it is and how to mend it is in `rules`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import cookies
import csp
from fetch import Page
from rules import Hit
from visit import REDIRECTS, Visit

HALF_A_YEAR = 180 * 86400
_VERSION = re.compile(r"[A-Za-z][\w.+-]*/v?\d|(^|\s)v?\d+\.\d")
_HOPS = re.compile(r"\b(HTTP/)?\d\.\d\s")  # Via names the protocol's version before each proxy
_BANNERS = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "via")
_REFERRER_POLICIES = frozenset(
    [
        "no-referrer",
        "no-referrer-when-downgrade",
        "same-origin",
        "origin",
        "strict-origin",
        "origin-when-cross-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ]
)
_DOCUMENTS = ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")


def judge(visit: Visit) -> Iterator[tuple[Page, Hit]]:
    """Every page's cookies and banners, the way between them, and the last page as a whole."""
    for page in visit.pages:
        hits = (*cookies.check(page.all("set-cookie"), https=_https(page.url)), *banners(page))
        yield from ((page, hit) for hit in hits)
    yield from _way(visit)
    if visit.cut is None:
        yield from ((visit.final, hit) for hit in _page(visit.final, moved=visit.leaves_to is not None))


def _https(url: str) -> bool:
    return url.startswith("https:")


def _way(visit: Visit) -> Iterator[tuple[Page, Hit]]:
    """Where the redirects lead: off TLS, to TLS never, or away."""
    stops = [*(page.url for page in visit.pages[1:]), *([visit.leaves_to] if visit.leaves_to else [])]
    down = False
    for page, following in zip(visit.pages, stops, strict=False):
        if _https(page.url) and not _https(following):
            down = True
            yield page, Hit("redirect.downgrade", evidence=_line(page, "location"))
    last = visit.leaves_to or visit.final.url
    if not _https(last) and not down and visit.cut is None:
        shown = f"HTTP {visit.final.status} at {visit.final.url}"
        yield visit.pages[0], Hit("https.not-enforced", evidence=_line(visit.final, "location") or shown)
    if visit.leaves_to is not None:
        shown = _line(visit.final, "location")
        yield (
            visit.final,
            Hit("redirect.other-host", evidence=shown, detail=f"It leads to {visit.leaves_to}."),
        )


def _page(page: Page, *, moved: bool) -> Iterator[Hit]:
    if _https(page.url):
        yield from hsts(page)
    if moved or page.status in REDIRECTS or page.status in {204, 304}:
        return
    yield from nosniff(page)
    kind = (page.first("content-type") or "text/html").split(";")[0].strip().lower()
    if kind in _DOCUMENTS:
        yield from _document(page)


def _document(page: Page) -> Iterator[Hit]:
    """What matters only where a browser renders the response."""
    enforced = page.all("content-security-policy")
    if csp.parse(enforced):
        yield from csp.check(enforced)
    elif trial := page.first("content-security-policy-report-only"):
        yield Hit("csp.report-only", evidence=f"Content-Security-Policy-Report-Only: {trial}")
    else:
        yield Hit("csp.missing", confidence="medium")
    yield from framing(page)
    yield from referrer(page)
    if not page.all("permissions-policy"):
        yield Hit("permissions-policy.missing")


def hsts(page: Page) -> Iterator[Hit]:
    """RFC 6797: the first field counts; max-age must be there, once."""
    line = page.first("strict-transport-security")
    if line is None:
        if _is_address(page.url):
            detail = (
                "Browsers heed it only for names; this is an address, so it matters if the server has a name."
            )
            yield Hit("hsts.missing", confidence="low", detail=detail)
        else:
            yield Hit("hsts.missing")
        return
    shown = f"Strict-Transport-Security: {line}"
    parts = [part.strip().partition("=") for part in line.lower().split(";") if part.strip()]
    ages = [value.strip().strip('"') for name, _, value in parts if name.strip() == "max-age"]
    if len(ages) != 1 or not re.fullmatch(r"[0-9]{1,18}", ages[0]):
        yield Hit("hsts.invalid", evidence=shown)
        return
    if int(ages[0]) < HALF_A_YEAR:
        yield Hit("hsts.short", evidence=shown, detail=f"Here it is {int(ages[0]) // 86400} days.")
    if "includesubdomains" not in {name.strip() for name, _, _ in parts}:
        yield Hit("hsts.no-subdomains", evidence=shown)


def nosniff(page: Page) -> Iterator[Hit]:
    values = page.all("x-content-type-options")
    if not values:
        yield Hit("nosniff.missing")
    elif ",".join(values).split(",")[0].strip().lower() != "nosniff":
        yield Hit("nosniff.invalid", evidence=f"X-Content-Type-Options: {', '.join(values)}")


def framing(page: Page) -> Iterator[Hit]:
    """Clickjacking: frame-ancestors wins over X-Frame-Options where both are there (CSP Level 3)."""
    policies = csp.parse(page.all("content-security-policy"))
    values = page.all("x-frame-options")
    shown = "\n".join(f"X-Frame-Options: {value}" for value in values)
    words = {word.strip().lower() for value in values for word in value.split(",")}
    if csp.framing_limited(policies):
        return
    if not values:
        yield Hit("frame-options.missing", evidence=_line(page, "content-security-policy"))
    elif len(words) > 1 or not words <= {"deny", "sameorigin"}:
        yield Hit("frame-options.invalid", evidence=shown)
    elif policies:
        yield Hit("csp.no-frame-ancestors", evidence=shown)


def referrer(page: Page) -> Iterator[Hit]:
    """The last word that a browser knows counts (Referrer Policy, section 8.1)."""
    values = page.all("referrer-policy")
    known = [
        word
        for value in values
        for part in value.split(",")
        if (word := part.strip().lower()) in _REFERRER_POLICIES
    ]
    if not known:
        yield Hit("referrer-policy.missing", evidence=_line(page, "referrer-policy"))
    elif known[-1] == "unsafe-url":
        yield Hit("referrer-policy.unsafe", evidence=f"Referrer-Policy: {', '.join(values)}")


def banners(page: Page) -> Iterator[Hit]:
    for name in _BANNERS:
        for value in page.all(name):
            text = _HOPS.sub("", value) if name == "via" else value
            if _VERSION.search(text):
                yield Hit("banner.version", evidence=f"{_title(name)}: {value}", key=name)


def _is_address(url: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return True


def _line(page: Page, name: str) -> str:
    value = page.first(name)
    return "" if value is None else f"{_title(name)}: {value}"


def _title(name: str) -> str:
    return {"x-aspnet-version": "X-AspNet-Version", "x-aspnetmvc-version": "X-AspNetMvc-Version"}.get(
        name, name.title()
    )
