"""The whatweb plugin: real whatweb against real servers on loopback, and its reader of JSON alone."""

from __future__ import annotations

import filecmp
import importlib.util
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import offspring
import plugin_replay as replay
import pytest
from plugin_tarpit import answering, answering_then_silent, drip, interrupted, page, reset

from kastrun.kit.site import Handler, closed_port, read_head, serve, site, until_closed

FOLDER = replay.PLUGINS / "whatweb"
WORDPRESS = page(
    '<html><head><meta name="generator" content="WordPress 6.4.2"></head></html>',
    "Server: nginx/1.22.1",
    "X-Powered-By: PHP/8.2.7",
)
PLAIN = page("<p>hello</p>")
Look = Callable[..., replay.Told]
real = pytest.mark.needs("whatweb")

spec = importlib.util.spec_from_file_location("whatweb_facts", FOLDER / "facts.py")
assert spec is not None and spec.loader is not None
facts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(facts)


def job(port: int, *, scheme: str = "http", deadline_s: float = 30, **http: Any) -> dict[str, Any]:
    target = {"kind": "url", "value": f"{scheme}://127.0.0.1:{port}/"}
    return {"targets": [target], "deadline_s": deadline_s, "http": http}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def go(port: int, **more: Any) -> replay.Told:
        home = tmp_path / "job"
        home.mkdir()
        told = replay.run_plugin(FOLDER, wanted := job(port, **more), home)
        assert told.returncode == 0, told.stderr
        assert told.seconds < wanted["deadline_s"] + 2
        assert offspring.living() == {}
        return told

    return go


@real
def test_technologies_become_assets(look: Look) -> None:
    with serve(answering(WORDPRESS)) as port:
        told = look(port)
    seen = {asset["value"]: asset["attrs"] for asset in told.of("asset")}
    assert seen["nginx"]["version"] == "1.22.1"
    assert seen["PHP"]["version"] == "8.2.7"
    assert seen["WordPress"]["version"] == "6.4.2"
    assert {attrs["url"] for attrs in seen.values()} == {f"http://127.0.0.1:{port}/"}
    assert {asset["kind"] for asset in told.of("asset")} == {"tech"}
    assert seen.keys().isdisjoint(facts.NOT_SOFTWARE)
    assert told.of("finding") == [] and told.done == {"type": "done", "status": "ok"}


@real
def test_a_site_that_tells_nothing_gives_nothing(look: Look) -> None:
    with serve(answering(PLAIN)) as port:
        told = look(port)
    assert told.messages == ({"type": "done", "status": "ok"},)


@real
def test_headers_and_user_agent_are_sent_and_stay_off_the_command_line(tmp_path: Path) -> None:
    seen: list[bytes] = []
    lines: list[str] = []

    def look_and_answer(connection: socket.socket) -> None:
        if head := read_head(connection):
            seen.append(head)
            lines.extend(offspring.living().values())
            connection.sendall(PLAIN)

    with serve(look_and_answer) as port:
        replay.run_plugin(FOLDER, job(port, user_agent="acme", headers={"X-Key": "s3cret: x"}), tmp_path)
    assert len(seen) >= 3  # ours before, whatweb's, ours after
    for head in seen:
        assert b"User-Agent: acme\r\n" in head and b"X-Key: s3cret: x\r\n" in head.replace(b"X-key", b"X-Key")
    assert any("whatweb -a 1" in line for line in lines)
    assert not any("s3cret" in line for line in lines)


@real
def test_an_http_proxy_is_used_by_all_requests(look: Look) -> None:
    seen: list[bytes] = []
    with serve(answering(PLAIN, seen)) as proxy, closed_port() as port:
        told = look(port, proxy=f"http://user:pass%20word@127.0.0.1:{proxy}")
    assert told.done["status"] == "ok"
    assert len(seen) >= 3
    assert all(f"GET http://127.0.0.1:{port}/ HTTP/1.1".encode() in head for head in seen)
    assert all(b"basic dxnlcjpwyxnzihdvcmq=" in head.lower() for head in seen)


def test_another_kind_of_proxy_is_the_users_to_change(look: Look) -> None:
    with closed_port() as port:
        error = look(port, proxy="socks5://127.0.0.1:1").done["error"]
    assert error == {
        "kind": "config",
        "message": "http.proxy: whatweb can use an http:// proxy only, not `socks5://`",
    }


@real
def test_an_untrusted_host_is_looked_at_without_our_headers(look: Look, tmp_path: Path) -> None:
    described = {"tls": {}, "routes": {"/": {"body": "<p>x", "headers": [["Content-Type", "text/html"]]}}}
    with site(described, tmp_path / "tls") as running:
        told = look(running.port, scheme="https", headers={"X-Key": "s3cret"})
    assert told.done["status"] == "ok"
    assert told.of("log")[0]["message"] == "the certificate is not trusted: http.headers are not sent"
    assert {b"s3cret" in head for head in running.seen} == {False}


