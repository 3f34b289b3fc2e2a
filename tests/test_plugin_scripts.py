"""The scripts plugin: node against real servers on loopback. No address on a page is ever fetched."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import offspring
import plugin_replay as replay
import pytest
from plugin_tarpit import answering, answering_then_silent, drip, interrupted, page, reset

from kastrun.kit.certs import Authority
from kastrun.kit.site import Handler, closed_port, read_head, serve, server_context, until_closed

pytestmark = pytest.mark.needs("node")

FOLDER = replay.PLUGINS / "scripts"
HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
CLEAN = f"""<!DOCTYPE html><title>fine <script src=https://no.example/1.js></script></title>
<!-- <script src="https://no.example/2.js"></script> --><!--><p>-->
<![CDATA[ <script src=https://no.example/3.js> ]]>
<script src="/own.js"></script><script>"<script src='https://no.example/4.js'>"</script>
<textarea><script src="https://no.example/5.js"></script></textarea>
<script src="https://cdn.example/lib.js" integrity="{HASH}" crossorigin="anonymous"></script>
<script type="application/json" src="https://no.example/6.js"></script>
<link rel="icon" href="https://no.example/i.png"><img src="http://no.example/i.png"><a onclick>x</a href="
"""
CLEAN = CLEAN.replace("<a onclick>x</a", "<a title='<script src=https://no.example/7.js>'>x</a")
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
PNG = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\nx"
Look = Callable[..., replay.Told]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


def job(
    port: int,
    *,
    scheme: str = "http",
    path: str = "/",
    deadline_s: float = 20,
    own: list[str] | None = None,
    **http: Any,
) -> dict[str, Any]:
    target = {"kind": "url", "value": f"{scheme}://127.0.0.1:{port}{path}"}
    return {"targets": [target], "options": {"own_hosts": own or []}, "deadline_s": deadline_s, "http": http}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def go(port: int, **more: Any) -> replay.Told:
        home = tmp_path / "job"
        home.mkdir(exist_ok=True)
        told = replay.run_plugin(FOLDER, wanted := job(port, **more), home)
        assert told.returncode == 0 and told.stderr == ""
        assert told.seconds < wanted["deadline_s"] + 2
        assert offspring.living() == {}
        return told

    return go


@pytest.fixture
def judge(look: Look, authority: Authority) -> Look:
    """What is said of a page with this body, over TLS unless `scheme` says otherwise."""

    def go(body: str, *, scheme: str = "https", own: list[str] | None = None) -> replay.Told:
        tls = server_context(authority.issue().chain) if scheme == "https" else None
        with serve(answering(page(body)), tls) as port:
            return look(port, scheme=scheme, own=own)

    return go


def test_a_page_as_it_should_be_gives_nothing(judge: Look) -> None:
    told = judge(CLEAN, scheme="http")
    assert told.of("finding") == []
    assert [asset["value"] for asset in told.of("asset")] == ["cdn.example"]
    assert told.done == {"type": "done", "status": "ok"}


@pytest.mark.parametrize(
    ("body", "rule", "severity", "key"),
    [
        ("<script src='https://cdn.example/a.js?v=1'></script>", "script-without-integrity", "low", "https://cdn.example/a.js"),
        ("<SCRIPT async SRC=//cdn.example/a.js></SCRIPT>", "script-without-integrity", "low", "https://cdn.example/a.js"),
        ("<base href=https://cdn.example/b/><script src=a.js>", "script-without-integrity", "low", "https://cdn.example/b/a.js"),
        ("<script/src=&#104;ttps:&#x2f;/cdn.example/a.js>", "script-without-integrity", "low", "https://cdn.example/a.js"),
        ("<link href=//cdn.example/a.css rel='preload StyleSheet'>", "stylesheet-without-integrity", "info", "https://cdn.example/a.css"),
        (f"<script src=//cdn.example/a.js integrity={HASH}>", "integrity-without-crossorigin", "info", "https://cdn.example/a.js"),
        ("<script src=/a.js integrity=md5-abc>", "integrity-malformed", "low", "https://127.0.0.1:{port}/a.js"),
        ("<script src=http://127.0.0.1/a.js>", "mixed-active-content", "medium", "http://127.0.0.1/a.js"),
        ("<iframe src=http://127.0.0.1/a>", "mixed-active-content", "medium", "http://127.0.0.1/a"),
        ("<img src='http://a.example/i.png'>", "mixed-passive-content", "low", "http://a.example/i.png"),
        ("<form action=http://a.example/log-in>", "insecure-form-action", "medium", "http://a.example/log-in"),
        ("<body onload=go()><p onclick=x>", "inline-event-handlers", "info", None),
    ],
)  # fmt: skip
def test_each_rule(judge: Look, body: str, rule: str, severity: str, key: str | None) -> None:
    told = judge(body)
    (finding,) = told.of("finding")
    url = finding["location"]["url"]
    assert (finding["rule"], finding["severity"]) == (rule, severity)
    assert url.startswith("https://127.0.0.1:")
    port = url.rstrip("/").rsplit(":", 1)[1]
    assert finding.get("key") == (key and key.replace("{port}", port))
    assert finding["remediation"] and finding["refs"][0].startswith("CWE-")
    assert told.done["status"] == "ok"


def test_third_parties_are_named_once_with_what_they_give(judge: Look) -> None:
    told = judge(
        "<script src=//a.example/1.js></script><script src=//a.example/1.js></script>"
        "<link rel=stylesheet href=//a.example/1.css><iframe src=https://b.example/>"
    )
    assert {asset["value"]: asset["attrs"]["gives"] for asset in told.of("asset")} == {
        "a.example": ["script", "stylesheet"],
        "b.example": ["frame"],
    }
    assert {asset["kind"] for asset in told.of("asset")} == {"third-party"}
    assert told.rules == ["script-without-integrity", "stylesheet-without-integrity"]


def test_own_hosts_are_not_third_parties(judge: Look) -> None:
    body = "<script src=//a.cdn.example/1.js></script><script src=//own.example/2.js></script>"
    assert judge(body, own=["*.cdn.example", "own.example"]).messages == ({"type": "done", "status": "ok"},)
    assert len(judge(body, own=["cdn.example"]).of("finding")) == 2


def test_a_page_with_very_many_scripts_is_counted_not_listed(judge: Look) -> None:
    told = judge("".join(f"<script src=//a.example/{number}.js></script>" for number in range(150)))
    assert len(told.of("finding")) == 100
    assert told.of("log")[0]["message"] == "50 more findings of the same rules were left out"


def test_redirects_are_followed_within_the_host_only(look: Look) -> None:
    def lead(connection: socket.socket) -> None:
        path = read_head(connection).split(b" ")[1]
        to = {b"/": "Location: /in", b"/out": "Location: http://elsewhere.example/"}.get(path)
        body = "<script src=https://cdn.example/a.js></script>"
        connection.sendall(page("", to, status="302 Found") if to else page(body))

    with serve(lead) as port:
        inside, outside = look(port), look(port, path="/out")
    assert inside.of("finding")[0]["location"]["url"] == f"http://127.0.0.1:{port}/in"
    assert outside.done["status"] == "skipped"
    assert "elsewhere.example, which is not this target" in outside.done["message"]


def test_a_redirect_loop_ends(look: Look) -> None:
    with serve(answering(page("", "Location: /", status="302 Found"))) as port:
        error = look(port).done["error"]
    assert error["kind"] == "target" and "more than 5 redirects" in error["message"]


def test_a_redirect_to_nowhere_is_said(look: Look) -> None:
    with serve(answering(page("", "Location: http://[", status="302 Found"))) as port:
        assert "redirects to what is no URL: http://[" in look(port).done["error"]["message"]


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (PNG, "skipped", "is image/png, not HTML"),
        (page("x", status="404 Not Found"), "skipped", "answered 404: there is no page to judge"),
        (page("x", status="503 No"), "error", "answered 503: there is no page to judge"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "error", "does not answer"),
        (HTML + b"Content-Length: 99\r\n\r\n<p>", "partial", "the page broke off"),
        (HTML + b"Content-Encoding: gzip\r\n\r\n<p>", "partial", "the page broke off"),
        (HTML + b"\r\n" + b"<" * 5_000_000, "partial", "only the first 4 MiB were read"),
    ],
    ids=["image", "404", "503", "not-http", "short", "bad-gzip", "endless"],
)  # fmt: skip
def test_what_is_no_whole_page_is_never_clean(look: Look, answer: bytes, status: str, words: str) -> None:
    with serve(answering(answer)) as port:
        done = look(port).done
    assert done["status"] == status and words in str(done)


def test_what_came_before_the_break_counts(look: Look) -> None:
    body = b"Content-Length: 999\r\n\r\n<script src=https://cdn.example/a.js></script>"
    with serve(answering(HTML + b"" + body)) as port:
        told = look(port)
    assert told.rules == ["script-without-integrity"] and told.done["status"] == "partial"


def test_a_compressed_page_is_read_and_a_bomb_bounded(look: Look) -> None:
    for body, status in ((b"<script src=//a.example/a.js>", "ok"), (b"<p>" * 20_000_000, "partial")):
        packed = gzip.compress(body)
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        with serve(answering(HTML + head.encode() + packed)) as port:
            told = look(port)
        assert told.done["status"] == status
        assert bool(told.of("finding")) == (status == "ok")


def test_user_agent_and_headers_are_sent(look: Look) -> None:
    seen: list[bytes] = []
    with serve(answering(page("x"), seen)) as port:
        look(port, user_agent="acme", headers={"X-Key": "s3cret"})
    assert len(seen) == 2
    assert all(b"User-Agent: acme\r\n" in head and b"X-Key: s3cret\r\n" in head for head in seen)


@pytest.mark.parametrize("trusted", [True, False])
def test_headers_go_to_trusted_hosts_only(look: Look, authority: Authority, trusted: bool) -> None:
    seen: list[bytes] = []
    with serve(answering(page("x"), seen), server_context(authority.issue().chain)) as port:
        more = {"ca_file": str(authority.ca_file)} if trusted else {}
        told = look(port, scheme="https", headers={"X-Key": "s3cret"}, **more)
    assert told.done["status"] == "ok"
    assert [b"s3cret" in head for head in seen] == [trusted, trusted]
    assert len(told.of("log")) == (0 if trusted else 1)


def test_headers_are_not_sent_on_in_clear(look: Look, authority: Authority) -> None:
    secure: list[bytes] = []
    clear: list[bytes] = []
    with serve(answering(page("x"), clear)) as port:
        away = page("", f"Location: http://127.0.0.1:{port}/", status="302 Found")
        with serve(answering(away, secure), server_context(authority.issue().chain)) as start:
            look(start, scheme="https", headers={"X-Key": "s3cret"}, ca_file=str(authority.ca_file))
    assert b"s3cret" in secure[0]
    assert clear and not any(b"s3cret" in head for head in clear)


def test_a_missing_ca_file_is_the_users_to_change(look: Look) -> None:
    with closed_port() as port:
        error = look(port, scheme="https", ca_file="/nonexistent/ca.pem").done["error"]
    assert error["kind"] == "config" and "http.ca_file cannot be read" in error["message"]


def test_http_goes_through_the_proxy(look: Look) -> None:
    seen: list[bytes] = []
    with serve(answering(page("x"), seen)) as proxy, closed_port() as port:
        told = look(port, proxy=f"http://user:pass@127.0.0.1:{proxy}")
    assert told.done["status"] == "ok" and len(seen) == 2
    assert all(head.startswith(f"GET http://127.0.0.1:{port}/ HTTP/1.1".encode()) for head in seen)
    assert all(b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in head for head in seen)


def test_https_goes_through_the_proxys_tunnel(look: Look, authority: Authority) -> None:
    heads: list[bytes] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # one side has gone; the other will see it

    def tunnel(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        port = int(heads[-1].split(b" ")[1].split(b":")[1])
        with socket.create_connection(("127.0.0.1", port)) as far:
            connection.sendall(b"HTTP/1.1 200 Fine\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, connection))
            back.start()
            pump(connection, far)
            back.join()

    chain = authority.issue().chain
    with (
        serve(answering(page("<script src=//a.example/a.js>")), server_context(chain)) as port,
        serve(tunnel) as proxy,
    ):
        told = look(port, scheme="https", proxy=f"http://127.0.0.1:{proxy}", ca_file=str(authority.ca_file))
    assert told.rules == ["script-without-integrity"] and told.done["status"] == "ok"
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1".encode())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_or_is_of_another_kind_is_said(look: Look, scheme: str) -> None:
    with closed_port() as port, serve(answering(page("", status="403 Forbidden"))) as proxy:
        refused = look(port, scheme="https", proxy=f"http://127.0.0.1:{proxy}").done["error"]
        other = look(port, scheme=scheme, proxy="socks5://127.0.0.1:1").done["error"]
    assert refused["kind"] == "target" and "the proxy said 403" in refused["message"]
    assert other == {"kind": "config", "message": "http.proxy must be an http:// URL for this plugin"}


@pytest.mark.parametrize("handler", [until_closed, reset], ids=["silent", "reset"])
def test_a_target_that_does_not_answer_is_never_clean(look: Look, handler: Handler) -> None:
    with serve(handler) as port:
        error = look(port, deadline_s=4).done["error"]
    assert error["kind"] == "target" and f"http://127.0.0.1:{port}/" in error["message"]


def test_a_closed_port_is_never_clean(look: Look) -> None:
    with closed_port() as port:
        error = look(port).done["error"]
    assert error["kind"] == "target" and "ECONNREFUSED" in error["message"]


def test_one_byte_a_second_ends_with_the_deadline(look: Look) -> None:
    with serve(drip) as port:
        told = look(port, deadline_s=4)
    assert (
        told.done["error"]["kind"] == "target" and "gave no answer in time" in told.done["error"]["message"]
    )


def test_a_target_that_dies_is_partial_and_what_was_found_is_kept(look: Look) -> None:
    with serve(answering(page("<script src=//a.example/a.js>"), times=1)) as port:
        told = look(port)
    assert told.rules == ["script-without-integrity"] and told.done["status"] == "partial"
    assert told.done["message"].startswith("the target stopped answering during this job")


def test_sigterm_before_the_page_and_after(tmp_path: Path) -> None:
    for times, words in ((0, "stopped by SIGTERM before the page was read"), (1, "stopped by SIGTERM")):
        reached = threading.Event()
        with serve(answering_then_silent(page("<script src=//a.example/a.js>"), times, reached)) as port:
            told = interrupted(FOLDER, job(port), tmp_path, reached)
        assert told.seconds < 2 and told.returncode == 0
        assert told.done == {"type": "done", "status": "partial", "message": words}
        assert len(told.of("finding")) == times
        assert offspring.living() == {}
