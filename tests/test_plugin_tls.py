"""The tls plugin as a real child against real TLS servers on loopback, by both engines."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plugin_replay as replay
import pytest

from kastrun.kit.certs import Authority
from kastrun.kit.site import closed_port, read_head, serve, server_context, until_closed

FOLDER = replay.PLUGINS / "tls"
SSLYZE = shutil.which("sslyze", path=f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', '')}")
needs_sslyze = pytest.mark.skipif(SSLYZE is None, reason="the sslyze program is not installed")
ENGINES = ["stdlib", pytest.param("sslyze", marks=needs_sslyze)]
Run = Callable[..., replay.Told]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def chain(authority: Authority) -> Path:
    return authority.issue().chain


@pytest.fixture
def run(tmp_path: Path, authority: Authority) -> Run:
    def go(
        port: int, *, host: str = "localhost", http: dict[str, Any] | None = None, **more: Any
    ) -> replay.Told:
        options = {"engine": "stdlib", "sslyze_path": SSLYZE or "", "timeout": 5} | more.pop("options", {})
        target = {"kind": "service", "value": f"{host}:{port}", "host": host, "port": port} | more.pop(
            "target", {}
        )
        wishes = {"ca_file": str(authority.ca_file)} if http is None else http
        told = replay.run_plugin(
            FOLDER, {"targets": [target], "options": options, "http": wishes, **more}, tmp_path
        )
        assert told.returncode == 0, told.stderr
        return told

    return go


def weak(chain: Path, ciphers: str = "DEFAULT") -> ssl.SSLContext:
    """A server that takes what this OpenSSL can be made to take."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.load_cert_chain(chain)
    return context


