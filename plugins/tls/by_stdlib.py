"""The engine that is always there: versions and weak ciphers tried with Python's own OpenSSL.

It can offer only what that OpenSSL was built with; whatever cannot be tried is named as
untested, never taken for absent. Key and signature come from the `openssl` program.
"""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Callable

from facts import Facts
from shake import Endpoint, only_ciphers, only_version

VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
GROUPS = {
    "NULL": "eNULL",
    "anonymous": "aNULL:!eNULL",
    "export": "EXP",
    "RC4": "RC4:!aNULL",
    "3DES": "3DES:!aNULL",
    "DES": "DES:!3DES:!aNULL",
    "no forward secrecy": "kRSA:!eNULL:!RC4:!DES:!3DES:!EXP",
}
_KINDS = {"rsaEncryption": "RSA", "rsassaPss": "RSA", "id-ecPublicKey": "EC", "dsaEncryption": "DSA"}


def examine(endpoint: Endpoint, der: bytes | None, heartbeat: Callable[[str], None]) -> Facts:
    """Raises OSError where nobody is there any more."""
    facts = Facts(engine=f"Python ssl ({ssl.OPENSSL_VERSION})", untested=["SSLv2", "SSLv3"])
    for name, version in VERSIONS.items():
        heartbeat(name)
        facts.versions[name] = _accepts_version(endpoint, version)
        if facts.versions[name] is None:
            facts.untested.append(name)
    for group, names in GROUPS.items():
        heartbeat(f"{group} ciphers")
        try:
            cipher = _taken(endpoint, only_ciphers(names))
        except (ssl.SSLError, TimeoutError):
            facts.untested.append(f"{group} ciphers")
        else:
            facts.ciphers |= {cipher} if cipher else set()
    facts.untested += ["Heartbleed", "ROBOT", "CCS injection", "compression", "renegotiation"]
    if der is not None:
        _key_and_signature(der, facts)
    return facts


def _accepts_version(endpoint: Endpoint, version: ssl.TLSVersion) -> bool | None:
    if not getattr(ssl, f"HAS_{version.name}"):
        return None
    try:
        return bool(_taken(endpoint, only_version(version)))
    except (ssl.SSLError, TimeoutError):
        return None


def _taken(endpoint: Endpoint, context: ssl.SSLContext) -> str | None:
    """The cipher that was agreed on, None where the server refused.

    Raises ssl.SSLError where this side could not even offer, TimeoutError where the server is silent.

    A server that resets or hangs up refuses too: many do so instead of sending an alert.
    """
    try:
        return endpoint.shake(context).cipher
    except ssl.SSLError as error:
        if error.reason in {"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE"}:
            raise
        return None
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
        return None


def _key_and_signature(der: bytes, facts: Facts) -> None:
    program = shutil.which("openssl")
    if program is None:
        facts.untested.append("key and signature of the certificate (no openssl program on PATH)")
        return
    command = [program, "x509", "-inform", "DER", "-noout", "-text"]
    told = subprocess.run(command, input=der, capture_output=True, timeout=20, check=False)
    text = told.stdout.decode("utf-8", "replace")
    kind = re.search(r"Public Key Algorithm: (\S+)", text)
    bits = re.search(r"Public-Key: \((\d+) bit", text)
    signature = re.search(r"Signature Algorithm: (\S+)", text)
    if kind and bits:
        facts.key = (_KINDS.get(kind[1], kind[1]), int(bits[1]))
    if signature:
        facts.signature = signature[1]
    if told.returncode != 0:
        facts.untested.append("key and signature of the certificate (openssl could not read it)")
