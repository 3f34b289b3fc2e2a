"""The http-headers plugin as a real child, against real servers on loopback: each rule, and each tarpit."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import signal
import socket
import struct
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plugin_replay as replay
import pytest

from kastrun.kit.certs import Authority
from kastrun.kit.site import closed_port, read_head, serve, server_context, until_closed

FOLDER = replay.PLUGINS / "http-headers"
GOOD = {
    "Content-Type": "text/html; charset=utf-8",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Content-Security-Policy": "default-src 'self'; base-uri 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=()",
    "Server": "nginx",
    "Set-Cookie": "__Host-session=tell-nobody; Path=/; Secure; HttpOnly; SameSite=Lax",
}
Run = Callable[..., replay.Told]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def chain(authority: Authority) -> Path:
    return authority.issue().chain


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def go(
        url: str, *, http: dict[str, Any] | None = None, deadline_s: float = 30, **options: Any
    ) -> replay.Told:
        job = {"targets": [{"kind": "url", "value": url}], "options": options, "http": http or {}}
        told = replay.run_plugin(FOLDER, job | {"deadline_s": deadline_s}, tmp_path)
        assert told.returncode == 0, told.stderr
        assert told.stderr == ""
        return told

    return go


def page(change: dict[str, str | None] | None = None, *more: str, status: str = "200 OK") -> bytes:
    """A well-configured response with `change` laid over it (None: left out) and lines added."""
    headers = {name: value for name, value in (GOOD | (change or {})).items() if value is not None}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), *more]
    return "\r\n".join([*lines, "", "<title>x</title>"]).encode("latin-1")


def saying(*answers: bytes, seen: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """Gives the answers one after the other, the last for ever."""
    left = list(answers)

    def handle(connection: socket.socket) -> None:
        head = read_head(connection)
        if seen is not None:
            seen.append(head)
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return handle


@contextlib.contextmanager
def https(chain: Path, *answers: bytes, seen: list[bytes] | None = None) -> Iterator[str]:
    with serve(saying(*answers, seen=seen), server_context(chain)) as port:
        yield f"https://localhost:{port}/"


CSP = "Content-Security-Policy"
BROKEN = [
    ("hsts.missing", {"Strict-Transport-Security": None}, "low"),
    ("hsts.invalid", {"Strict-Transport-Security": "max-age=soon"}, "low"),
    ("hsts.short", {"Strict-Transport-Security": "max-age=86400; includeSubDomains"}, "low"),
    ("hsts.no-subdomains", {"Strict-Transport-Security": 'max-age="31536000"'}, "info"),
    ("csp.missing", {CSP: None, "X-Frame-Options": "DENY"}, "low"),
    (
        "csp.report-only",
        {CSP: None, f"{CSP}-Report-Only": "default-src 'self'", "X-Frame-Options": "DENY"},
        "low",
    ),
    ("csp.no-script-src", {CSP: "object-src 'none'; base-uri 'self'; frame-ancestors 'self'"}, "low"),
    ("csp.unsafe-inline", {CSP: GOOD[CSP] + "; script-src 'self' 'unsafe-inline'"}, "low"),
    ("csp.unsafe-eval", {CSP: GOOD[CSP] + "; script-src 'self' 'unsafe-eval'"}, "low"),
    ("csp.wildcard-script", {CSP: GOOD[CSP] + "; script-src 'self' https:"}, "low"),
    ("csp.no-object-src", {CSP: "script-src 'self'; base-uri 'self'; frame-ancestors 'self'"}, "low"),
    ("csp.no-base-uri", {CSP: "default-src 'self'; frame-ancestors 'self'"}, "low"),
    (
        "csp.no-frame-ancestors",
        {CSP: "default-src 'self'; base-uri 'self'", "X-Frame-Options": "SAMEORIGIN"},
        "info",
    ),
    ("frame-options.missing", {CSP: "default-src 'self'; base-uri 'self'"}, "low"),
    (
        "frame-options.invalid",
        {CSP: "default-src 'self'; base-uri 'self'", "X-Frame-Options": "ALLOW-FROM x"},
        "low",
    ),
    ("nosniff.missing", {"X-Content-Type-Options": None}, "low"),
    ("nosniff.invalid", {"X-Content-Type-Options": "sniff"}, "low"),
    ("referrer-policy.missing", {"Referrer-Policy": None}, "info"),
    ("referrer-policy.unsafe", {"Referrer-Policy": "no-referrer, unsafe-url"}, "low"),
    ("permissions-policy.missing", {"Permissions-Policy": None}, "info"),
    ("cookie.no-secure", {"Set-Cookie": "sid=1; HttpOnly; SameSite=Lax"}, "medium"),
    ("cookie.no-secure", {"Set-Cookie": "theme=1; SameSite=Lax"}, "low"),
    ("cookie.no-httponly", {"Set-Cookie": "PHPSESSID=1; Secure; SameSite=Lax"}, "low"),
    ("cookie.no-samesite", {"Set-Cookie": "sid=1; Secure; HttpOnly"}, "low"),
    ("cookie.no-samesite", {"Set-Cookie": "theme=1; Secure"}, "info"),
    ("cookie.prefix-broken", {"Set-Cookie": "__Host-a=1; Secure; SameSite=Lax; Path=/shop"}, "low"),
    (
        "cookie.prefix-broken",
        {"Set-Cookie": "__Host-a=1; Secure; SameSite=Lax; Path=/; Domain=x.example"},
        "low",
    ),
    ("banner.version", {"Server": "nginx/1.18.0 (Ubuntu)"}, "low"),
    ("banner.version", {"X-Powered-By": "PHP/7.4.3"}, "low"),
    ("banner.version", {"X-AspNet-Version": "4.0.30319"}, "low"),
    ("banner.version", {"Via": "1.1 cache (Varnish/6.0)"}, "low"),
]


@pytest.mark.parametrize(("rule", "change", "severity"), BROKEN)
def test_each_fault_gives_its_rule_and_no_other(
    run: Run, authority: Authority, chain: Path, rule: str, change: dict[str, str | None], severity: str
) -> None:
    with https(chain, page(change)) as url:
        told = run(url, http={"ca_file": str(authority.ca_file)}, strict=True)
        (finding,) = told.of("finding")
        assert (finding["rule"], finding["severity"]) == (rule, severity)
        assert finding["location"] == {"url": url, "method": "GET"}
        assert told.done["status"] == "ok"
        assert told.of("log") == []
    for value in filter(None, change.values()):
        if not rule.startswith(("cookie.", "csp.missing", "frame-options.missing")):
            assert (
                value in finding["evidence"] or CSP in finding["evidence"] or "X-Frame" in finding["evidence"]
            )


def test_informational_rules_need_strict(run: Run, authority: Authority, chain: Path) -> None:
    with https(chain, page({"Referrer-Policy": None, "Permissions-Policy": None})) as url:
        assert run(url, http={"ca_file": str(authority.ca_file)}).rules == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {CSP: GOOD[CSP] + "; script-src 'nonce-abc' 'unsafe-inline' 'strict-dynamic' https:"},
        {CSP: "default-src 'none'; frame-ancestors 'none'"},
        {CSP: f"script-src *, {GOOD[CSP]}"},
        {CSP: None, "Content-Type": "application/json", "Permissions-Policy": None},
        {"Set-Cookie": "sid=; Max-Age=0"},
        {"Set-Cookie": "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Set-Cookie": "XSRF-TOKEN=1; Secure; SameSite=Strict"},
        {"Via": "1.1 proxy, HTTP/2.0 other"},
    ],
)
def test_a_well_configured_page_yields_nothing(
    run: Run, authority: Authority, chain: Path, change: dict[str, str | None]
) -> None:
    with https(chain, page(change)) as url:
        told = run(url, http={"ca_file": str(authority.ca_file)}, strict=True)
    assert told.rules == []
    assert told.done == {"type": "done", "status": "ok", "message": f"{url} answered 200 after 0 redirects"}


def test_samesite_none_without_secure(run: Run, chain: Path) -> None:
    with https(chain, page({"Set-Cookie": "a=1; SameSite=None"})) as url:
        assert run(url).rules == ["cookie.no-secure", "cookie.samesite-none-insecure"]


def test_a_cookies_value_is_never_shown_and_its_name_is_the_key(run: Run, chain: Path) -> None:
    with https(chain, page({"Set-Cookie": "sid=tell-nobody"}, "Set-Cookie: other=tell-nobody")) as url:
        told = run(url)
    assert {finding["key"] for finding in told.of("finding")} == {"sid", "other"}
    assert "tell-nobody" not in json.dumps(told.messages)
    assert told.of("finding")[0]["evidence"] == "Set-Cookie: sid=[value left out]"


def test_duplicates_folds_and_latin_1(run: Run, chain: Path) -> None:
    odd = page(
        {"X-Content-Type-Options": None, "X-Note": "caf\xe9", CSP: None},
        "X-Content-Type-Options:\r\n  nosniff",
    )
    odd = odd.replace(
        b"\r\n\r\n", f"\r\n{CSP}: {GOOD[CSP]}\r\n{CSP}: script-src *\r\nno colon here\r\n\r\n".encode()
    )
    with https(chain, odd) as url:
        told = run(url, strict=True)
    assert told.rules == []
    assert told.of("log")[-1]["message"].endswith("no colon and were passed over; the first: 'no colon here'")


def test_plain_http_is_a_medium_finding(run: Run) -> None:
    with serve(saying(page({"Set-Cookie": None}))) as port:
        told = run(f"http://127.0.0.1:{port}/")
    (finding,) = told.of("finding")
    assert (finding["rule"], finding["severity"]) == ("https.not-enforced", "medium")
    assert "CWE-319" in finding["refs"]


def test_plain_http_that_redirects_to_https_is_judged_there(
    run: Run, authority: Authority, chain: Path
) -> None:
    with https(chain, page()) as url, serve(saying(moved(url))) as port:
        told = run(f"http://localhost:{port}/", http={"ca_file": str(authority.ca_file)}, strict=True)
    assert told.rules == []
    assert told.done["message"] == f"{url} answered 200 after 1 redirects"


def moved(to: str, *more: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 302 Found", f"Location: {to}", *more, "", ""]).encode("latin-1")


def test_a_redirect_from_https_to_http_is_a_downgrade(run: Run, chain: Path) -> None:
    with (
        serve(saying(page({"Set-Cookie": None}))) as port,
        https(chain, moved(f"http://localhost:{port}/a b")) as url,
    ):
        told = run(url)
    (finding,) = told.of("finding")
    assert (finding["rule"], finding["severity"]) == ("redirect.downgrade", "medium")
    assert finding["location"]["url"] == url


def test_another_host_is_told_and_never_asked(run: Run, chain: Path) -> None:
    asked: list[bytes] = []
    with (
        serve(saying(page(), seen=asked)) as other,
        https(chain, moved(f"https://127.0.0.1:{other}/")) as url,
    ):
        told = run(url)
    assert told.rules == ["hsts.missing", "redirect.other-host"]
    assert asked == []
    assert told.done["status"] == "ok"


def test_redirects_on_the_host_are_followed_with_its_cookies(
    run: Run, authority: Authority, chain: Path
) -> None:
    seen: list[bytes] = []
    first = moved("/", "Set-Cookie: step=1; Secure; SameSite=Lax")
    with https(chain, first, moved("/in?a=1#x"), page(), seen=seen) as url:
        told = run(url, http={"ca_file": str(authority.ca_file)}, strict=True)
    assert told.rules == []
    assert [head.split()[1] for head in seen] == [b"/", b"/", b"/in?a=1"]
    assert b"cookie: step=1\r\n" in seen[1]


def test_a_redirect_loop_is_no_clean_result(run: Run) -> None:
    with serve(saying(moved("/round"))) as port:
        told = run(f"http://127.0.0.1:{port}/")
    assert told.done["error"]["kind"] == "target"
    assert "the redirects go in a circle" in told.done["error"]["message"]


def test_more_redirects_than_allowed(run: Run) -> None:
    with serve(saying(moved("/1"), moved("/2"), moved("/3"))) as port:
        told = run(f"http://127.0.0.1:{port}/", max_redirects=1)
    assert told.done["error"]["kind"] == "target"
    assert "no page after 1 redirects (option max_redirects)" in told.done["error"]["message"]


def test_a_host_that_dies_after_its_redirect_is_partial(run: Run) -> None:
    with closed_port() as dead, serve(saying(moved(f"http://127.0.0.1:{dead}/"))) as port:
        told = run(f"http://127.0.0.1:{port}/")
    assert told.done["status"] == "partial"
    assert "cannot be reached" in told.done["message"]


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_a_failure_page_is_partial(run: Run, status: str) -> None:
    with serve(saying(page(status=status))) as port:
        told = run(f"http://127.0.0.1:{port}/")
    assert told.done["status"] == "partial"
    assert "failure page" in told.done["message"]


def test_an_unverified_certificate_is_logged_and_gets_no_secrets(run: Run, chain: Path) -> None:
    seen: list[bytes] = []
    with https(chain, page(), seen=seen) as url:
        told = run(url, http={"headers": {"Authorization": "Bearer x"}}, strict=True)
    assert told.rules == []
    (log,) = told.of("log")
    assert log["level"] == "warn" and "could not be verified" in log["message"]
    assert b"authorization" not in b"".join(seen).lower()


def test_the_profiles_http_table_is_honoured(run: Run, authority: Authority, chain: Path) -> None:
    seen: list[bytes] = []
    wishes = {
        "user_agent": "acme/1",
        "headers": {"Authorization": "Bearer x"},
        "ca_file": str(authority.ca_file),
    }
    with https(chain, page(), seen=seen) as url:
        run(url, http=wishes)
    assert b"user-agent: acme/1\r\n" in seen[0]
    assert b"authorization: Bearer x\r\n" in seen[0]


def test_an_http_proxy_is_used(run: Run) -> None:
    seen: list[bytes] = []
    with serve(saying(page(), seen=seen)) as port:
        told = run("http://site.example/a", http={"proxy": f"http://me:p%40ss@127.0.0.1:{port}"})
    assert told.rules == ["https.not-enforced"]
    assert seen[0].startswith(b"GET http://site.example/a HTTP/1.1\r\nHost: site.example\r\n")
    assert base64.b64encode(b"me:p@ss") in seen[0]


def test_a_tunnel_is_asked_for_https(run: Run) -> None:
    seen: list[bytes] = []
    with serve(saying(b"HTTP/1.1 403 No\r\n\r\n", seen=seen)) as port:
        told = run("https://site.example/", http={"proxy": f"http://127.0.0.1:{port}"})
    assert seen[0].startswith(b"CONNECT site.example:443 ")
    assert told.done["error"]["kind"] == "target"
    assert f"through the proxy 127.0.0.1:{port}" in told.done["error"]["message"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"proxy": "socks5://127.0.0.1:1"}, "only http://HOST:PORT proxies"),
        ({"ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_the_users_to_change(
    run: Run, wish: dict[str, str], words: str
) -> None:
    with closed_port() as port:
        told = run(f"https://127.0.0.1:{port}/", http=wish)
    assert told.done["error"]["kind"] == "config"
    assert words in told.done["error"]["message"]


def one_byte_a_second(connection: socket.socket) -> None:
    read_head(connection)
    for byte in page():
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def huge_header(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 2**20 + b"\r\n\r\n")
    until_closed(connection)


def reset(connection: socket.socket) -> None:
    read_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def endless_body(connection: socket.socket) -> None:
    read_head(connection)
    connection.sendall(page({"Set-Cookie": None}))
    while True:
        connection.sendall(b"a" * 65536)


TARPITS: list[tuple[Callable[[socket.socket], None], str]] = [
    (until_closed, "gave no answer within 1 s"),
    (one_byte_a_second, "was not done with its headers"),
    (huge_header, "larger than 256 KiB"),
    (reset, "cannot be reached"),
    (saying(b""), "closed the connection without a word"),
    (saying(b"HTTP/1.1 200 OK\r\nA: b\r\n"), "in the middle of its headers"),
    (saying(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "this is not HTTP"),
    (saying(b"HTTP/1.1 what\r\n\r\n"), "this is not HTTP"),
]


@pytest.mark.parametrize(("handler", "words"), TARPITS)
def test_tarpits_are_errors_of_the_target(
    run: Run, handler: Callable[[socket.socket], None], words: str
) -> None:
    with serve(handler) as port:
        told = run(f"http://127.0.0.1:{port}/", timeout=1, deadline_s=10)
    assert told.of("finding") == []
    assert told.done["error"]["kind"] == "target"
    assert words in told.done["error"]["message"]
    assert told.seconds < 4


def test_a_closed_port(run: Run) -> None:
    with closed_port() as port:
        told = run(f"http://127.0.0.1:{port}/")
    assert told.done["error"] == {
        "kind": "target",
        "message": f"http://127.0.0.1:{port}/ cannot be reached: [Errno 111] Connection refused",
    }


def test_an_endless_body_is_not_read(run: Run) -> None:
    with serve(endless_body) as port:
        told = run(f"http://127.0.0.1:{port}/", deadline_s=10)
    assert told.rules == ["https.not-enforced"]
    assert told.seconds < 4


def test_the_deadline_ends_the_job_in_words(run: Run) -> None:
    with serve(until_closed) as port:
        told = run(f"http://127.0.0.1:{port}/", timeout=60, deadline_s=2)
    assert told.done["error"]["kind"] == "target"
    assert "no complete answer within the job's 2 s" in told.done["error"]["message"]
    assert told.seconds < 4


def test_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    with serve(until_closed) as port:
        job = {"targets": [{"kind": "url", "value": f"http://127.0.0.1:{port}/"}]}
        environment = replay.environment(FOLDER, tmp_path)
        with subprocess.Popen(
            replay.argv(FOLDER), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
        ) as child:
            assert child.stdin and child.stdout
            child.stdin.write(replay.job_line(job, tmp_path))
            child.stdin.close()
            assert json.loads(child.stdout.readline())["type"] == "progress"
            child.send_signal(signal.SIGTERM)
            assert child.wait(2) == -signal.SIGTERM


def test_a_fault_of_its_own_is_said(tmp_path: Path) -> None:
    told = replay.run_plugin(FOLDER, {"targets": []}, tmp_path)
    assert told.done["error"] == {"kind": "internal", "message": "IndexError: list index out of range"}
    assert "Traceback" in told.stderr


def test_the_readme_lists_every_rule_with_its_severity() -> None:
    rules = tomllib.loads((FOLDER / "rules.toml").read_text(encoding="utf-8"))
    listed = re.findall(
        r"^\|`([a-z.-]+)`\|(info|low|medium)\|",
        (FOLDER / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [(name, entry["severity"]) for name, entry in rules.items()] == listed
    provoked = {rule for rule, _, _ in BROKEN} | {
        *("https.not-enforced", "redirect.downgrade", "redirect.other-host", "cookie.samesite-none-insecure")
    }
    assert provoked == set(rules)
