"""What an engine found out, in one shape for both, and what is wrong with it.

Pure. None means "not tested", which is never the same as "no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rules import Hit

OLD_VERSIONS = {
    "SSLv2": "protocol.sslv2",
    "SSLv3": "protocol.sslv3",
    "TLSv1": "protocol.tls1.0",
    "TLSv1.1": "protocol.tls1.1",
}
FLAWS = {
    "heartbleed": "tls.heartbleed",
    "ccs_injection": "tls.ccs-injection",
    "robot": "tls.robot",
    "compression": "tls.compression",
    "insecure_renegotiation": "tls.insecure-renegotiation",
    "client_renegotiation": "tls.client-renegotiation",
}
_WEAK = {
    "cipher.null": re.compile(r"(^|[-_])NULL([-_]|$)"),
    "cipher.anonymous": re.compile(r"^(ADH|AECDH)-|[-_]anon[-_]"),
    "cipher.export": re.compile(r"^EXP|EXPORT"),
    "cipher.rc4": re.compile(r"RC4"),
    "cipher.3des": re.compile(r"DES-CBC3|3DES"),
    "cipher.des": re.compile(r"(^|-)DES-CBC-|(?<!3)DES_CBC_"),
}
_FORWARD_SECRET = re.compile(r"^(TLS_(AES|CHACHA20|SM4)|ECDHE-|DHE-|EDH-)|_(EC)?DHE_")
_STRONG_BITS = {"RSA": 2048, "DSA": 2048, "EC": 224}


@dataclass(slots=True, kw_only=True)
class Facts:
    """`versions` accepted or not; `ciphers` by OpenSSL's name; `flaws` by FLAWS; `key` kind and bits."""

    engine: str
    versions: dict[str, bool | None] = field(default_factory=dict)
    ciphers: set[str] = field(default_factory=set)
    flaws: dict[str, bool | None] = field(default_factory=dict)
    key: tuple[str, int] | None = None
    signature: str | None = None
    untested: list[str] = field(default_factory=list)


def judge(facts: Facts) -> Iterator[Hit]:
    """The hits of both engines: the same ids where they overlap."""
    for version, rule in OLD_VERSIONS.items():
        if facts.versions.get(version):
            yield Hit(rule, evidence=f"a handshake with {version} succeeded")
    for rule, names in _by_weakness(facts.ciphers).items():
        yield Hit(rule, evidence="accepted: " + ", ".join(sorted(names)))
    for flaw, rule in FLAWS.items():
        if facts.flaws.get(flaw):
            yield Hit(rule, evidence=f"found by {facts.engine}")
    yield from _certificate(facts)


def _by_weakness(ciphers: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in ciphers:
        weak = [rule for rule, pattern in _WEAK.items() if pattern.search(name)]
        if not weak and not _FORWARD_SECRET.search(name):
            weak = ["cipher.no-forward-secrecy"]
        for rule in weak:
            found.setdefault(rule, []).append(name)
    return dict(sorted(found.items()))


def _certificate(facts: Facts) -> Iterator[Hit]:
    if facts.key is not None:
        kind, bits = facts.key
        if bits < _STRONG_BITS.get(kind, 0):
            yield Hit(
                "cert.weak-key",
                evidence=f"{kind}, {bits} bits",
                severity="high" if bits < 1024 and kind != "EC" else None,
            )
    if facts.signature is not None and re.search(r"sha-?1(?!\d)|md5|md2", facts.signature, re.IGNORECASE):
        yield Hit("cert.weak-signature", evidence=f"signature algorithm: {facts.signature}")
