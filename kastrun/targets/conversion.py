"""What a target can be turned into for a plugin that does not accept its kind (protocol.md, 2).

Lazy throughout: a /64 has 2**64 addresses and none is made before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Final

from kastrun.model import Target, TargetKind
from kastrun.targets.addresses import unmapped
from kastrun.targets.reading import ip_target, parse, service_target
from kastrun.targets.urls import bracketed

_HTTP_PORTS: Final[Mapping[int, str]] = {80: "http", 8080: "http", 443: "https", 8443: "https"}


def convert(target: Target, accepted: Sequence[TargetKind]) -> Iterator[Target]:
    """What a plugin that accepts these kinds, best first, is given for `target`.

    The target itself where its kind is accepted, else the first accepted kind that it can
    be; each address in turn for a `cidr`. Nothing where the plugin has no job for it.
    """
    if target.kind in accepted:
        yield target
    elif target.kind == "cidr":
        if not _ADDRESS_KINDS.isdisjoint(accepted):
            for one in expand(target):
                yield from convert(one, accepted)
    else:
        for kind in accepted:
            turn = _TURNS.get((target.kind, kind))
            if turn and (turned := turn(target)):
                yield turned
                return


def expand(target: Target) -> Iterator[Target]:
    """Each address of a `cidr` in order, the first and the last included; any other target itself."""
    if target.kind != "cidr":
        yield target
        return
    for found in ip_network(target.value):
        yield ip_target(unmapped(found))


def count(target: Target) -> int:
    """How many targets `expand` gives."""
    return ip_network(target.value).num_addresses if target.kind == "cidr" else 1


def can_be_given(kind: TargetKind, accepted: Sequence[TargetKind]) -> TargetKind | None:
    """As which kind a plugin that accepts these may be given a target of this one; None: as none."""
    if kind in accepted:
        return kind
    own = "ip" if kind == "cidr" else kind
    return next((each for each in accepted if each == own or (own, each) in _TURNS), None)


def known_scheme(target: Target) -> str | None:
    """``http`` or ``https`` where a URL or a service is known to speak it: it says so, or its port does."""
    return target.scheme or _HTTP_PORTS.get(target.port or 0)


def _as_host(target: Target) -> Target | None:
    return Target(kind="host", value=target.host, host=target.host) if target.host else None


def _as_service(target: Target) -> Target | None:
    if not target.host or not target.port:
        return None
    return service_target(target.host, target.port, target.scheme)


def _as_https(target: Target) -> Target | None:
    return parse(f"https://{bracketed(target.host)}/") if target.host else None


def _as_known_http(target: Target) -> Target | None:
    scheme = known_scheme(target)
    if scheme not in ("http", "https") or not target.host:
        return None
    return parse(f"{scheme}://{bracketed(target.host)}:{target.port}/")


_TURNS: Final[Mapping[tuple[TargetKind, TargetKind], Callable[[Target], Target | None]]] = {
    ("ip", "host"): _as_host,
    ("domain", "host"): _as_host,
    ("url", "host"): _as_host,
    ("service", "host"): _as_host,
    ("url", "service"): _as_service,
    ("service", "url"): _as_known_http,
    ("host", "url"): _as_https,
    ("ip", "url"): _as_https,
    ("domain", "url"): _as_https,
}
_ADDRESS_KINDS: Final = frozenset({"ip", *(to for source, to in _TURNS if source == "ip")})
