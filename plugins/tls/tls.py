#!/usr/bin/env python3
"""Reads one job, judges one service's certificate, versions and ciphers, prints what is wrong.

First contact, then the certificate (standard library, whatever the engine), then versions
and ciphers by an engine, then contact again: a server that died on the way was not tested.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True  # this folder's content is part of a job's identity

import by_sslyze  # noqa: E402
import by_stdlib  # noqa: E402
import certificate as certificates  # noqa: E402
import facts as findings  # noqa: E402
from facts import Facts  # noqa: E402
from rules import RULES, Hit  # noqa: E402
from shake import Endpoint, SettingError, Shake, answered_in_another_tongue, loose, proxy_parts  # noqa: E402
from voice import beat, begin, end, fail, log, say, when_late  # noqa: E402


@dataclass(frozen=True, slots=True)
class Job:
    endpoint: Endpoint
    maybe: bool
    """A service of which nobody said that it speaks TLS."""
    options: dict[str, Any]
    ca_file: str | None
    proxy: str | None

    @property
    def where(self) -> str:
        return f"{self.endpoint.host}:{self.endpoint.port}"


def read_job(line: bytes) -> Job:
    document = json.loads(line)
    target, options, http = document["targets"][0], document["options"], document["http"]
    begin(document["deadline_s"])
    port = target.get("port") or options.get("port", 443)
    endpoint = Endpoint(target["host"], port, http.get("proxy") or None, options.get("timeout", 5))
    when_late(
        "error", error={"kind": "target", "message": f"{target['value']} gave no answer before the deadline"}
    )
    if target.get("scheme") == "http":
        end("skipped", message=f"{target['value']} speaks plain HTTP: there is no TLS to judge")
    return Job(
        endpoint,
        target["kind"] == "service" and "scheme" not in target,
        options,
        http.get("ca_file"),
        http.get("proxy"),
    )


def tell(job: Job, hits: Iterable[Hit]) -> None:
    for hit in hits:
        rule = RULES[hit.rule]
        say(
            type="finding",
            rule=hit.rule,
            title=rule.title,
            severity=hit.severity or rule.severity,
            confidence=hit.confidence,
            description=f"{rule.description} {hit.detail}".strip(),
            remediation=rule.remediation,
            refs=rule.refs,
            evidence=hit.evidence[:4096],
            location={"host": job.endpoint.host, "port": job.endpoint.port, "proto": "tcp"},
        )


def contact(job: Job) -> Shake:
    """The proof that a TLS server is there; ends the job where it is not."""
    beat("first handshake")
    try:
        return job.endpoint.shake(loose())
    except OSError as error:
        if answered_in_another_tongue(error) and job.maybe:
            end("skipped", message=f"{job.where} answered, and does not speak TLS")
        through = (
            f" through the proxy {proxy_parts(job.proxy).netloc.rpartition('@')[2]}" if job.proxy else ""
        )
        reason = (
            f"no answer within {job.endpoint.seconds:g} s" if isinstance(error, TimeoutError) else str(error)
        )
        fail("target", f"no TLS connection to {job.where}{through}: {reason}")


def judge_certificate(job: Job, der: bytes) -> certificates.Certificate:
    beat("certificate")
    now = datetime.now(UTC)
    leaf = certificates.read(job.endpoint, der)
    if leaf.unread is not None:
        log("warn", f"the certificate's dates and names could not be read: {leaf.unread}")
    tell(job, certificates.check_dates(leaf, now))
    tell(job, certificates.check_name(job.endpoint, der, leaf))
    if certificates.knows_authorities(job.ca_file):
        tell(job, certificates.check_trust(job.endpoint, job.ca_file, leaf, now))
    else:
        log("warn", "this machine has no CA certificates: whether the chain is trusted was not judged")
    return leaf


def examine(job: Job, der: bytes | None) -> Facts:
    """By the engine that the options want; falls back, and says so, where `auto` allows it."""
    must = job.options.get("engine", "auto") == "sslyze"
    program = _sslyze(job, must=must)
    if program is not None:
        try:
            intrusive = job.options.get("intrusive", False)
            return by_sslyze.examine(
                program, job.endpoint, Path.cwd(), intrusive=intrusive, heartbeat=heartbeat
            )
        except by_sslyze.EngineError as error:
            if must:
                message = f"{job.where}: the certificate was judged, versions and ciphers were not: {error}"
                end("partial", message=message)
            log("warn", f"{error}; going on with Python's ssl module")
    return by_stdlib.examine(job.endpoint, der, heartbeat)


def _sslyze(job: Job, *, must: bool) -> str | None:
    """The program to use, None for the standard library; ends the job where only sslyze would do."""
    if job.options.get("engine") == "stdlib":
        return None
    program = by_sslyze.find(job.options.get("sslyze_path", ""))
    problem = None
    if program is None:
        problem = "sslyze was not found: install it (pip install sslyze) or set the option sslyze_path"
    elif "@" in (job.proxy or ""):
        problem = "sslyze would show the proxy's password on its command line"
    if problem is None:
        return program
    if must:
        fail("config", f"{problem}; or set the option engine to stdlib")
    log("info", f"{problem}: going on with Python's ssl module")
    return None


def heartbeat(step: str) -> None:
    beat(step)


def report_certificate(job: Job, leaf: certificates.Certificate, facts: Facts) -> None:
    attrs = {**leaf.attrs(), "service": f"{job.where}/tcp", "engine": facts.engine}
    if facts.key is not None:
        attrs["key"] = f"{facts.key[0]} {facts.key[1]}"
    if facts.signature is not None:
        attrs["signature"] = facts.signature
    say(type="asset", kind="cert", value=f"sha256:{leaf.fingerprint}", attrs=attrs)


def main() -> None:
    job = read_job(sys.stdin.buffer.readline())
    if job.proxy:
        proxy_parts(job.proxy)
    shake = contact(job)
    half = f"{job.where}: the certificate was judged, versions and ciphers not to the end"
    when_late("partial", message=f"{half}: the deadline came")
    try:
        leaf = judge_certificate(job, shake.der) if shake.der else None
        facts = examine(job, shake.der)
    except OSError as error:
        end("partial", message=f"{half}: the target stopped answering ({error})")
    log("info", f"versions and ciphers were tried with {facts.engine}")
    if facts.untested:
        log("info", f"not tested: {', '.join(facts.untested)}")
    tell(job, findings.judge(facts))
    if leaf is not None:
        report_certificate(job, leaf, facts)
    finish(job, facts)


def finish(job: Job, facts: Facts) -> None:
    """`ok` needs the target to be there still: else the last tests were answered by no one."""
    try:
        job.endpoint.shake(loose())
    except OSError as error:
        message = f"{job.where} stopped answering during this job ({error}): nothing can be said of the rest"
        end("partial", message=message)
    offered = [version for version, accepted in facts.versions.items() if accepted]
    versions = ", ".join(offered) or "no version that could be tried"
    end("ok", message=f"{job.where} offers {versions} (by {facts.engine})")


if __name__ == "__main__":
    try:
        main()
    except SettingError as error:
        fail("config", str(error))