def only(chain: Path, version: str, ciphers: str) -> ssl.SSLContext:
    context = weak(chain, ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # to offer what is deprecated is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return context


CERTIFICATES: list[tuple[str, str, dict[str, Any]]] = [
    ("cert.expired", "high", {"days": -2}),
    ("cert.not-yet-valid", "medium", {"starts_in": 10}),
    ("cert.expires-soon", "low", {"days": 20}),
    ("cert.expires-soon", "medium", {"days": 3}),
    ("cert.name-mismatch", "medium", {"names": ("other.example",)}),
    ("cert.self-signed", "medium", {"self_signed": True}),
    ("cert.weak-key", "medium", {"bits": 1024}),
    ("cert.weak-signature", "medium", {"digest": "sha1"}),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("rule", "severity", "flaw"), CERTIFICATES)
def test_each_fault_of_a_certificate_gives_its_rule_and_no_other(
    run: Run, authority: Authority, engine: str, rule: str, severity: str, flaw: dict[str, Any]
) -> None:
    context = weak(authority.issue(**flaw).chain, "ECDHE+AESGCM")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with serve(until_closed, context) as port:
        told = run(port, options={"engine": engine})
        (finding,) = told.of("finding")
        assert (finding["rule"], finding["severity"]) == (rule, severity)
        assert finding["location"] == {"host": "localhost", "port": port, "proto": "tcp"}
        assert finding["evidence"]
    assert told.done["status"] == "ok"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_well_configured_server_yields_nothing(run: Run, chain: Path, engine: str) -> None:
    with serve(until_closed, server_context(chain)) as port:
        told = run(port, options={"engine": engine, "intrusive": True})
    assert told.rules == []
    assert told.done["status"] == "ok"
    assert f"localhost:{port} offers TLSv1.2, TLSv1.3 (by " in told.done["message"]
    (asset,) = told.of("asset")
    name = "sslyze" if engine == "sslyze" else "Python ssl"
    assert asset["attrs"]["engine"].startswith(name)
    assert any(
        log["message"].startswith(f"versions and ciphers were tried with {name}") for log in told.of("log")
    )
    assert asset["kind"] == "cert" and re.fullmatch("sha256:[0-9a-f]{64}", asset["value"])
    assert asset["attrs"]["key"] == "RSA 2048"
    assert asset["attrs"]["names"] == ["localhost", "127.0.0.1"]
    assert asset["attrs"]["issuer"] == "commonName=Fixture CA"


OFFERS = [
    ("TLSv1", "ECDHE:!eNULL", ["protocol.tls1.0"]),
    ("TLSv1_1", "ECDHE:!eNULL", ["protocol.tls1.1"]),
    ("TLSv1_2", "kRSA+AES:!eNULL", ["cipher.no-forward-secrecy"]),
    ("TLSv1_2", "ECDHE+AESGCM:kRSA+eNULL", ["cipher.null"]),
    ("TLSv1_2", "ECDHE+AESGCM:AECDH:!eNULL", ["cipher.anonymous"]),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("version", "ciphers", "rules"), OFFERS)
def test_versions_and_ciphers(
    run: Run, chain: Path, engine: str, version: str, ciphers: str, rules: list[str]
) -> None:
    with serve(until_closed, only(chain, version, ciphers)) as port:
        told = run(port, options={"engine": engine})
    assert told.rules == rules
    assert told.done["status"] == "ok"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_without_a_certificate(run: Run, chain: Path, engine: str) -> None:
    with serve(until_closed, only(chain, "TLSv1_2", "AECDH:!eNULL")) as port:
        told = run(port, options={"engine": engine})
    if engine == "stdlib":
        assert told.rules == ["cipher.anonymous"]
        assert told.of("asset") == []
        assert told.done["status"] == "ok"
    else:
        assert (told.rules, told.done["status"]) == ([], "partial")  # it gives up, and nobody says clean
        assert "sslyze could not connect" in told.done["message"]


def test_an_unknown_ca_is_untrusted(run: Run, chain: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    stranger = Authority(tmp_path_factory.mktemp("other") / "ca")
    with serve(until_closed, server_context(chain)) as port:
        told = run(port, http={"ca_file": str(stranger.ca_file)})
    assert told.rules == ["cert.untrusted"]
    assert "unable to get local issuer certificate" in told.of("finding")[0]["evidence"]


def test_expired_and_untrusted_and_misnamed_are_told_apart(
    run: Run, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("other") / "ca")
    expired = authority.issue(days=-2, names=("other.example",), addresses=())
    with serve(until_closed, server_context(expired.chain)) as port:
        told = run(port, http={"ca_file": str(stranger.ca_file)})
    assert told.rules == ["cert.expired", "cert.name-mismatch", "cert.untrusted"]


def test_a_name_mismatch_of_an_address_is_low(run: Run, authority: Authority) -> None:
    with serve(until_closed, server_context(authority.issue(addresses=()).chain)) as port:
        told = run(port, host="127.0.0.1")
    (finding,) = told.of("finding")
    assert (finding["rule"], finding["severity"], finding["confidence"]) == (
        "cert.name-mismatch",
        "low",
        "low",
    )


def test_what_this_openssl_cannot_offer_is_said(run: Run, chain: Path) -> None:
    with serve(until_closed, server_context(chain)) as port:
        told = run(port)
    assert any(log["message"].startswith("not tested: SSLv2, SSLv3") for log in told.of("log"))


def recorded(**change: Any) -> dict[str, Any]:
    """An sslyze document with nothing wrong in it, `change` laid over its scan results."""
    nothing: dict[str, Any] = {"accepted_cipher_suites": []}
    good = {
        "accepted_cipher_suites": [{"cipher_suite": {"name": "TLS_AES_128_GCM_SHA256", "openssl_name": None}}]
    }
    leaf = {
        "public_key": {"algorithm": "RSAPublicKey", "key_size": 2048},
        "signature_hash_algorithm": {"name": "sha256"},
    }
    results: dict[str, Any] = {
        **{
            f"{name}_cipher_suites": nothing
            for name in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2")
        },
        "tls_1_3_cipher_suites": good,
        "certificate_info": {"certificate_deployments": [{"received_certificate_chain": [leaf]}]},
        "tls_compression": {"supports_compression": False},
        "heartbleed": {"is_vulnerable_to_heartbleed": False},
        "openssl_ccs_injection": {"is_vulnerable_to_ccs_injection": False},
        "robot": {"robot_result": "NOT_VULNERABLE_NO_ORACLE"},
        "session_renegotiation": {
            "supports_secure_renegotiation": True,
            "is_vulnerable_to_client_renegotiation_dos": False,
        },
    } | change
    scan = {name: {"status": "COMPLETED", "result": result} for name, result in results.items()}
    server = {"connectivity_status": "COMPLETED", "connectivity_error_trace": None, "scan_result": scan}
    return {"sslyze_version": "6.3.1", "server_scan_results": [server]}


def suites(*names: str) -> dict[str, Any]:
    return {
        "accepted_cipher_suites": [{"cipher_suite": {"name": name, "openssl_name": name}} for name in names]
    }


def stand_in(folder: Path, document: object, *, before: str = "") -> Path:
    """A program that does as sslyze does: writes the document where --json_out says, and noise to stdout."""
    program = folder / "sslyze"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys, time\nprint('noise')\n{before}\n"
        "out = next(word.partition('=')[2] for word in sys.argv if word.startswith('--json_out='))\n"
        f"pathlib.Path(out).write_text({json.dumps(document)!r})\nsys.exit(1)\n"
    )
    program.chmod(0o755)
    return program


REPORTED: list[tuple[str, str, dict[str, Any]]] = [
    ("protocol.sslv2", "high", {"ssl_2_0_cipher_suites": suites("ECDHE-X")}),
    ("protocol.sslv3", "high", {"ssl_3_0_cipher_suites": suites("ECDHE-X")}),
    ("cipher.export", "high", {"tls_1_2_cipher_suites": suites("EXP-EDH-RSA-RC2-CBC-MD5")}),
    ("cipher.des", "high", {"tls_1_2_cipher_suites": suites("EDH-RSA-DES-CBC-SHA")}),
    ("cipher.rc4", "medium", {"tls_1_2_cipher_suites": suites("ECDHE-RSA-RC4-SHA")}),
    ("cipher.3des", "low", {"tls_1_2_cipher_suites": suites("ECDHE-RSA-DES-CBC3-SHA")}),
    ("tls.heartbleed", "critical", {"heartbleed": {"is_vulnerable_to_heartbleed": True}}),
    ("tls.ccs-injection", "high", {"openssl_ccs_injection": {"is_vulnerable_to_ccs_injection": True}}),
    ("tls.robot", "high", {"robot": {"robot_result": "VULNERABLE_STRONG_ORACLE"}}),
    ("tls.compression", "medium", {"tls_compression": {"supports_compression": True}}),
    (
        "tls.insecure-renegotiation",
        "medium",
        {
            "session_renegotiation": {
                "supports_secure_renegotiation": False,
                "is_vulnerable_to_client_renegotiation_dos": False,
            }
        },
    ),
    (
        "tls.client-renegotiation",
        "low",
        {
            "session_renegotiation": {
                "supports_secure_renegotiation": True,
                "is_vulnerable_to_client_renegotiation_dos": True,
            }
        },
    ),
]


@pytest.mark.parametrize(("rule", "severity", "change"), REPORTED)
def test_what_no_server_of_today_can_be_made_to_do(
    run: Run,
    chain: Path,
    tmp_path_factory: pytest.TempPathFactory,
    rule: str,
    severity: str,
    change: dict[str, Any],
) -> None:
    program = stand_in(tmp_path_factory.mktemp("bin"), recorded(**change))
    with serve(until_closed, server_context(chain)) as port:
        told = run(port, options={"engine": "sslyze", "sslyze_path": str(program), "intrusive": True})
    (finding,) = told.of("finding")
    assert (finding["rule"], finding["severity"]) == (rule, severity)
    assert "noise" in told.stderr


def no_contact() -> dict[str, Any]:
    server = {
        "connectivity_status": "ERROR",
        "connectivity_error_trace": "a\nConnection rejected\n",
        "scan_result": None,
    }
    return {"sslyze_version": "6.3.1", "server_scan_results": [server]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (no_contact(), "could not connect: Connection rejected"),
        ({}, "without usable JSON"),
        ([], "without usable JSON"),
    ],
)
def test_an_sslyze_that_gave_nothing(
    run: Run, chain: Path, tmp_path_factory: pytest.TempPathFactory, document: object, words: str
) -> None:
    program = stand_in(tmp_path_factory.mktemp("bin"), document)
    with serve(until_closed, server_context(chain)) as port:
        must = run(port, options={"engine": "sslyze", "sslyze_path": str(program)})
        may = run(port, options={"engine": "auto", "sslyze_path": str(program)})
    assert must.done["status"] == "partial" and words in must.done["message"]
    assert may.done["status"] == "ok" and "(by Python ssl" in may.done["message"]
    assert any(words in log["message"] for log in may.of("log"))


