"""The demo sites by independent eyes: http.client, ssl and the openssl program, none of our plugins."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kastrun.demo import WEAK_FLAWS, Site, hardened_site, weak_site
from kastrun.demo import server as demo_server
from kastrun.demo.__main__ import main
from kastrun.errors import UsageError

CERTS = Path(demo_server.__file__).parent / "certs"


@pytest.fixture(scope="module")
def weak() -> Iterator[Site]:
    with weak_site() as site:
        yield site


@pytest.fixture(scope="module")
def hardened() -> Iterator[Site]:
    with hardened_site() as site:
        yield site


@pytest.fixture(params=[weak_site, hardened_site])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with request.param() as running:
        yield running


@pytest.fixture
def unhandled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a server's thread raised and nobody caught."""
    raised: list[object] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    return raised


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A client that checks everything where there is an authority, and nothing where there is none."""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if ca_file is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def connect(site: Site, scheme: str = "https") -> contextlib.closing[http.client.HTTPConnection]:
    if scheme == "http":
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", port_of(site.http_url), timeout=20))
    return contextlib.closing(
        http.client.HTTPSConnection(
            "127.0.0.1", port_of(site.https_url), timeout=20, context=trusting(site.ca_file)
        )
    )


def get(
    site: Site, path: str, scheme: str = "https", method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    with connect(site, scheme) as client:
        client.request(method, path)
        reply = client.getresponse()
        return reply.status, reply.headers, reply.read()


def header(site: Site, path: str, name: str) -> str:
    return get(site, path)[1].get(name, "")


def csp(site: Site) -> str:
    return header(site, "/account", "Content-Security-Policy")


def cookie(site: Site) -> str:
    value = header(site, "/", "Set-Cookie")
    assert value, "the front page sets a session cookie"
    return value.lower()


def script_tags(site: Site) -> list[str]:
    return re.findall(r"<script\b[^>]*\bsrc=[^>]*>", get(site, "/")[2].decode())


def openssl(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["openssl", *arguments], input=stdin, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


def certificate(site: Site) -> str:
    """The served leaf as `openssl x509 -text` tells it."""
    shown = openssl("s_client", "-connect", urlsplit(site.https_url).netloc)
    return openssl("x509", "-noout", "-text", stdin=shown)


def complaint(site: Site, *checks: str) -> str:
    """What openssl says of the served certificate, trusting the site's authority where it has one."""
    shown = openssl("s_client", "-connect", urlsplit(site.https_url).netloc)
    pem = shown[
        shown.index("-----BEGIN CERT") : shown.index("-----END CERT") + len("-----END CERTIFICATE-----\n")
    ]
    anchor = ["-CAfile", str(site.ca_file)] if site.ca_file else []
    return openssl("verify", "-no-CApath", "-no-CAstore", *anchor, *checks, stdin=pem)


def speaks(site: Site, version: str, ciphers: str = "ALL") -> bool:
    shown = openssl(
        "s_client",
        f"-{version}",
        "-cipher",
        f"{ciphers}:@SECLEVEL=0",
        "-connect",
        urlsplit(site.https_url).netloc,
    )
    assert "Cipher is" in shown, shown
    return "Cipher is (NONE)" not in shown


def key_bits(site: Site) -> int:
    found = re.search(r"Public-Key: \((\d+) bit\)", certificate(site))
    assert found
    return int(found[1])


