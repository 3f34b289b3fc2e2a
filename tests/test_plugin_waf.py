"""The waf plugin: real wafw00f against real servers on loopback, and stand-ins for what it should not do."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import offspring
import plugin_replay as replay
import pytest
from plugin_tarpit import answering, answering_then_silent, drip, interrupted, page, reset

from kastrun.kit.site import Handler, closed_port, read_head, serve, site, until_closed

FOLDER = replay.PLUGINS / "waf"
PLAIN = page("<p>hello</p>")
CLOUDFLARE = page("<p>hello</p>", "Server: cloudflare", "CF-RAY: 12345-LHR")
Look = Callable[..., replay.Told]
real = pytest.mark.needs("wafw00f", "jq", "curl")
shell = pytest.mark.needs("jq", "curl")


def job(port: int, *, scheme: str = "http", deadline_s: float = 30, **http: Any) -> dict[str, Any]:
    target = {"kind": "url", "value": f"{scheme}://127.0.0.1:{port}/"}
    return {"targets": [target], "deadline_s": deadline_s, "http": http}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def go(port: int, *, stand_in: str = "", **more: Any) -> replay.Told:
        home, stand_ins = tmp_path / "job", tmp_path / "bin"
        home.mkdir()
        stand_ins.mkdir()
        if stand_in:
            (stand_ins / "wafw00f").write_text(f"#!/bin/sh\n{stand_in}\n")
            (stand_ins / "wafw00f").chmod(0o755)
        told = replay.run_plugin(FOLDER, wanted := job(port, **more), home, stand_ins=stand_ins)
        assert told.returncode == 0, told.stderr
        assert told.seconds < wanted["deadline_s"] + 2
        assert offspring.living() == {}
        return told

    return go


def blocking(connection: socket.socket) -> None:
    """An ordinary page, but 403 for what looks like an attack."""
    head = read_head(connection).lower()
    bad = b"script" in head or b"passwd" in head or b"select" in head
    connection.sendall(page("no", status="403 Forbidden") if bad else PLAIN)


@real
def test_a_firewall_is_named(look: Look) -> None:
    with serve(answering(CLOUDFLARE)) as port:
        told = look(port)
    (asset,) = told.of("asset")
    assert (asset["kind"], asset["value"]) == ("tech", "Cloudflare")
    url = f"http://127.0.0.1:{port}/"
    assert asset["attrs"] == {"category": "waf", "url": url, "manufacturer": "Cloudflare Inc."}
    assert told.of("finding") == [] and told.done["status"] == "ok"


@real
def test_a_firewall_of_unknown_make_is_said_as_such(look: Look) -> None:
    with serve(blocking) as port:
        told = look(port)
    assert [asset["value"] for asset in told.of("asset")] == ["Unrecognised web application firewall"]
    assert "manufacturer" not in told.of("asset")[0]["attrs"]


@real
def test_no_firewall_is_no_finding(look: Look) -> None:
    with serve(answering(PLAIN)) as port:
        told = look(port)
    assert told.of("finding") == told.of("asset") == []
    assert [log["message"] for log in told.of("log")] == ["no web application firewall was recognised"]
    assert told.done == {"type": "done", "status": "ok"}


@real
def test_user_agent_headers_and_proxy_are_used(look: Look) -> None:
    seen: list[bytes] = []
    with serve(answering(PLAIN, seen)) as proxy, closed_port() as port:
        told = look(
            port,
            user_agent="acme",
            headers={"X-Key": "s3cret", "X-Time": "10:30"},
            proxy=f"http://127.0.0.1:{proxy}",
        )
    assert told.done["status"] == "ok" and len(seen) > 5
    assert all(f"GET http://127.0.0.1:{port}/".encode() in head for head in seen)
    assert all(b"X-Key: s3cret" in head for head in seen)
    agents = [b"User-Agent: acme" in head for head in seen]
    assert agents[0] and agents[1] and agents[-1]  # curl, wafw00f (which then tries without), curl
    assert told.of("log")[0]["message"] == (
        "wafw00f cannot send headers with a colon in their value; left out: X-Time"
    )


@real
@pytest.mark.parametrize("trusted", [True, False])
def test_headers_go_to_trusted_hosts_only(look: Look, tmp_path: Path, trusted: bool) -> None:
    described = {"tls": {}, "routes": {"*": {"body": "x"}}}
    with site(described, tmp_path / "tls") as running:
        more = {"ca_file": str(running.ca_file)} if trusted else {}
        told = look(running.port, scheme="https", headers={"X-Key": "s3cret"}, **more)
    assert told.done["status"] == "ok"
    assert {b"s3cret" in head for head in running.seen} == {trusted}
    warned = "the certificate is not trusted: http.headers are not sent"
    assert (warned in [log["message"] for log in told.of("log")]) == (not trusted)


@shell
@pytest.mark.parametrize("handler", [until_closed, reset, drip], ids=["silent", "reset", "drip"])
def test_a_target_that_does_not_answer_is_never_clean(look: Look, handler: Handler) -> None:
    with serve(handler) as port:
        error = look(port, deadline_s=8).done["error"]
    assert (
        error["kind"] == "target" and f"http://127.0.0.1:{port}/ does not answer: curl:" in error["message"]
    )


@shell
def test_a_closed_port_is_never_clean(look: Look) -> None:
    with closed_port() as port:
        error = look(port).done["error"]
    assert error["kind"] == "target" and "onnect" in error["message"]


@real
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_target_that_dies_is_no_firewall(look: Look, times: int) -> None:
    """wafw00f takes it for one: "blocking is being done at connection level"."""
    with serve(answering(PLAIN, times=times)) as port:
        told = look(port)
    assert told.of("asset") == []
    assert told.done["error"]["kind"] == "target"
    assert "the target stopped answering during this job" in told.done["error"]["message"]


@real
def test_a_target_that_hangs_under_wafw00f_ends_with_the_deadline(look: Look) -> None:
    with serve(answering_then_silent(PLAIN, 1, threading.Event())) as port:
        told = look(port, deadline_s=8)
    assert told.done["error"]["kind"] == "target"


@shell
def test_a_wafw00f_that_never_ends_is_ended(look: Look) -> None:
    with serve(answering(PLAIN)) as port:
        told = look(port, stand_in="trap '' TERM; while :; do sleep 0.1; done", deadline_s=8)
    assert told.done["status"] == "partial" and told.done["message"].startswith("time ran out")


@real
def test_sigterm_ends_wafw00f(tmp_path: Path) -> None:
    reached = threading.Event()
    with serve(answering_then_silent(PLAIN, 1, reached)) as port:
        told = interrupted(FOLDER, job(port), tmp_path, reached)
    assert told.seconds < 3 and told.returncode == 0
    assert told.done["status"] == "partial" and "stopped by SIGTERM" in told.done["message"]
    assert offspring.living() == {}


@shell
@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo 'oh dear' >&2; exit 2", "internal", "exit code 2 and a result of an unknown form: oh dear"),
        ("echo '{}' > waf.json", "internal", "a result of an unknown form: {}"),
        ("echo '[{\"url\": 1}]' > waf.json", "internal", "a result of an unknown form"),
        ("echo '[' > waf.json", "internal", "a result of an unknown form: ["),
        ("echo '[]' > waf.json", "target", "wafw00f got no answer, although our own request did"),
    ],
    ids=["crash", "object", "other-shape", "half", "empty"],
)
def test_what_wafw00f_should_not_do_is_never_clean(look: Look, script: str, kind: str, words: str) -> None:
    with serve(answering(PLAIN)) as port:
        told = look(port, stand_in=script)
    assert told.done["error"]["kind"] == kind and words in told.done["error"]["message"]


@pytest.mark.needs("shellcheck")
def test_the_script_is_posix() -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck is not None
    checked = subprocess.run([shellcheck, "--shell=sh", FOLDER / "waf.sh"], capture_output=True, check=False)
    assert checked.stdout.decode() == ""
