"""One Set-Cookie line taken apart as browsers do (RFC 6265bis), and what is wrong with it.

Pure. A cookie's value never leaves this module as evidence: it may be someone's session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rules import Hit

_SESSION = re.compile(r"sess|auth|jwt|token|login|(^|[._-])sid($|[._-])", re.IGNORECASE)
_FOR_SCRIPTS = re.compile(r"csrf|xsrf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cookie:
    """`attributes` have lower-case names; the last of a kind wins."""

    name: str
    value: str
    attributes: Mapping[str, str]

    @property
    def deleted(self) -> bool:
        """The server takes the cookie away: its flags do not matter."""
        if (age := self.attributes.get("max-age", "")).lstrip("-").isdecimal():
            return int(age[:12]) <= 0
        try:
            expires = parsedate_to_datetime(self.attributes["expires"])
        except (KeyError, ValueError, TypeError):
            return False
        return expires.replace(tzinfo=UTC) < datetime.now(UTC)

    @property
    def session(self) -> bool:
        """Whether the name looks like that of a log-in."""
        return bool(_SESSION.search(self.name)) and not _FOR_SCRIPTS.search(self.name)

    @property
    def shown(self) -> str:
        parts = [f"{key}={value}" if value else key for key, value in self.attributes.items()]
        return "; ".join([f"Set-Cookie: {self.name}=[value left out]", *parts])


def parse(line: str) -> Cookie:
    """The value of a Set-Cookie header; what has no `=` is a value without a name."""
    first, *rest = line.split(";")
    name, equals, value = first.partition("=")
    pairs = (part.partition("=") for part in rest if part.strip())
    attributes = {key.strip().lower(): val.strip() for key, _, val in pairs}
    return Cookie(name.strip() if equals else "", (value if equals else name).strip(), attributes)


def check(lines: list[str], *, https: bool) -> Iterator[Hit]:
    """What is wrong with the cookies that one response sets."""
    for cookie in map(parse, lines):
        if not cookie.deleted:
            for rule, severity in _faults(cookie, https=https):
                yield Hit(rule, evidence=cookie.shown, key=cookie.name, severity=severity)


def _faults(cookie: Cookie, *, https: bool) -> Iterator[tuple[str, str | None]]:
    has = cookie.attributes
    if _prefix_broken(cookie):
        yield "cookie.prefix-broken", None
    if https and "secure" not in has:
        yield "cookie.no-secure", "medium" if cookie.session else None
    if cookie.session and "httponly" not in has:
        yield "cookie.no-httponly", None
    same_site = has.get("samesite", "").lower()
    if same_site == "none" and "secure" not in has:
        yield "cookie.samesite-none-insecure", None
    elif same_site not in {"strict", "lax", "none"}:
        yield "cookie.no-samesite", "low" if cookie.session else None


def _prefix_broken(cookie: Cookie) -> bool:
    has, name = cookie.attributes, cookie.name.lower()
    if name.startswith("__secure-"):
        return "secure" not in has
    if name.startswith("__host-"):
        return "secure" not in has or has.get("path") != "/" or bool(has.get("domain"))
    return False