PRESENT: dict[str, Callable[[Site], bool]] = {
    "no-hsts": lambda site: not header(site, "/", "Strict-Transport-Security"),
    "short-hsts": lambda site: (
        "max-age=63072000" not in header(site, "/account", "Strict-Transport-Security")
    ),
    "no-csp": lambda site: not header(site, "/", "Content-Security-Policy"),
    "csp-inline": lambda site: "'unsafe-inline'" in csp(site),
    "csp-eval": lambda site: "'unsafe-eval'" in csp(site),
    "csp-anywhere": lambda site: csp(site).startswith("default-src *"),
    "no-xcto": lambda site: header(site, "/", "X-Content-Type-Options") != "nosniff",
    "no-xfo": lambda site: header(site, "/", "X-Frame-Options") != "DENY",
    "no-referrer-policy": lambda site: not header(site, "/", "Referrer-Policy"),
    "no-permissions-policy": lambda site: not header(site, "/", "Permissions-Policy"),
    "cookie-not-secure": lambda site: "; secure" not in cookie(site),
    "cookie-not-httponly": lambda site: "; httponly" not in cookie(site),
    "cookie-no-samesite": lambda site: "; samesite=" not in cookie(site),
    "version-banner": lambda site: bool(
        re.search(r"\d", header(site, "/", "Server") + header(site, "/", "X-Powered-By"))
    ),
    "leaves-the-site": lambda site: "elsewhere.example" in header(site, "/leave", "Location"),
    "plain-http": lambda site: get(site, "/", "http")[0] == 200,
    "no-sri": lambda site: any("integrity=" not in tag for tag in script_tags(site)),
    "script-over-http": lambda site: any('src="http:' in tag for tag in script_tags(site)),
    "expired": lambda site: "certificate has expired" in complaint(site),
    "self-signed": lambda site: "self-signed" in complaint(site, "-no_check_time"),
    "wrong-name": lambda site: "IP address mismatch" in complaint(site, "-verify_ip", "127.0.0.1"),
    "weak-key": lambda site: key_bits(site) == 1024,
    "sha1-signature": lambda site: "sha1WithRSA" in certificate(site),
    "tls-1.0": lambda site: speaks(site, "tls1"),
    "tls-1.1": lambda site: speaks(site, "tls1_1"),
    "no-forward-secrecy": lambda site: speaks(site, "tls1_2", "kRSA"),
}


def test_every_flaw_has_its_proof_and_a_name_of_its_own() -> None:
    assert sorted(PRESENT) == sorted(flaw.id for flaw in WEAK_FLAWS)


@pytest.mark.parametrize("flaw", [flaw.id for flaw in WEAK_FLAWS])
def test_the_flaw_is_planted_and_the_twin_lacks_it(flaw: str, weak: Site, hardened: Site) -> None:
    assert PRESENT[flaw](weak)
    assert not PRESENT[flaw](hardened)


def test_the_site_lists_every_page_that_has_a_flaw(weak: Site, hardened: Site) -> None:
    https = weak.https_url
    assert weak.targets == (f"{weak.http_url}/", f"{https}/", f"{https}/account", f"{https}/leave")
    assert weak.flaws == WEAK_FLAWS
    assert hardened.targets == (f"{hardened.http_url}/", f"{hardened.https_url}/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_twin_passes_a_strict_client(host: str, hardened: Site) -> None:
    context = trusting(hardened.ca_file)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port_of(hardened.https_url)), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname=host) as client,
    ):
        assert client.version() == "TLSv1.3"


def test_the_twin_keeps_its_guard_up_on_error_pages_too(hardened: Site) -> None:
    for path, method, expected in [("/nowhere", "GET", 404), ("/", "DELETE", 405), ("/account", "GET", 200)]:
        status, headers, _ = get(hardened, path, method=method)
        assert status == expected
        assert headers["Strict-Transport-Security"].startswith("max-age=63072000")
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Server"] == "nginx"


def test_the_twins_script_matches_its_integrity(hardened: Site) -> None:
    pinned = re.search(r'integrity="sha384-([^"]+)"', get(hardened, "/")[2].decode())
    assert pinned
    assert base64.b64decode(pinned[1]) == hashlib.sha384(get(hardened, "/site.js")[2]).digest()


def test_plain_http_of_the_twin_sends_every_path_on(hardened: Site) -> None:
    for path, there in [
        ("/", "/"),
        ("/a%20b%0d%0aX:1", "/a%20b%0D%0AX%3A1"),
        ("//evil.example/", "/evil.example/"),
    ]:
        status, headers, _ = get(hardened, path, "http")
        assert status == 308
        assert headers["Location"] == hardened.https_url + there
        assert "Strict-Transport-Security" not in headers


def test_nothing_is_read_from_disk(weak: Site) -> None:
    for path in (
        "/etc/passwd",
        "/../../../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/certs/weak.pem",
        "/%00",
        "/%ff",
    ):
        assert get(weak, path, "http")[0] == 404


