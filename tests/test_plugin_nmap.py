"""The nmap plugin: real nmap against real sockets on loopback, and its two pure rooms alone."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import offspring
import plugin_replay as replay
import pytest
from plugin_tarpit import drip, gone_after, interrupted, reset

from kastrun.kit.site import Handler, closed_port, serve, until_closed

FOLDER = replay.PLUGINS / "nmap"
OPTIONS = {"version_detection": True, "timing": 4, "accept_closed": False}
TELNET = b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"
Scan = Callable[..., replay.Told]
real = pytest.mark.needs("nmap")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nmap_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


reading, exposure = load("reading"), load("exposure")


def job(*ports: int, deadline_s: float = 30, host: str = "127.0.0.1", **options: Any) -> dict[str, Any]:
    listed = {"ports": ",".join(map(str, ports))}
    target = {"kind": "host", "value": host, "host": host}
    return {"targets": [target], "options": OPTIONS | listed | options, "deadline_s": deadline_s}


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    def go(*ports: int, **more: Any) -> replay.Told:
        told = replay.run_plugin(FOLDER, wanted := job(*ports, **more), tmp_path)
        assert told.returncode == 0, told.stderr
        assert told.seconds < wanted["deadline_s"] + 2
        assert offspring.living() == {}
        return told

    return go


def banner(text: bytes) -> Handler:
    def greet(connection: socket.socket) -> None:
        connection.sendall(text)
        until_closed(connection)

    return greet


@real
def test_services_are_identified_and_only_the_risky_ones_are_findings(scan: Scan) -> None:
    with (
        serve(banner(TELNET)) as telnet,
        serve(banner(b"220 (vsFTPd 3.0.3)\r\n")) as ftp,
        serve(banner(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")) as ssh,
        closed_port() as closed,
    ):
        told = scan(telnet, ftp, ssh, closed)
    assert told.done == {"type": "done", "status": "ok"}
    seen = {asset["value"]: asset["attrs"] for asset in told.of("asset")}
    assert seen.keys() == {f"127.0.0.1:{port}/tcp" for port in (telnet, ftp, ssh)}
    assert seen[f"127.0.0.1:{ftp}/tcp"]["product"] == "vsftpd"
    assert seen[f"127.0.0.1:{ssh}/tcp"]["name"] == "ssh"
    by_rule = {finding["rule"]: finding for finding in told.of("finding")}
    assert {rule: finding["severity"] for rule, finding in by_rule.items()} == {
        "exposed-telnet": "medium",
        "exposed-ftp": "low",
    }
    assert by_rule["exposed-telnet"]["location"] == {"host": "127.0.0.1", "port": telnet, "proto": "tcp"}
    assert "3 open, 1 refused" in told.of("log")[0]["message"]


@real
def test_a_well_kept_host_gives_no_finding(scan: Scan) -> None:
    with serve(banner(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")) as ssh:
        told = scan(ssh)
    assert told.rules == [] and told.done["status"] == "ok"


@real
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_host_that_refuses_everything_is_unreachable(scan: Scan, host: str) -> None:
    with closed_port() as port:
        told = scan(port, host=host)
    assert told.done["error"]["kind"] == "target"
    assert f"{host} has no open port among those tried: 1 refused" in told.done["error"]["message"]
    assert "accept_closed" in told.done["error"]["message"]


@real
def test_all_closed_is_an_answer_where_the_user_says_so(scan: Scan) -> None:
    with closed_port() as port:
        assert scan(port, accept_closed=True).done["status"] == "ok"


@real
def test_ipv6(scan: Scan) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        told = scan(port, host="::1", version_detection=False)
    assert [asset["value"] for asset in told.of("asset")] == [f"[::1]:{port}/tcp"]
    assert told.done["status"] == "ok"


@real
@pytest.mark.parametrize("handler", [until_closed, drip], ids=["silent", "drip"])
def test_an_open_port_that_takes_all_the_time_is_still_said(scan: Scan, handler: Handler) -> None:
    with serve(handler) as port:
        told = scan(port, deadline_s=4)
    assert told.done == {
        "type": "done",
        "status": "partial",
        "message": "time ran out during version detection",
    }
    assert [asset["value"] for asset in told.of("asset")] == [f"127.0.0.1:{port}/tcp"]


@real
def test_a_port_that_resets_is_open(scan: Scan) -> None:
    with serve(reset) as port:
        told = scan(port, version_detection=False)
    assert told.done["status"] == "ok" and len(told.of("asset")) == 1


@real
def test_a_target_that_goes_away_is_partial(scan: Scan) -> None:
    with gone_after(1) as port:
        told = scan(port, version_detection=False)
    assert told.done["message"] == "the target stopped answering during this job"
    assert told.done["status"] == "partial"


@real
def test_sigterm_ends_nmap_and_keeps_the_ports(tmp_path: Path) -> None:
    identifying, connections = threading.Event(), []

    def silent(connection: socket.socket) -> None:
        connections.append(connection)
        if len(connections) == 3:  # one for the port scan, one for nmap's own check, then the question
            identifying.set()
        until_closed(connection)

    with serve(silent) as port:
        told = interrupted(FOLDER, job(port), tmp_path, identifying)
    assert told.seconds < 3 and told.returncode == 0
    assert told.done["status"] == "partial"
    assert told.done["message"] == "version detection was stopped by SIGTERM"
    assert [asset["value"] for asset in told.of("asset")] == [f"127.0.0.1:{port}/tcp"]
    assert offspring.living() == {}


@pytest.mark.parametrize("ports", ["0", "70000", "90-80"])
def test_a_port_out_of_range_is_the_users_to_change(scan: Scan, ports: str) -> None:
    error = scan(ports=ports).done["error"]
    assert error["kind"] == "config" and f"`{ports}` is not a port from 1 to 65535" in error["message"]


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo 'no such option' >&2; exit 255", "internal", "exit code 255: no such option"),
        ("echo '<nmaprun xmloutputversion=\"2.0\"/>' > nmap.xml", "internal", "version 2.0, not 1.x"),
        ("echo '<nmaprun xmloutputversion=\"1.05\"/>' > nmap.xml", "internal", "reported no host"),
        ("echo '{}' > nmap.xml", "internal", "version (none), not 1.x: {}"),
    ],
    ids=["exit-code", "too-new", "no-host", "not-xml"],
)
def test_what_nmap_should_not_do_is_never_clean(tmp_path: Path, script: str, kind: str, words: str) -> None:
    home, stand_ins = tmp_path / "job", tmp_path / "bin"
    home.mkdir()
    stand_ins.mkdir()
    (stand_ins / "nmap").write_text(f"#!/bin/sh\n{script}\n")
    (stand_ins / "nmap").chmod(0o755)
    told = replay.run_plugin(FOLDER, job(80), home, stand_ins=stand_ins)
    assert told.done["error"]["kind"] == kind and words in told.done["error"]["message"]


PORTS = (
    '<nmaprun xmloutputversion="1.05"><host><ports>'
    '<extraports state="closed" count="3"><extrareasons reason="conn-refused" count="3"/></extraports>'
    '<extraports state="filtered" count="2">'
    '<extrareasons reason="admin-prohibited" count="2" ports="7-8"/></extraports>'
    '<port protocol="tcp" portid="21"><state state="open"/><service name="ftp" method="probed"/></port>'
    "</ports></host></nmaprun>"
)


def test_xml_is_read_however_early_it_breaks_off() -> None:
    whole = reading.read(PORTS)
    assert (whole.complete, whole.closed, whole.barred, whole.barred_ports) == (True, 3, 2, [7, 8])
    assert [(port.number, port.name, port.known) for port in whole.open] == [(21, "ftp", True)]
    for end in range(len(PORTS)):
        cut = reading.read(PORTS[:end])
        assert len(cut.open) <= 1
        assert not cut.complete or "</host>" in PORTS[:end]


@pytest.mark.parametrize("entry", exposure.TABLE, ids=lambda entry: entry.rule)
def test_each_exposure_is_found_by_name_and_more_mildly_by_number(entry: Any) -> None:
    for name in entry.names:
        finding = exposure.judge(reading.Port(40000, name, known=True)).finding(
            "h", reading.Port(1, name, True)
        )
        assert (finding["rule"], finding["severity"]) == (entry.rule, entry.severity)
        assert "/" not in finding["rule"] and finding["remediation"].endswith(".") and finding["refs"]
    for number in entry.ports:
        guess = reading.Port(number)
        finding = exposure.judge(guess).finding("h", guess)
        assert finding["rule"] == entry.rule and finding["confidence"] == "low"
        assert finding["severity"] == exposure.MILDER[entry.severity]


def test_what_gave_its_name_is_not_judged_by_its_number() -> None:
    assert exposure.judge(reading.Port(6379, "ssh", known=True)) is None
    elastic = reading.Port(9201, "http", known=True, attrs={"product": "Elasticsearch REST API"})
    assert exposure.judge(elastic).rule == "exposed-elasticsearch"
    assert exposure.judge(reading.Port(990, "ftp", known=True, attrs={"tunnel": "ssl"})) is None


def test_ports_are_spread() -> None:
    assert reading.spread("22,80-82,x") == [22, 80, 81, 82]
