"""What is wrong with the weak site, as data: one row for each fault that was planted.

A row says where the fault is and which shipped plugin must report it, under which rule.
The tests hold this list, the site and the plugins together. Some are informational: the
http-headers plugin tells them only with its option `strict`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One planted fault: `plugin` reports it under `rule`, at `scheme` and `path` of the weak site."""

    id: str
    description: str
    plugin: str
    rule: str
    scheme: Literal["http", "https"] = "https"
    path: str = "/"


def _headers(id: str, rule: str, description: str, path: str = "/") -> Flaw:  # noqa: A002 - as the field is called
    return Flaw(id=id, description=description, plugin="http-headers", rule=rule, path=path)


def _tls(id: str, rule: str, description: str) -> Flaw:  # noqa: A002
    return Flaw(id=id, description=description, plugin="tls", rule=rule)


def _scripts(id: str, rule: str, description: str) -> Flaw:  # noqa: A002
    return Flaw(id=id, description=description, plugin="scripts", rule=rule)


WEAK_FLAWS: tuple[Flaw, ...] = (
    _headers("no-hsts", "hsts.missing", "No Strict-Transport-Security on the front page"),
    _headers("short-hsts", "hsts.short", "Strict-Transport-Security of five minutes", "/account"),
    _headers("no-csp", "csp.missing", "No Content-Security-Policy on the front page"),
    _headers("csp-inline", "csp.unsafe-inline", "A policy that allows inline scripts", "/account"),
    _headers("csp-eval", "csp.unsafe-eval", "A policy that allows eval", "/account"),
    _headers("csp-anywhere", "csp.wildcard-script", "A policy that allows scripts from anywhere", "/account"),
    _headers("no-xcto", "nosniff.missing", "No X-Content-Type-Options"),
    _headers("no-xfo", "frame-options.missing", "No X-Frame-Options and no frame-ancestors"),
    _headers("no-referrer-policy", "referrer-policy.missing", "No Referrer-Policy"),
    _headers("no-permissions-policy", "permissions-policy.missing", "No Permissions-Policy"),
    _headers("cookie-not-secure", "cookie.no-secure", "A session cookie that plain HTTP would carry too"),
    _headers("cookie-not-httponly", "cookie.no-httponly", "A session cookie that scripts can read"),
    _headers("cookie-no-samesite", "cookie.no-samesite", "A session cookie without SameSite"),
    _headers("version-banner", "banner.version", "Server and X-Powered-By name old versions"),
    _headers("leaves-the-site", "redirect.other-host", "A redirect to another host", "/leave"),
    Flaw(
        id="plain-http",
        description="Plain HTTP serves the shop instead of sending visitors to HTTPS",
        plugin="http-headers",
        rule="https.not-enforced",
        scheme="http",
    ),
    _scripts(
        "no-sri", "script-without-integrity", "A script from another host without an integrity attribute"
    ),
    _scripts(
        "script-over-http",
        "mixed-active-content",
        "A script fetched over plain HTTP by a page served over TLS",
    ),
    _tls("expired", "cert.expired", "A certificate that ended on 1 January 2020"),
    _tls("self-signed", "cert.self-signed", "A certificate that signed itself"),
    _tls("wrong-name", "cert.name-mismatch", "A certificate for shop.invalid"),
    _tls("weak-key", "cert.weak-key", "An RSA key of 1024 bits"),
    _tls("sha1-signature", "cert.weak-signature", "A certificate signed with SHA-1"),
    _tls("tls-1.0", "protocol.tls1.0", "TLS 1.0 is accepted"),
    _tls("tls-1.1", "protocol.tls1.1", "TLS 1.1 is accepted"),
    _tls("no-forward-secrecy", "cipher.no-forward-secrecy", "Key exchange by plain RSA is accepted"),
)