# --- HTTP/1.1 ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_connection_serves_many_requests(scheme: str, weak: Site) -> None:
    with connect(weak, scheme) as client:
        client.connect()
        first = client.sock
        for method, path, body in [
            ("GET", "/", b""),
            ("HEAD", "/", b""),
            ("GET", "/no", b"x" * 5000),
            ("GET", "/", b""),
        ]:
            client.request(method, path, body=body)
            reply = client.getresponse()
            content = reply.read()
            assert len(content) == (0 if method == "HEAD" else int(reply.headers["Content-Length"]))
        client.request("OPTIONS", "*")
        assert client.getresponse().read() == b""
        assert client.sock is first


def exchange(port: int, request: bytes) -> bytes:
    """Everything that the server says to `request` until it closes; the client then says no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"\x00\xff\xfe garbage\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + b"x" * 65537, 413),
        (b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_odd_requests_get_an_answer_and_the_door(request_bytes: bytes, status: int, weak: Site) -> None:
    answer = exchange(port_of(weak.http_url), request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


@given(
    noise=st.binary(max_size=200)
    | st.from_regex(rb"(GET|HEAD|PUT) [^ \r\n]{0,30} HTTP/1.[01]\r\n(.*\r\n){0,3}")
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_never_breaks_a_thread(noise: bytes, weak: Site, unhandled: list[object]) -> None:
    exchange(port_of(weak.http_url), noise)
    assert unhandled == []


def test_a_body_cut_short_gets_no_answer(weak: Site) -> None:
    assert exchange(port_of(weak.http_url), b"GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc") == b""


def test_the_end_of_a_tls_connection_is_said(weak: Site) -> None:
    """Without close_notify a client cannot tell the end from an attack; OpenSSL 3 makes that an error."""
    context = trusting(None)
    with (
        socket.create_connection(("127.0.0.1", port_of(weak.https_url)), timeout=20) as raw,
        context.wrap_socket(raw, suppress_ragged_eofs=False) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.endswith(b"</html>\n")


# --- rough company -------------------------------------------------------------------------


def test_fifty_clients_at_once_among_silent_and_broken_ones(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    ports = [port_of(site.http_url), port_of(site.https_url)]
    with contextlib.ExitStack() as held:
        for number in range(40):
            mute = held.enter_context(socket.create_connection(("127.0.0.1", ports[number % 2]), timeout=20))
            # Nothing at all, half a request, the start of a handshake, garbage; then never another byte.
            mute.sendall([b"", b"GET / HT", b"\x16\x03\x01\x02\x00\x01", os.urandom(300)][number // 2 % 4])
        with ThreadPoolExecutor(50) as clients:
            replies = list(clients.map(lambda n: get(site, "/", ["http", "https"][n % 2])[0], range(200)))
    assert set(replies) <= {200, 308}
    assert len(replies) == 200
    assert capfd.readouterr() == ("", "")


def test_a_client_that_resets_is_no_news(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    for url in (site.http_url, site.https_url):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port_of(url)), timeout=20) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                client.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
    assert get(site, "/")[0] == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("opening", [b"", b"GET / HTTP/1.1\r\nHost: a", b"\x16\x03\x01\x02\x00\x01"])
def test_a_silent_client_is_shown_out(
    opening: bytes, weak: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_server, "SILENCE_S", 0.1)
    monkeypatch.setattr(demo_server, "LINGER_S", 0.1)
    monkeypatch.setattr(demo_server.Handler, "timeout", 0.1)
    for url in (weak.http_url, weak.https_url):
        with socket.create_connection(("127.0.0.1", port_of(url)), timeout=20) as client:
            client.sendall(opening)
            said = b"".join(iter(lambda: client.recv(65536), b""))
            # A TLS alert is all that a client may hear; a record of it begins with byte 21 (RFC 8446 5.1).
            assert said == b"" or (url == weak.https_url and said[0] == 21)
    assert capfd.readouterr() == ("", "")


def test_a_crowd_past_the_limit_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_server, "MAX_CONNECTIONS", 2)
    with weak_site() as site, connect(site, "http") as first, connect(site, "http") as second:
        for client in (first, second):
            client.request("GET", "/")
            assert client.getresponse().read()
        with socket.create_connection(("127.0.0.1", port_of(site.http_url)), timeout=20) as third:
            assert third.recv(1) == b""
        first.request("GET", "/")
        assert first.getresponse().read()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("make", [weak_site, hardened_site])
def test_nothing_is_left_behind(make: Callable[[], contextlib.AbstractContextManager[Site]]) -> None:
    threads, before = set(threading.enumerate()), descriptors()
    with contextlib.ExitStack() as held:
        with make() as site:
            for url in (site.http_url, site.https_url) * 5:
                held.enter_context(socket.create_connection(("127.0.0.1", port_of(url)), timeout=20))
            alive = held.enter_context(connect(site))
            alive.request("GET", "/")
            assert alive.getresponse().read()
        assert set(threading.enumerate()) == threads
    assert descriptors() == before
    for url in (site.http_url, site.https_url):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(url)), timeout=20).close()


# --- ports, certificates, the command ------------------------------------------------------


@pytest.mark.parametrize("make", [weak_site, hardened_site])
def test_fixed_ports_are_honoured_and_a_taken_one_is_said(
    make: Callable[..., contextlib.AbstractContextManager[Site]],
) -> None:
    with make() as other:
        http_port, https_port = port_of(other.http_url), port_of(other.https_url)
        before = threading.active_count()
        for taken in ({"http_port": http_port}, {"https_port": https_port}):
            with pytest.raises(UsageError) as caught, make(**taken):
                raise AssertionError("never served")
            (port,) = taken.values()
            assert (
                caught.value.message
                == f"the demo site cannot listen on port {port} of 127.0.0.1: Address already in use"
            )
            assert caught.value.hint == "name another port, or 0 for a free one"
        assert threading.active_count() == before
    with make(http_port=http_port, https_port=https_port) as again:
        assert (port_of(again.http_url), port_of(again.https_url)) == (http_port, https_port)


def test_a_port_that_is_none_is_said() -> None:
    with (
        pytest.raises(UsageError, match=r"port 70000 of 127\.0\.0\.1: a port is a number from 0 to 65535"),
        weak_site(http_port=70000),
    ):
        raise AssertionError("never served")


def test_starting_a_site_warns_of_nothing() -> None:
    with warnings.catch_warnings(record=True) as heard, weak_site(), hardened_site():
        warnings.simplefilter("always")
    assert heard == []


def test_the_certificates_can_be_made_anew(tmp_path: Path) -> None:
    shutil.copy(CERTS / "make.sh", tmp_path)
    subprocess.run(["sh", tmp_path / "make.sh"], check=True, capture_output=True, timeout=60)
    for name in ("ca.pem", "hardened.pem", "weak.pem"):
        made, kept = (
            openssl("x509", "-noout", "-subject", "-dates", "-in", str(f / name)) for f in (tmp_path, CERTS)
        )
        assert made == kept
        assert "never a secret" in (tmp_path / name).read_text(encoding="ascii")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ca.pem",
        "hardened.pem",
        "make.sh",
        "weak.pem",
    ]


@pytest.mark.parametrize(
    ("flags", "stop"), [([], signal.SIGINT), (["--hardened"], signal.SIGTERM)], ids=["weak", "hardened"]
)
def test_the_command_serves_until_it_is_stopped(flags: list[str], stop: signal.Signals) -> None:
    command = [sys.executable, "-m", "kastrun.demo", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        http_url, https_url = process.stdout.readline().strip(), process.stdout.readline().strip()
        ca_file = CERTS / "ca.pem" if flags else None
        site = Site(http_url=http_url, https_url=https_url, ca_file=ca_file, flaws=())
        assert get(site, "/")[0] == 200
        process.send_signal(stop)
        assert process.wait(timeout=20) == 0
        told = process.stderr.read()
    assert told == (f"trust {ca_file}\n" if ca_file else "") + "Ctrl-C stops it\n"


def test_the_command_says_when_a_port_is_taken(weak: Site, capsys: pytest.CaptureFixture[str]) -> None:
    port = port_of(weak.http_url)
    assert main(["--http-port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"error: the demo site cannot listen on port {port} of 127.0.0.1: Address already in use\n"
        "hint: name another port, or 0 for a free one\n"
    )
