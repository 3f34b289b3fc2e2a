"""What a server's certificate says and whether it may be believed, by handshakes with the standard library.

The same for both engines. OpenSSL decodes and verifies: the certificate is first pinned,
so that its dates and names can be read though no CA vouches for it, then held against
the host's name, then against the trusted CAs.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rules import Hit
from shake import Endpoint, Shake, pinned, trusting

SELF_SIGNED = 18  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
SOON_DAYS, VERY_SOON_DAYS = 30, 7


@dataclass(frozen=True, slots=True)
class Certificate:
    """The leaf. Dates are None and names empty where OpenSSL would not decode it (`unread` says why)."""

    fingerprint: str
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    names: tuple[str, ...] = ()
    begins: datetime | None = None
    ends: datetime | None = None
    unread: str | None = None

    def attrs(self) -> dict[str, Any]:
        """For the asset: what is known."""
        known = {
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "names": list(self.names),
            "not_before": self.begins and self.begins.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "not_after": self.ends and self.ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return {key: value for key, value in known.items() if value}


def read(endpoint: Endpoint, der: bytes) -> Certificate:
    """Raises OSError where the server no longer answers."""
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        return _decoded(fingerprint, endpoint.shake(pinned(der, check_name=False)))
    except ssl.SSLCertVerificationError as error:
        return Certificate(fingerprint, unread=error.verify_message)


def _decoded(fingerprint: str, shake: Shake) -> Certificate:
    facts = shake.decoded
    return Certificate(
        fingerprint,
        subject=_name(facts.get("subject", ())),
        issuer=_name(facts.get("issuer", ())),
        serial=facts.get("serialNumber", ""),
        names=tuple(value for _, value in facts.get("subjectAltName", ())),
        begins=_moment(facts["notBefore"]),
        ends=_moment(facts["notAfter"]),
    )


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return ", ".join(f"{key}={value}" for part in parts for key, value in part)


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def check_dates(certificate: Certificate, now: datetime) -> Iterator[Hit]:
    begins, ends = certificate.begins, certificate.ends
    if begins is None or ends is None:
        return
    if now > ends:
        yield Hit("cert.expired", evidence=f"notAfter: {ends:%Y-%m-%d %H:%M} UTC")
    elif now < begins:
        yield Hit("cert.not-yet-valid", evidence=f"notBefore: {begins:%Y-%m-%d %H:%M} UTC")
    elif (left := (ends - now).total_seconds() / 86400) <= SOON_DAYS:
        shown = f"notAfter: {ends:%Y-%m-%d %H:%M} UTC"
        yield Hit("cert.expires-soon", evidence=shown, severity="medium" if left <= VERY_SOON_DAYS else None)


def check_name(endpoint: Endpoint, der: bytes, certificate: Certificate) -> Iterator[Hit]:
    """Raises OSError where the server no longer answers."""
    try:
        endpoint.shake(pinned(der, check_name=True))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in WRONG_NAME:
            return
        names = ", ".join(certificate.names) or certificate.subject
        shown = f"asked for {endpoint.host}, the certificate names {names}"
        if _is_address(endpoint.host):
            detail = "The target is an address, which few certificates name: it matters if visitors use it."
            yield Hit("cert.name-mismatch", evidence=shown, severity="low", confidence="low", detail=detail)
        else:
            yield Hit("cert.name-mismatch", evidence=shown)


def check_trust(
    endpoint: Endpoint, ca_file: str | None, certificate: Certificate, now: datetime
) -> Iterator[Hit]:
    """Dates of the leaf are judged elsewhere. Raises OSError as above, and SettingError."""
    in_date = (
        certificate.begins is None
        or certificate.ends is None
        or certificate.begins <= now <= certificate.ends
    )
    try:
        endpoint.shake(trusting(ca_file, check_time=in_date))
    except ssl.SSLCertVerificationError as error:
        rule = "cert.self-signed" if error.verify_code == SELF_SIGNED else "cert.untrusted"
        issuer = f"; issuer: {certificate.issuer}" if certificate.issuer else ""
        yield Hit(rule, evidence=f"{error.verify_message}{issuer}")


def knows_authorities(ca_file: str | None) -> bool:
    """Whether there is any CA to hold a chain against: slim containers have none."""
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    return ca_file is not None or paths.cafile is not None or (folder is not None and any(folder.iterdir()))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
