"""What makes two findings the same one, over runs and versions (protocol section 6).

A digest of who found which weakness where. Title, severity, evidence, version and time are
left out, so that a better description or a later run does not make a new finding of it.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import UNSET, Struct

from kastrun.protocol.messages import Finding, Location


class Place(Struct, frozen=True, gc=False):
    """The part of a location that counts: always these seven members, null where absent.

    In the order that RFC 8785 section 3.2.3 wants, so that its encoding is canonical as it
    stands: msgspec escapes strings as section 3.2.2.2 does, and the only number is an integer.
    """

    file: str | None
    host: str | None
    method: str | None
    param: str | None
    port: int | None
    proto: str | None
    url: str | None


NOWHERE: Final = Place(None, None, None, None, None, None, None)

_DIGEST_BYTES: Final = 32
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def fingerprint(plugin: str, target: str, finding: Finding) -> str:
    """`k1:` and 64 hexadecimal digits. `target` is the canonical text of the finding's target."""
    return f"k1:{fingerprints(plugin, target, [finding])[0].decode()}"


def fingerprints(plugin: str, target: str, findings: Sequence[Finding]) -> list[bytes]:
    """The digits of one or more findings; for many at once this costs half as much."""
    digests = [sha256(text).digest() for text in canonical(plugin, target, findings)]
    return hexlify(b"".join(digests), b"\n", _DIGEST_BYTES).split(b"\n")


def canonical(plugin: str, target: str, findings: Sequence[Finding]) -> list[bytes]:
    """The canonical JSON (RFC 8785) that is digested, of each finding."""
    identities = [
        (
            "k1",
            plugin,
            finding.rule,
            target,
            None if finding.location is UNSET else reduce(finding.location),
            None if finding.key is UNSET else finding.key,
        )
        for finding in findings
    ]
    return _encode_lines(identities)[:-1].split(b"\n")


def reduce(location: Location) -> Place | None:
    """What of `location` counts; None where nothing does, as if there were no location."""
    file, host, method, param = location.file, location.host, location.method, location.param
    port, proto, url = location.port, location.proto, location.url
    place = Place(
        None if file is UNSET else file,
        None if host is UNSET else host,
        None if method is UNSET else method,
        None if param is UNSET else param,
        None if port is UNSET else port,
        None if proto is UNSET else proto,
        None if url is UNSET else reduce_url(url),
    )
    return None if place == NOWHERE else place


def reduce_url(url: str) -> str:
    """`url` without its fragment and the values of its query; names keep their order and repeats.

    `https://a.example/s?q=1&page=2&q=3#top` gives `https://a.example/s?q&page&q`. Nothing is
    decoded, folded or sorted; pieces without a name go, and with the last one the `?`.
    """
    if "?" not in url and "#" not in url:
        return url
    before, _, _ = url.partition("#")
    path, _, query = before.partition("?")
    names = "&".join(name for piece in query.split("&") if (name := piece.partition("=")[0]))
    return f"{path}?{names}" if names else path
