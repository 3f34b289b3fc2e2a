"""The cors plugin as a real child: against nginx, set up badly and well, and targets that fall silent."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import plugin_replay as replay
import pytest
from plugin_tarpit import answering, answering_then_silent, drip, interrupted, page, reset
from servers.nginx import nginx

from kastrun.kit.certs import Authority
from kastrun.kit.site import Handler, serve, until_closed

FOLDER = replay.PLUGINS / "cors"
ALLOW = (
    "location /{name} {{ add_header Access-Control-Allow-Origin {value} always; "
    "add_header Vary Origin always; {more} return 200; }}\n"
)
WITH_COOKIES = "add_header Access-Control-Allow-Credentials true always;"
# Path, what nginx answers with, the rules (with key and severity) that are to be found.
FAULTS: list[tuple[str, str, str, list[tuple[str, str | None, str]]]] = [
    ("echo", "$http_origin", WITH_COOKIES, [("cors.any-origin", None, "high")]),
    ("echo-public", "$http_origin", "", [("cors.any-origin", None, "low")]),
    ("null", "$null", WITH_COOKIES, [("cors.null-origin", None, "high")]),
    ("begins", "$begins", WITH_COOKIES, [("cors.lookalike-origin", "begins-alike", "high")]),
    ("ends", "$ends", WITH_COOKIES, [("cors.lookalike-origin", "ends-alike", "high")]),
    ("plain", "$plain", WITH_COOKIES, [("cors.plain-http-origin", None, "medium")]),
    ("star", "'*'", "", [("cors.wildcard", None, "info")]),
    ("star-cookies", "'*'", WITH_COOKIES, [("cors.wildcard-credentials", None, "low")]),
    ("control", "$good", WITH_COOKIES, []),
    ("control-none", "''", "", []),
]
MAPS = {
    "null": "null null;",
    "begins": "~^https://localhost $http_origin;",
    "ends": "~^https.*localhost$ $http_origin;",
    "plain": "~^https?://localhost$ $http_origin;",
    "good": "~^https://(app\\.|)localhost$ $http_origin;",
}


def target(port: int, path: str = "", scheme: str = "http", host: str = "127.0.0.1") -> dict[str, object]:
    url = f"{scheme}://{host}:{port}/{path}"
    return {
        "kind": "url",
        "value": url,
        "scheme": scheme,
        "host": host,
        "port": port,
        "path": f"/{path}",
    }


def job(port: int, **more: object) -> dict[str, object]:
    return {"targets": [target(port)], "options": {"timeout": 20}, **more}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("cors") / "ca")


@pytest.fixture(scope="module")
def weak_and_good(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    chain = authority.issue().chain

    def servers(port: int) -> str:
        maps = "".join(f"map $http_origin ${name} {{ {rule} }}\n" for name, rule in MAPS.items())
        paths = "".join(ALLOW.format(name=name, value=value, more=more) for name, value, more, _ in FAULTS)
        return (
            f"{maps} server {{ listen 127.0.0.1:{port} ssl; "
            f"ssl_certificate {chain}; ssl_certificate_key {chain};\n{paths} }}"
        )

    with nginx(tmp_path_factory.mktemp("nginx"), servers) as (port,):
        yield port


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(("path", "expected"), [(fault[0], fault[3]) for fault in FAULTS])
def test_what_nginx_allows_is_found_and_no_more(
    weak_and_good: int,
    authority: Authority,
    tmp_path: Path,
    path: str,
    expected: list[tuple[str, str | None, str]],
) -> None:
    asked = target(weak_and_good, path, "https", "localhost")
    wishes = {"ca_file": str(authority.ca_file)}
    told = replay.run_plugin(FOLDER, job(0, targets=[asked], http=wishes), tmp_path)
    found = [(each["rule"], each.get("key"), each["severity"]) for each in told.of("finding")]
    assert found == expected
    assert told.done["status"] == "ok"
    assert all("CWE-942" in each["refs"] and each["remediation"] for each in told.of("finding"))


@pytest.mark.needs("nginx", "curl")
@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [("echo", "https://evil.example", True), ("control", "https://evil.example", False)],
)
def test_curl_sees_the_planted_fault_too(
    weak_and_good: int, authority: Authority, path: str, origin: str, allowed: bool
) -> None:
    url = f"https://localhost:{weak_and_good}/{path}"
    asked = ["curl", "-qsS", "--max-time", "20", "-D", "-", "--cacert", authority.ca_file]
    seen = subprocess.run(
        [*asked, "-H", f"Origin: {origin}", url], capture_output=True, check=True, text=True
    )
    assert (f"Access-Control-Allow-Origin: {origin}" in seen.stdout) == allowed


@pytest.mark.parametrize("handler", [until_closed, reset, drip], ids=["silent", "reset", "drip"])
def test_a_target_that_does_not_answer_is_never_clean(tmp_path: Path, handler: Handler) -> None:
    with serve(handler) as port:
        told = replay.run_plugin(FOLDER, job(port, options={"timeout": 2}), tmp_path)
    assert told.done["error"]["kind"] == "target"


@pytest.mark.parametrize("times", [1, 2])
def test_a_target_that_dies_on_the_way_is_partial(tmp_path: Path, times: int) -> None:
    with serve(answering(page("hello"), times=times)) as port:
        told = replay.run_plugin(FOLDER, job(port), tmp_path)
    assert told.done["status"] == "partial" and "but then" in told.done["message"]


def test_what_was_found_before_the_silence_is_kept_at_the_deadline(tmp_path: Path) -> None:
    answer = page("hello", "Access-Control-Allow-Origin: null", "Access-Control-Allow-Credentials: true")
    with serve(answering_then_silent(answer, 3, threading.Event())) as port:
        told = replay.run_plugin(FOLDER, job(port, deadline_s=4), tmp_path)
    assert told.rules == ["cors.null-origin"]
    assert told.done["status"] == "partial"


def test_a_failure_page_is_no_clean_page(tmp_path: Path) -> None:
    with serve(answering(page("busy", status="503 Service Unavailable"))) as port:
        told = replay.run_plugin(FOLDER, job(port), tmp_path)
    assert told.done["status"] == "partial" and told.of("finding") == []


def test_two_answers_are_none_as_browsers_see_it(tmp_path: Path) -> None:
    twice = page("x", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Origin: *")
    with serve(answering(twice)) as port:
        told = replay.run_plugin(FOLDER, job(port), tmp_path)
    assert told.of("finding") == [] and told.done["status"] == "ok"


def test_the_profiles_headers_are_sent_but_for_its_origin(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with serve(answering(page("hello"), seen)) as port:
        wishes = {"headers": {"X-Key": "s3cret", "Origin": "https://mine.example"}}
        replay.run_plugin(FOLDER, job(port, http=wishes), tmp_path)
    assert all(b"x-key: s3cret" in head.lower() for head in seen)
    probed = [head for head in seen if b"origin: https://mine.example" not in head.lower()]
    assert [re.findall(rb"(?i)origin: (\S+)", head) for head in probed] == [
        [b"https://kastrun-probe.example"],
        [b"null"],
    ]


def test_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    reached = threading.Event()
    with serve(answering_then_silent(page("hello"), 1, reached)) as port:
        told = interrupted(FOLDER, job(port), tmp_path, reached)
    assert told.seconds < 5
