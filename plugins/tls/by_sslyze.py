"""The better engine: the sslyze program's JSON, read into the same facts.

Its exit code means nothing here, and neither does its view of trust (it is stricter than
browsers and does not say which of name, date or chain is wrong). `connectivity_status`
COMPLETED is its proof of contact; anything else is a failure of the engine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import voice
from facts import Facts
from shake import Endpoint

ORDINARY = ("certinfo", "sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "compression")
INTRUSIVE = ("heartbleed", "openssl_ccs", "robot", "reneg")
_SUITES = {
    "SSLv2": "ssl_2_0_cipher_suites",
    "SSLv3": "ssl_3_0_cipher_suites",
    "TLSv1": "tls_1_0_cipher_suites",
    "TLSv1.1": "tls_1_1_cipher_suites",
    "TLSv1.2": "tls_1_2_cipher_suites",
    "TLSv1.3": "tls_1_3_cipher_suites",
}
_KINDS = {"RSAPublicKey": "RSA", "DSAPublicKey": "DSA", "EllipticCurvePublicKey": "EC", "ECPublicKey": "EC"}
_HEARTBEAT_S = 2.0


class EngineError(Exception):
    """sslyze gave nothing that can be used; the text says why."""


def find(path: str) -> str | None:
    """The program at `path`, or on PATH where that is empty."""
    return shutil.which(path or "sslyze")


def examine(
    program: str, endpoint: Endpoint, folder: Path, *, intrusive: bool, heartbeat: Callable[[str], None]
) -> Facts:
    """Runs it and reads its JSON from `folder`. Raises EngineError. The deadline is the caller's alarm."""
    out = folder / "sslyze.json"
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    commands = [f"--{name}" for name in (*ORDINARY, *(INTRUSIVE if intrusive else ()))]
    tunnel = [f"--https_tunnel={endpoint.proxy}"] if endpoint.proxy else []
    argv = [program, f"--json_out={out}", "--quiet", "--mozilla_config=disable", *commands, *tunnel]
    try:
        child = voice.start([*argv, f"{host}:{endpoint.port}"])
    except OSError as error:
        raise EngineError(f"{program} cannot be started: {error}") from error
    _wait(child, heartbeat)
    try:
        document = json.loads(out.read_text(encoding="utf-8"))
        return read(document, intrusive=intrusive)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise EngineError(
            f"sslyze ended with {child.returncode} and without usable JSON: {error!r}"
        ) from error


def _wait(child: subprocess.Popen[bytes], heartbeat: Callable[[str], None]) -> None:
    while True:
        try:
            child.wait(_HEARTBEAT_S)
        except subprocess.TimeoutExpired:
            heartbeat("sslyze")
        else:
            return


def read(document: Mapping[str, Any], *, intrusive: bool) -> Facts:
    """One server's result as facts. Raises EngineError where there was no contact."""
    results = document["server_scan_results"]
    if len(results) != 1 or results[0]["connectivity_status"] != "COMPLETED":
        traces = [str(entry.get("connectivity_error_trace")).strip().splitlines()[-1] for entry in results]
        raise EngineError(f"sslyze could not connect: {'; '.join(traces) or 'it knows no such server'}")
    scan = results[0]["scan_result"]
    facts = Facts(engine=f"sslyze {document.get('sslyze_version', '')}".strip())
    for version, key in _SUITES.items():
        _suites(version, _result(scan, key), facts)
    _flaws(scan, facts, intrusive=intrusive)
    _leaf(_result(scan, "certificate_info"), facts)
    return facts


def _result(scan: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """What a command found, or None where it was not run or failed."""
    entry = scan.get(key) or {}
    result: Mapping[str, Any] | None = entry.get("result") if entry.get("status") == "COMPLETED" else None
    return result


def _suites(version: str, result: Mapping[str, Any] | None, facts: Facts) -> None:
    if result is None:
        facts.versions[version] = None
        facts.untested.append(version)
        return
    accepted = [entry["cipher_suite"] for entry in result["accepted_cipher_suites"]]
    facts.versions[version] = bool(accepted)
    facts.ciphers.update(suite.get("openssl_name") or suite["name"] for suite in accepted)


def _flaws(scan: Mapping[str, Any], facts: Facts, *, intrusive: bool) -> None:
    _flaw(facts, "compression", _result(scan, "tls_compression"), "supports_compression")
    if not intrusive:
        facts.untested.append("Heartbleed, ROBOT, CCS injection and renegotiation (option intrusive)")
        return
    _flaw(facts, "heartbleed", _result(scan, "heartbleed"), "is_vulnerable_to_heartbleed")
    _flaw(facts, "ccs_injection", _result(scan, "openssl_ccs_injection"), "is_vulnerable_to_ccs_injection")
    renegotiation = _result(scan, "session_renegotiation")
    _flaw(facts, "client_renegotiation", renegotiation, "is_vulnerable_to_client_renegotiation_dos")
    _flaw(facts, "insecure_renegotiation", renegotiation, "supports_secure_renegotiation", bad=False)
    robot = _result(scan, "robot")
    facts.flaws["robot"] = None if robot is None else robot["robot_result"].startswith("VULNERABLE")
    if robot is None:
        facts.untested.append("robot")


def _flaw(facts: Facts, name: str, result: Mapping[str, Any] | None, key: str, *, bad: bool = True) -> None:
    facts.flaws[name] = None if result is None else result[key] is bad
    if result is None:
        facts.untested.append(name)


def _leaf(result: Mapping[str, Any] | None, facts: Facts) -> None:
    """Key and signature of the first certificate; a server may have several deployments."""
    if result is None:
        facts.untested.append("key and signature of the certificate")
        return
    leaf = result["certificate_deployments"][0]["received_certificate_chain"][0]
    key, digest = leaf["public_key"], leaf["signature_hash_algorithm"]
    facts.key = (_KINDS.get(key["algorithm"], key["algorithm"]), key["key_size"] or 10**6)
    facts.signature = digest["name"] if digest else None
