"""What the two demo sites answer: a path to a Reply, purely.

The weak shop's faults that a page can show are planted here, and named in `flaws`. The
hardened twin does the same work properly. No socket, no file, and every foreign address
is text that is never contacted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

Headers = tuple[tuple[str, str], ...]

ELSEWHERE = "https://elsewhere.example/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer; the server adds Date, Content-Length and Connection."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """A site: `answer` takes a decoded path without its query, and must answer every one.

    `failure` takes a status and its phrase, for a request that never reached a page.
    """

    answer: Callable[[str], Reply]
    failure: Callable[[int, str], Reply]


def _html(title: str, head: str, body: str) -> bytes:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n{head}'
        f"</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    ).encode()


_HTML = ("Content-Type", "text/html; charset=utf-8")
_SCRIPT = ("Content-Type", "text/javascript; charset=utf-8")

# --- the weak shop ---------------------------------------------------------------------

_BANNER: Headers = (("Server", "Apache/2.2.15 (CentOS)"), ("X-Powered-By", "PHP/5.3.3"))

_FRONT = _html(
    "The Weak Shop",
    '<meta name="generator" content="WordPress 3.5.1">\n'
    '<script src="https://cdn.example.net/jquery-1.7.1.min.js"></script>\n'
    '<script src="http://ads.example.org/track.js"></script>\n',
    '<p>Broken on purpose. <a href="/account">Account</a> <a href="/leave">Leave</a></p>\n',
)

_ACCOUNT = _html("Your account", "<script>document.title += '!';</script>\n", '<p><a href="/">Back</a></p>\n')

_WEAK_PAGES: dict[str, Reply] = {
    "/": Reply(headers=(*_BANNER, _HTML, ("Set-Cookie", "session=3f2a9c81d7; Path=/")), body=_FRONT),
    "/account": Reply(
        headers=(
            *_BANNER,
            _HTML,
            ("Content-Security-Policy", "default-src * 'unsafe-inline' 'unsafe-eval'"),
            ("Strict-Transport-Security", "max-age=300"),
        ),
        body=_ACCOUNT,
    ),
    "/leave": Reply(status=302, headers=(*_BANNER, _HTML, ("Location", ELSEWHERE))),
}


def _weak_failure(status: int, phrase: str) -> Reply:
    body = _html(f"{status} {phrase}", "", "<p>Apache/2.2.15 (CentOS)</p>\n")
    return Reply(status=status, headers=(*_BANNER, _HTML), body=body)


def _weak_answer(path: str) -> Reply:
    return _WEAK_PAGES.get(path) or _weak_failure(404, "Not Found")


WEAK = Pages(answer=_weak_answer, failure=_weak_failure)
"""The weak shop, the same with and without TLS."""

# --- the hardened twin -----------------------------------------------------------------

_SITE_JS = b'"use strict";\ndocument.documentElement.dataset.ready = "yes";\n'
_INTEGRITY = "sha384-" + base64.b64encode(hashlib.sha384(_SITE_JS).digest()).decode()

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_GUARD: Headers = (
    ("Server", "nginx"),  # a name that nmap knows (it tries for 90 s to guess any other), and no version
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_TWO_YEARS = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload")

_TWIN_PAGES: dict[str, Reply] = {
    "/": Reply(
        headers=(
            *_GUARD,
            _TWO_YEARS,
            _HTML,
            ("Set-Cookie", "__Host-session=8c1e07b2f4; Path=/; Secure; HttpOnly; SameSite=Strict"),
        ),
        body=_html(
            "The Hardened Shop",
            f'<script src="/site.js" integrity="{_INTEGRITY}" crossorigin="anonymous"></script>\n',
            '<p>The same shop, kept properly.</p>\n<p><a href="/account">Account</a></p>\n',
        ),
    ),
    "/account": Reply(
        headers=(*_GUARD, _TWO_YEARS, _HTML), body=_html("Your account", "", '<p><a href="/">Back</a></p>\n')
    ),
    "/site.js": Reply(headers=(*_GUARD, _TWO_YEARS, _SCRIPT), body=_SITE_JS),
}


def _hardened_failure(status: int, phrase: str) -> Reply:
    return Reply(
        status=status, headers=(*_GUARD, _TWO_YEARS, _HTML), body=_html(f"{status} {phrase}", "", "")
    )


def _hardened_answer(path: str) -> Reply:
    return _TWIN_PAGES.get(path) or _hardened_failure(404, "Not Found")


HARDENED = Pages(answer=_hardened_answer, failure=_hardened_failure)
"""The hardened twin over TLS."""


def sent_on(https_url: str) -> Pages:
    """The twin over plain HTTP: every path moves to `https_url` (no trailing slash).

    Without Strict-Transport-Security, which RFC 6797 section 7.2 forbids here.
    """

    def answer(path: str) -> Reply:
        return Reply(status=308, headers=(*_GUARD, _HTML, ("Location", https_url + quote(path))))

    def failure(status: int, phrase: str) -> Reply:
        return Reply(status=status, headers=(*_GUARD, _HTML), body=_html(f"{status} {phrase}", "", ""))

    return Pages(answer=answer, failure=failure)