@real
def test_a_trusted_host_gets_our_headers(look: Look, tmp_path: Path) -> None:
    described = {"tls": {}, "routes": {"/": {"body": "<p>x", "headers": [["Content-Type", "text/html"]]}}}
    with site(described, tmp_path / "tls") as running:
        told = look(running.port, scheme="https", headers={"X-Key": "s3cret"}, ca_file=str(running.ca_file))
    assert told.done["status"] == "ok" and told.of("log") == []
    assert {b"s3cret" in head for head in running.seen} == {True}


@pytest.mark.parametrize("handler", [until_closed, reset, drip], ids=["silent", "reset", "drip"])
def test_a_target_that_does_not_answer_is_never_clean(look: Look, handler: Handler) -> None:
    with serve(handler) as port:
        error = look(port, deadline_s=8).done["error"]
    assert error["kind"] == "target" and f"http://127.0.0.1:{port}/ does not answer" in error["message"]


def test_a_closed_port_is_never_clean(look: Look) -> None:
    with closed_port() as port:
        error = look(port).done["error"]
    assert error["kind"] == "target" and "refused" in error["message"]


@real
@pytest.mark.parametrize(("times", "status"), [(1, "error"), (2, "partial")])
def test_a_target_that_stops_answering_is_said(look: Look, times: int, status: str) -> None:
    with serve(answering(WORDPRESS, times=times)) as port:
        told = look(port)
    assert told.done["status"] == status
    assert "the target stopped answering during this job" in str(told.done)
    assert bool(told.of("asset")) == (status == "partial")


@real
def test_a_target_that_hangs_under_whatweb_ends_with_the_deadline(look: Look) -> None:
    with serve(answering_then_silent(PLAIN, 1, threading.Event())) as port:
        told = look(port, deadline_s=4)
    assert told.done["status"] == "partial"
    assert "time ran out before whatweb was done" in told.done["message"]
    assert "the target stopped answering during this job" in told.done["message"]


@real
def test_sigterm_ends_whatweb(tmp_path: Path) -> None:
    reached = threading.Event()
    with serve(answering_then_silent(PLAIN, 1, reached)) as port:
        told = interrupted(FOLDER, job(port), tmp_path, reached)
    assert told.seconds < 3 and told.returncode == 0
    assert told.done == {"type": "done", "status": "partial", "message": "whatweb was stopped by SIGTERM"}
    assert offspring.living() == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo oh dear >&2; exit 3", "exit code 3 and no result: 'oh dear'"),
        ("echo '<xml>' > whatweb.json", "is no JSON list: '<xml>"),
        ("echo '[{\"uri\": 1}]' > whatweb.json", "has no usable `plugins`"),
        ('echo \'[{"plugins": {"nginx": 1}}]\' > whatweb.json', "has no usable `plugins`"),
    ],
    ids=["crash", "not-json", "other-shape", "other-facts"],
)
def test_what_whatweb_should_not_do_is_never_clean(tmp_path: Path, script: str, words: str) -> None:
    home, stand_ins = tmp_path / "job", tmp_path / "bin"
    home.mkdir()
    stand_ins.mkdir()
    (stand_ins / "whatweb").write_text(f"#!/bin/sh\n{script}\n")
    (stand_ins / "whatweb").chmod(0o755)
    with serve(answering(PLAIN)) as port:
        told = replay.run_plugin(FOLDER, job(port), home, stand_ins=stand_ins)
    assert told.done["error"]["kind"] == "internal" and words in told.done["error"]["message"]


LOG = [
    {
        "target": "http://a/",
        "http_status": 301,
        "plugins": {"HTTPServer": {"string": ["Frob/1.0 (x) my mod/2"]}},
    },
    {
        "target": "http://a/b",
        "http_status": 200,
        "plugins": {"PHP": {"version": ["8.1", "8.2"]}, "Title": {}},
    },
]


def test_the_log_is_read_however_early_it_breaks_off() -> None:
    text = "[\n" + "\n,\n".join(map(json.dumps, LOG)) + "\n]\n"
    assert facts.pages(text) == LOG and facts.whole(text)
    for end in range(len(text)):
        assert facts.pages(text[:end]) == LOG[: len(facts.pages(text[:end]))]
    assert facts.pages("[") == facts.pages("") == []


def test_products_in_server_headers_without_a_whatweb_plugin_count() -> None:
    found = facts.technologies(LOG)
    assert list(found) == ["Frob", "mod", "PHP"]
    assert found["Frob"]["version"] == "1.0" and found["PHP"]["version"] == ["8.1", "8.2"]


def test_both_copies_of_the_runner_are_the_same() -> None:
    """A plugin stands alone, so nmap and whatweb have a copy each; a repair must reach both."""
    assert filecmp.cmp(FOLDER / "tool.py", replay.PLUGINS / "nmap" / "tool.py", shallow=False)


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [("Frob CMS 2.1", "Frob CMS", "2.1"), ("Frob", "Frob", None), ("Frob 3.0; features: x", "Frob", "3.0")],
)
def test_a_generator_without_a_whatweb_plugin_counts(text: str, name: str, version: str | None) -> None:
    found = facts.technologies([{"target": "http://a/", "plugins": {"MetaGenerator": {"string": [text]}}}])
    assert list(found) == [name] and found[name].get("version") == version
