"""One text to one Target: which kind it is, and its normal form.

The kind is inferred from the shape alone, never by looking anything up. Everything
that cannot be read in exactly one way is refused with a hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from kastrun.model import Target, TargetKind
from kastrun.targets import names
from kastrun.targets.addresses import Address, Network, address, is_address, is_plain_ipv4, network
from kastrun.targets.refusal import TargetError, quoted, shown
from kastrun.targets.urls import bracketed, url

_LIMIT: Final = 8192
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_SPACE = re.compile(r"\s")
_ONE_COLON = re.compile(r"[^:/]*:[^:]*")


def parse(text: str, kind: TargetKind | None = None) -> Target:
    """The target that `text` means; with `kind`, as that kind, without it the kind is inferred.

    `parse(target.value, target.kind) == target` for whatever this returns. A `cidr` of one
    address comes back as `ip`. Raises TargetError, and nothing else, for any other text.
    """
    if kind is None and names.is_plain(text):
        return Target(kind="host", value=text, host=text)
    if kind is None and is_plain_ipv4(text):
        return Target(kind="ip", value=text, host=text)
    _refuse_unsafe(text, kind)
    if kind is not None:
        return _READERS[kind](text)
    return _inferred(text)


def ip_target(found: Address) -> Target:
    """The target of one address."""
    text = str(found)
    return Target(kind="ip", value=text, host=text)


def network_target(found: Network) -> Target:
    """The target of a network: `cidr`, or `ip` where it has one address."""
    if found.prefixlen == found.max_prefixlen:
        return ip_target(found.network_address)
    return Target(kind="cidr", value=str(found))


def service_target(host: str, port: int, scheme: str | None = None) -> Target:
    """The target of a port on a canonical host."""
    return Target(kind="service", value=f"{bracketed(host)}:{port}", scheme=scheme, host=host, port=port)


def _refuse_unsafe(text: str, kind: TargetKind | None) -> None:
    if not text:
        raise TargetError(
            "a target is empty", "write a host, address, CIDR, URL or HOST:PORT, or take it out"
        )
    if len(text) > _LIMIT:
        raise TargetError(f"a target has {len(text)} characters", f"at most {_LIMIT} are read")
    if text.startswith(("-", "@-")):
        raise TargetError(
            f"{quoted(text)} begins with `-`, so that a tool would take it for an option",
            "no host name begins with a hyphen; write a file as ./-name",
        )
    if found := _CONTROL.search(text):
        raise TargetError(
            f"{quoted(text)} holds the control character {quoted(found[0])}",
            "type the target again: what was pasted has characters that do not show",
        )
    if "@" in text and not text.startswith("@") and kind != "file" and "://" not in text:
        raise TargetError(
            "a target holds `@` with something before it",
            "a target has no user name or password; a file is written @path",
        )
    if kind != "file" and not text.startswith("@") and _SPACE.search(text):
        raise TargetError(f"{quoted(text)} holds a space", "write one target an entry, without spaces")


def _inferred(text: str) -> Target:
    if text.startswith("@"):
        return _file(text[1:])
    if "://" in text:
        return url(text)
    if text.endswith(("/tcp", "/udp")) or _ONE_COLON.fullmatch(text) or "]:" in text:
        return _service(text)
    if "/" in text:
        return _cidr_or_refused(text)
    if ":" in text:
        return ip_target(address(text))
    host = names.host(text)
    return Target(kind="ip" if is_address(host) else "host", value=host, host=host)


def _cidr_or_refused(text: str) -> Target:
    base = text.partition("/")[0]
    if base.count(":") > 1 or base.replace(".", "").isdigit():
        return _cidr(text)
    raise TargetError(
        f"{quoted(text)} has a path and no scheme, so it is neither a URL nor a CIDR",
        f"write https://{shown(text)} for a URL",
    )


def _host(text: str) -> Target:
    host = names.host(text)
    return Target(kind="host", value=host, host=host)


def _ip(text: str) -> Target:
    return ip_target(address(text))


def _cidr(text: str) -> Target:
    return network_target(network(text))


def _domain(text: str) -> Target:
    name = names.name(text)
    return Target(kind="domain", value=name, host=name)


def _service(text: str) -> Target:
    if text.endswith("/udp"):
        raise TargetError(f"{quoted(text)} is a UDP service", "services are TCP; write the host alone")
    host, colon, port = text.removesuffix("/tcp").rpartition(":")
    if not colon or not host or (":" in host and not host.startswith("[")):
        raise TargetError(
            f"{quoted(text)} is not HOST:PORT", "write it as in example.com:443 or [2001:db8::7]:443"
        )
    return service_target(names.host(host), names.port(port, text))


def _file(text: str) -> Target:
    if not text:
        raise TargetError("`@` stands without a file's path", "write it as in @dump/app.apk")
    return Target(kind="file", value=text)


_READERS: Final[Mapping[TargetKind, Callable[[str], Target]]] = {
    "host": _host,
    "ip": _ip,
    "cidr": _cidr,
    "url": url,
    "domain": _domain,
    "service": _service,
    "file": _file,
}