def test_a_missing_sslyze_is_said(run: Run, chain: Path) -> None:
    with serve(until_closed, server_context(chain)) as port:
        must = run(port, options={"engine": "sslyze", "sslyze_path": "/nowhere/sslyze"})
        may = run(port, options={"engine": "auto", "sslyze_path": "/nowhere/sslyze"})
    assert must.done["error"]["kind"] == "config" and "sslyze was not found" in must.done["error"]["message"]
    assert may.done["status"] == "ok"


def test_a_proxys_password_never_reaches_a_command_line(run: Run, chain: Path) -> None:
    with serve(tunnel_to_nowhere) as port:
        told = run(port, http={"proxy": f"http://me:secret@127.0.0.1:{port}"}, options={"engine": "auto"})
    assert told.done["error"]["kind"] == "target"
    assert f"through the proxy 127.0.0.1:{port}" in told.done["error"]["message"]
    assert "secret" not in json.dumps(told.messages)


def tunnel_to_nowhere(connection: socket.socket) -> None:
    assert read_head(connection).startswith(b"CONNECT localhost:")
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")


def test_the_proxy_is_used(run: Run, chain: Path) -> None:
    asked: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        head = read_head(connection)
        asked.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with server_context(chain).wrap_socket(connection, server_side=True) as secure:
            until_closed(secure)

    with serve(proxy) as port:
        told = run(443, http={"proxy": f"http://me:x@127.0.0.1:{port}"}, options={"engine": "auto"})
    assert asked[0].startswith(b"CONNECT localhost:443 ")
    assert b"Proxy-Authorization: Basic bWU6eA==" in asked[0]
    assert told.rules == ["cert.untrusted"]
    assert any("proxy's password" in log["message"] for log in told.of("log"))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"proxy": "socks5://127.0.0.1:1"}, "only http://HOST:PORT proxies"),
        ({"ca_file": "/nowhere.pem"}, "ca_file"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_the_users_to_change(
    run: Run, chain: Path, wish: dict[str, str], words: str
) -> None:
    with serve(until_closed, server_context(chain)) as port:
        told = run(port, http=wish)
    assert told.done["error"]["kind"] == "config"
    assert words in told.done["error"]["message"]


def reset(connection: socket.socket) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: socket.socket) -> None:
    for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\0" * 600:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


