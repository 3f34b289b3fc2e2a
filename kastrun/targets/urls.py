"""URLs, normalised by yarl (RFC 3986 section 6) once their authority has been read strictly.

yarl is generous with hosts and ports (``127.1``, ``:+80``, ``a|b``), so those are read by
`names` first. Only http and https: a plugin that accepts `url` may count on HTTP. yarl is
imported on the first URL.
"""

from __future__ import annotations

import re

from kastrun.model import Target
from kastrun.targets import names
from kastrun.targets.refusal import TargetError, quoted

_SHAPE = re.compile(r"([^:/?#]*)://([^/?#]*)([^#]*)(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_SCHEMES = frozenset({"http", "https"})


def url(text: str) -> Target:
    """An http or https URL. Raises TargetError."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise TargetError(f"{quoted(text)} is not a URL", "write it as in https://example.com/app")
    scheme, authority, rest = shape[1].lower(), shape[2], shape[3]
    if scheme not in _SCHEMES:
        raise _wrong_scheme(scheme)
    if "@" in authority:
        raise TargetError(
            "a URL holds a user name or password before `@`",
            "take it out: secrets go into `[http] headers` or a plugin's secret option, by reference",
        )
    host, port = _host_and_port(authority, text)
    return _built(scheme, host, port, rest)


def bracketed(host: str) -> str:
    """A canonical host as it stands before a port: IPv6 in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _wrong_scheme(scheme: str) -> TargetError:
    if scheme in ("ws", "wss"):
        hint = f"write http{scheme[2:]}:// instead: a WebSocket begins as an HTTP request"
    else:
        hint = "only http and https are read; write other services as HOST:PORT, as in example.com:21"
    return TargetError(f"a URL has the scheme {quoted(scheme)}", hint)


def _host_and_port(authority: str, text: str) -> tuple[str, int | None]:
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise TargetError(
            f"{quoted(text)} has a host that cannot be read", "write it as in http://[2001:db8::7]/"
        )
    if not parts[1]:
        raise TargetError(f"{quoted(text)} has no host", "write it as in https://example.com/app")
    return names.host(parts[1]), None if parts[2] is None else names.port(parts[2], text)


def _built(scheme: str, host: str, port: int | None, rest: str) -> Target:
    from yarl import URL  # 17 ms: only where there are URLs

    authority = bracketed(host) if port is None else f"{bracketed(host)}:{port}"
    path = rest if rest.startswith("/") else f"/{rest}"  # yarl keeps an empty path in some spellings
    normal = URL(f"{scheme}://{authority}{path}")
    return Target(
        kind="url", value=str(normal), scheme=scheme, host=host, port=normal.port, path=normal.raw_path_qs
    )
