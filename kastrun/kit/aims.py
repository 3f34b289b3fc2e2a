"""Where a run is aimed at: loopback targets of each kind, good ones and ones that would execute.

What a plugin can be given in a real run goes through `targets.parse`; the hostile ones do not:
they are what a target list, a redirect or another plugin's asset might hold one day.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kastrun.model import Target, TargetKind
from kastrun.targets import convert, parse

HOSTS: Final = ("127.0.0.1", "::1", "localhost", "localhost.", "bücher.localhost")
"""An address of each family, a name, a name with a trailing dot, an IDN."""

NOBODY: Final = "127.66.83.1"
"""Loopback, and nothing listens there unless it listens everywhere."""

_TALKED: Final = frozenset({"url", "service"})


def aim(kind: TargetKind, host: str, port: int, file: Path) -> Target:
    """A target of `kind` at `host` and, where the kind has one, `port`."""
    inside = f"[{host}]" if ":" in host else host
    if kind == "url":
        return parse(f"http://{inside}:{port}/")
    if kind == "service":
        return parse(f"{inside}:{port}")
    if kind == "file":
        return parse(f"@{file}")
    if kind == "domain":
        return parse("kit.localhost", "domain") if _is_address(host) else parse(host.rstrip("."), "domain")
    if kind == "cidr":
        return Target(kind="cidr", value="::1/128" if ":" in host else "127.0.0.0/31")
    return next(convert(parse(host), (kind,)))


def each(kind: TargetKind, port: int, file: Path) -> Iterator[Target]:
    """Every form of a kind that a run may give, each once."""
    hosts = {
        "ip": ("127.0.0.1", "::1"),
        "cidr": ("127.0.0.1", "::1"),
        "file": ("127.0.0.1",),
        "domain": ("localhost.", "bücher.localhost"),
    }.get(kind, HOSTS)
    seen: set[str] = set()
    for host in hosts:
        target = aim(kind, host, port, file)
        if target.value not in seen:
            seen.add(target.value)
            yield target


def has_port(kind: TargetKind) -> bool:
    """Whether a target of this kind says which port to talk to."""
    return kind in _TALKED


def hostile(kind: TargetKind, port: int, canary: Path) -> Iterator[Target]:
    """Targets which create a file `canary-…` where a shell or a tool's own options see them.

    All end in `localhost`, so that nobody else is asked for such a name (RFC 6761 section 6.3).
    """
    curlrc = canary.with_name("curlrc.localhost")
    curlrc.write_text(f'url = "http://127.0.0.1:{port}/"\noutput = "{canary}-8"\n', encoding="utf-8")
    for text in (
        f"$(touch {canary}-1)`touch {canary}-1`.localhost",
        f"'; touch {canary}-2; '.localhost",
        f'"; touch {canary}-3; ".localhost',
        f"x\ntouch {canary}-4\n.localhost",
        f"a b; touch {canary}-5 | touch {canary}-5 & touch {canary}-5; .localhost",
    ):
        scheme = "http" if kind == "url" else None
        value = f"http://127.0.0.1:{port}/{text}" if kind == "url" else text
        yield Target(kind=kind, value=value, scheme=scheme, host=text, port=port, path=f"/{text}")
    for text in (
        f"-o{canary}-6.localhost",
        f"--output={canary}-7.localhost",
        f"-K{curlrc}",
        f"-oN{canary}-9.localhost",
    ):
        yield Target(kind=kind, value=text, host=text, port=port, path=text)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