@pytest.mark.parametrize("handler", [until_closed, reset, drip, lambda connection: connection.recv(1)])
def test_tarpits_are_errors_of_the_target(run: Run, handler: Callable[[socket.socket], None]) -> None:
    with serve(handler) as port:
        told = run(port, options={"timeout": 1, "engine": "auto"}, deadline_s=10)
    assert told.of("finding") == []
    assert told.done["error"]["kind"] == "target"
    assert told.done["error"]["message"].startswith(f"no TLS connection to localhost:{port}: ")
    assert told.seconds < 4


def test_a_closed_port(run: Run) -> None:
    with closed_port() as port:
        told = run(port, host="127.0.0.1")
    assert (
        told.done["error"]["message"]
        == f"no TLS connection to 127.0.0.1:{port}: [Errno 111] Connection refused"
    )


def in_another_tongue(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_service_without_tls_is_skipped_and_a_url_is_an_error(run: Run) -> None:
    with serve(in_another_tongue) as port:
        service = run(port)
        https = {"kind": "service", "value": f"localhost:{port}", "scheme": "https"}
        url = run(port, target=https)
    assert service.done == {
        "type": "done",
        "status": "skipped",
        "message": f"localhost:{port} answered, and does not speak TLS",
    }
    assert url.done["error"]["kind"] == "target"


def test_an_http_url_has_no_tls(run: Run) -> None:
    told = run(80, target={"kind": "service", "value": "localhost:80", "scheme": "http"})
    assert told.done["status"] == "skipped"
    assert told.done["message"] == "localhost:80 speaks plain HTTP: there is no TLS to judge"


def test_a_bare_host_takes_the_port_of_the_options(tmp_path: Path, authority: Authority, chain: Path) -> None:
    with serve(until_closed, server_context(chain)) as port:
        target = {"kind": "host", "value": "localhost", "host": "localhost"}
        options = {"engine": "stdlib", "port": port, "timeout": 5}
        job = {"targets": [target], "options": options, "http": {"ca_file": str(authority.ca_file)}}
        told = replay.run_plugin(FOLDER, job, tmp_path)
    assert told.rules == []
    assert told.done["message"].startswith(f"localhost:{port} offers")


def dying_after(count: int, chain: Path) -> Callable[[socket.socket], None]:
    """A TLS server that resets every connection after the first `count`."""
    context, lock, left = server_context(chain), threading.Lock(), [count]

    def handle(connection: socket.socket) -> None:
        with lock:
            left[0] -= 1
            alive = left[0] >= 0
        if not alive:
            reset(connection)
            return
        with context.wrap_socket(connection, server_side=True) as secure:
            until_closed(secure)

    return handle


@pytest.mark.parametrize("handshakes", [1, 4])
def test_a_target_that_dies_on_the_way_is_partial(run: Run, chain: Path, handshakes: int) -> None:
    with serve(dying_after(handshakes, chain)) as port:
        told = run(port)
    assert told.done["status"] == "partial"
    assert "stopped answering" in told.done["message"]


def test_the_deadline_before_contact_is_an_error(run: Run) -> None:
    with serve(until_closed) as port:
        told = run(port, options={"timeout": 60}, deadline_s=2)
    assert told.done["error"]["kind"] == "target"
    assert "before the deadline" in told.done["error"]["message"]
    assert told.seconds < 4


def test_the_deadline_during_sslyze_is_partial_and_kills_it(
    run: Run, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    pid_file = folder / "pid"
    program = stand_in(
        folder, {}, before=f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    with serve(until_closed, server_context(authority.issue(days=-2).chain)) as port:
        told = run(port, options={"engine": "sslyze", "sslyze_path": str(program)}, deadline_s=3)
    assert told.rules == ["cert.expired"]
    assert told.done["status"] == "partial"
    assert told.done["message"].endswith("versions and ciphers not to the end: the deadline came")
    assert told.seconds < 5
    gone(int(pid_file.read_text()))


def gone(pid: int) -> None:
    """Waits until the process is dead; a zombie that nobody reaps counts as dead."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} outlived the plugin")


def test_sigterm_ends_it_and_its_child_at_once(tmp_path: Path, chain: Path) -> None:
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    program = stand_in(
        tmp_path, {}, before=f"import os; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    with serve(until_closed, server_context(chain)) as port:
        target = {"kind": "service", "value": f"localhost:{port}", "host": "localhost", "port": port}
        job = {"targets": [target], "options": {"engine": "sslyze", "sslyze_path": str(program)}}
        with subprocess.Popen(
            replay.argv(FOLDER),
            env=replay.environment(FOLDER, tmp_path),
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            assert child.stdin
            child.stdin.write(replay.job_line(job, tmp_path))
            child.stdin.close()
            grandchild = int(fifo.read_text())
            child.send_signal(signal.SIGTERM)
            assert child.wait(2) == 128 + signal.SIGTERM
    gone(grandchild)


def test_a_fault_of_its_own_is_said(tmp_path: Path) -> None:
    job = {"targets": [{"kind": "host", "value": "localhost", "port": 443}]}
    told = replay.run_plugin(FOLDER, job, tmp_path)
    assert told.done["error"]["kind"] == "internal"
    assert "Traceback" in told.stderr


def test_the_readme_lists_every_rule_with_its_severity_and_each_is_provoked() -> None:
    rules = tomllib.loads((FOLDER / "rules.toml").read_text(encoding="utf-8"))
    listed = re.findall(
        r"^\|`([\w.-]+)`\|(low|medium|high|critical)\|",
        (FOLDER / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [(name, entry["severity"]) for name, entry in rules.items()] == listed
    provoked = {rule for rule, _, _ in CERTIFICATES + REPORTED} | {
        rule for _, _, rules in OFFERS for rule in rules
    }
    assert provoked | {"cert.untrusted"} == set(rules)
