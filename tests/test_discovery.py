"""What jobs find becomes targets of others: whole runs, with the shipped plugins and with small ones."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zoo_runs
from resume_runs import events, shown, told, write_plugin

from kastrun import resources
from kastrun.kit.certs import Authority
from kastrun.kit.site import serve, server_context, until_closed

FINDS = """
for asset in $(cat "$(dirname "$0")/finds.txt"); do
  echo '{"type":"asset","kind":"'${asset%%=*}'","value":"'${asset#*=}'"}'
done
"""
NEXT = """
value=${job#*'"value":"'}; value=${value%%'"'*}; port=${value##*:}
echo '{"type":"finding","rule":"seen","title":"a service","severity":"low"}'
echo '{"type":"asset","kind":"service","value":"'${value%:*}':'$((port + 1))'/tcp"}'
"""
"""Each service leads to the one on the next port: there is no end to them."""


def write(
    home: Path,
    finds: str,
    *,
    discover: int = 1,
    limits: str = "",
    top: str = "",
    plugins: tuple[str, ...] = ("finder", "looks"),
    targets: tuple[str, ...] = ("127.0.0.1",),
) -> Path:
    """A profile in which `finder` finds `finds` (KIND=VALUE) on hosts, and `looks` looks at services."""
    folder = home / "plugins"
    kinds = ["service", "host", "ip", "url", "cidr", "file", "domain"]
    write_plugin(folder, "finder", FINDS, produces=[f"asset:{kind}" for kind in kinds])
    (folder / "finder" / "finds.txt").write_text(finds)
    write_plugin(folder, "looks", NEXT, targets=["service"], produces=["finding", "asset:service"])
    write_plugin(folder, "urls", "", targets=["url"])
    return zoo_runs.write_profile(
        home,
        plugins,
        targets=targets,
        zoo=folder,
        top=top,
        tables=f"[limits]\ndiscover = {discover}\n{limits}\n",
    )


def followed(found: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Who found what, in which step."""
    return [
        (event["plugin"], event["value"], event["step"]) for event in found if event["type"] == "discovered"
    ]


def passed_over(found: list[dict[str, Any]]) -> dict[str, int]:
    return {event["reason"]: event["count"] for event in found if event["type"] == "passed_over"}


def looked_at(found: list[dict[str, Any]], plugin: str = "looks") -> list[str]:
    return sorted(e["target"] for e in found if e["type"] == "result" and e["plugin"] == plugin)


# the shipped plugins


def page(connection: socket.socket) -> None:
    """Whatever is asked, in HTTP."""
    if connection.recv(65536):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n"
        )


def greet(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    until_closed(connection)


@pytest.mark.needs("nmap", "openssl")
# nmap resets connections before their handshake; `ssl` (CPython 3.11) leaves such sockets to the collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_nmap_finds_services_and_tls_and_http_headers_run_on_just_those_that_fit(tmp_path: Path) -> None:
    certificate = Authority(tmp_path / "ca").issue()
    over_tls = server_context(certificate.chain)
    with serve(page) as plain, serve(page, over_tls) as tls, serve(page) as hidden, serve(greet) as ssh:
        ports = ",".join(map(str, (plain, tls, hidden, ssh)))
        profile = zoo_runs.write_profile(
            tmp_path,
            {"nmap": f'options = {{ ports = "{ports}", timing = 4 }}', "tls": 'options.engine = "stdlib"',
             "http-headers": ""},
            zoo=resources.shipped("plugins"),
            targets=[f"127.0.0.1:{ssh}"],
            top=f'mode = "both"\nexclude = ["127.0.0.1:{hidden}"]\nmax_workers = 2',
            tables=f"[limits]\ndiscover = 1\n[http]\nca_file = {json.dumps(str(certificate.ca_file))}",
        )  # fmt: skip
        ran = zoo_runs.run(tmp_path, profile)
    assert sorted(followed(ran.events)) == sorted(("nmap", f"127.0.0.1:{port}", 1) for port in (plain, tls))
    assert passed_over(ran.events) == {"excluded": 1}
    assert looked_at(ran.events, "tls") == sorted([f"127.0.0.1:{port}" for port in (ssh, tls)])
    assert looked_at(ran.events, "http-headers") == sorted(
        [f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{tls}/"]
    )


# steps, duplicates, scope


def test_at_most_so_many_steps_and_nothing_twice(tmp_path: Path) -> None:
    profile = write(
        tmp_path, "service=127.0.0.1:7000/tcp\nservice=127.0.0.1:7000\nhost=127.0.0.1\n", discover=3
    )
    ran = zoo_runs.run(tmp_path, profile)
    assert ran.code == 0, ran.stderr
    assert followed(ran.events) == [
        ("finder", "127.0.0.1:7000", 1), ("looks", "127.0.0.1:7001", 2), ("looks", "127.0.0.1:7002", 3),
    ]  # fmt: skip
    assert looked_at(ran.events) == ["127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"]
    assert "4 of 4 jobs ok" in ran.stdout
    assert "3 targets were discovered, with 3 jobs" in " ".join(ran.stdout.split())
    assert ran.summary is not None
    assert ran.summary["discovered"] == {"targets": 3, "jobs": 3, "passed_over": {}}
    assert ran.summary["findings"]["by_severity"] == {"low": 3}
    found_by = {event["value"]: event["job"] for event in ran.of("discovered")}
    assert found_by["127.0.0.1:7001"] == ran.of("discovered")[0]["jobs"][0]
    report = zoo_runs.kastrun(tmp_path, "report", "out", "--format", "jsonl")
    assert report.returncode == 0, report.stderr
    lines = (ran.folder / "findings.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["target"] for line in lines) == looked_at(ran.events)
    html = zoo_runs.kastrun(tmp_path, "report", "out", "--format", "html")
    assert html.returncode == 0, html.stderr
    assert "3 targets were discovered, with 3 jobs" in (ran.folder / "report.html").read_text()


def test_what_the_profile_has_already_is_not_discovered(tmp_path: Path) -> None:
    targets = ("127.0.0.1", "127.0.0.1:7000")
    ran = zoo_runs.run(tmp_path, write(tmp_path, "service=127.0.0.1:7000/tcp\n", targets=targets))
    assert followed(ran.events) == [("looks", "127.0.0.1:7001", 1)]
    assert looked_at(ran.events) == ["127.0.0.1:7000", "127.0.0.1:7001"]


def test_excludes_win_and_what_is_out_of_scope_is_passed_over_and_said(tmp_path: Path) -> None:
    finds = """
        service=127.0.0.1:7000/tcp service=127.0.0.1:7001/tcp service=127.0.0.2:7000 service=127.0.0.3:7000
        service=127.0.0.9:53/udp url=http://127.0.0.1:7002/app file=/etc/passwd url=ftp://127.0.0.1/
        service=203.0.113.9:80 service=203.0.113.9:80
    """
    top = 'exclude = ["127.0.0.1:7001", "127.0.0.3"]\nscope = ["127.0.0.2", "127.0.0.3"]'
    profile = write(tmp_path, finds, top=top, plugins=("finder", "looks", "urls"))
    ran = zoo_runs.run(tmp_path, profile)
    assert ran.code == 0, ran.stderr
    assert sorted(value for _, value, _ in followed(ran.events)) == [
        "127.0.0.1:7000", "127.0.0.2:7000", "http://127.0.0.1:7002/app",
    ]  # fmt: skip
    assert passed_over(ran.events) == {"excluded": 2, "no_target": 2, "out_of_scope": 1}
    told = " ".join(ran.stdout.split())
    assert "out_of_scope" in told and "service 203.0.113.9:80" in told
    # An http URL is no service for one that wants TLS, and is one for others.
    assert looked_at(ran.events) == ["127.0.0.1:7000", "127.0.0.1:7002", "127.0.0.2:7000"]


def test_nothing_follows_where_it_is_not_asked_for(tmp_path: Path) -> None:
    ran = zoo_runs.run(tmp_path, write(tmp_path, "service=127.0.0.1:7000/tcp\n", discover=0))
    assert followed(ran.events) == [] and looked_at(ran.events) == []
    assert "discovered" not in ran.stdout


def test_max_discovered_is_said_when_it_is_reached(tmp_path: Path) -> None:
    finds = "".join(f"service=127.0.0.1:{port}/tcp\n" for port in range(7000, 7008)) + "cidr=127.0.0.0/31"
    profile = write(tmp_path, finds, limits="max_discovered = 3", top='scope = ["127.0.0.0/31"]')
    ran = zoo_runs.run(tmp_path, profile)
    assert ran.code == 0, ran.stderr
    assert len(followed(ran.events)) == 3
    assert "max_discovered = 3 is reached: what else is found becomes no target" in ran.stderr
    assert "raise [limits] max_discovered" in ran.stderr
    assert ran.summary is not None and ran.summary["discovered"]["passed_over"] == {"max_discovered": 6}
    assert "max_discovered" in ran.stdout


# the plan


def test_the_plan_says_what_may_follow(tmp_path: Path) -> None:
    profile = write(tmp_path, "", discover=2, plugins=("finder", "looks", "urls"))
    shown = zoo_runs.kastrun(tmp_path, "plan", profile)
    assert shown.returncode == 0, shown.stderr
    part = shown.stdout.partition("what may follow")[2]
    assert part.splitlines()[0] == ", in 2 steps at most: up to 1,000 targets, in scope and not planned yet"
    assert "  finder finds service: finder, looks, urls where it speaks http\n" in part
    assert "  looks finds service: finder, looks, urls where it speaks http\n" in part
    assert "  finder finds url: finder, looks, urls\n" in part
    document = json.loads(zoo_runs.kastrun(tmp_path, "plan", "--json", profile).stdout)
    assert document["discovery"]["steps"] == 2
    takers = ["finder", "looks", "urls"]
    may = {"plugin": "looks", "kind": "service", "followed_by": takers, "speaking": {"urls": ["http"]}}
    assert may in document["discovery"]["finds"]
    off = zoo_runs.kastrun(tmp_path, "plan", profile, "--set", "limits.discover=0")
    assert "what may follow" not in off.stdout


# going on with an earlier run


def test_killed_and_resumed_again_and_again_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    finds = "".join(f"service=127.0.0.1:{port}/tcp\n" for port in (7000, 7100, 7200))
    profile = write(tmp_path, finds, discover=3, top="max_workers = 2")
    assert zoo_runs.kastrun(tmp_path, profile, "-o", "whole").returncode == 0
    out = tmp_path / "out"
    for kills in range(6):
        process = subprocess.Popen(
            zoo_runs.command(*(("resume", out) if out.exists() else (profile, "-o", out))),
            cwd=tmp_path, env=zoo_runs.environment(tmp_path),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def ended(kind: str = '"type":"result"') -> int:
            journal = out / "journal.jsonl"
            return journal.read_text().count(kind) if journal.exists() else 0

        zoo_runs.until(lambda: ended() > kills or process.poll() is not None)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert kills < ended()
    done = zoo_runs.kastrun(tmp_path, "resume", out)
    assert done.returncode == 0, done.stderr
    found = events(out)
    assert told(found) == told(events(tmp_path / "whole"))
    assert [e["job"] for e in found if e["type"] == "void"] == []
    results = [e["job"] for e in found if e["type"] == "result"]
    assert len(results) == len(set(results)) == 10
    assert shown(tmp_path, out) == shown(tmp_path, tmp_path / "whole")
    again = zoo_runs.kastrun(tmp_path, "resume", out)
    assert again.returncode == 0 and "10 of 10 jobs ok" in again.stdout, again.stderr


def test_a_resume_with_another_exclude_takes_back_what_followed(tmp_path: Path) -> None:
    finds = "service=127.0.0.1:7000/tcp\nservice=127.0.0.1:7100/tcp\n"
    ran = zoo_runs.run(tmp_path, write(tmp_path, finds, discover=2))
    resolved = ran.folder / "profile.toml"
    text = resolved.read_text()
    assert "exclude = []" in text
    resolved.write_text(text.replace("exclude = []", 'exclude = ["127.0.0.1:7100"]'))
    done = zoo_runs.kastrun(tmp_path, "resume", ran.folder)
    assert done.returncode == 0, done.stderr
    assert "2 jobs are not planned any more" in done.stderr
    assert "3 of 3 jobs ok" in done.stdout


def test_a_resume_with_more_steps_goes_on_from_what_was_found(tmp_path: Path) -> None:
    ran = zoo_runs.run(tmp_path, write(tmp_path, "service=127.0.0.1:7000/tcp\n", discover=1))
    resolved = ran.folder / "profile.toml"
    resolved.write_text(resolved.read_text().replace("discover = 1", "discover = 2"))
    done = zoo_runs.kastrun(tmp_path, "resume", ran.folder)
    assert done.returncode == 0, done.stderr
    found = events(ran.folder)
    assert looked_at(found) == ["127.0.0.1:7000", "127.0.0.1:7001"]
    assert "3 of 3 jobs ok" in done.stdout


def test_since_reuses_what_followed_too(tmp_path: Path) -> None:
    profile = write(tmp_path, "service=127.0.0.1:7000/tcp\n", discover=2)
    assert zoo_runs.kastrun(tmp_path, profile, "-o", "first").returncode == 0
    ran = zoo_runs.run(tmp_path, profile, "--since", "first")
    assert ran.code == 0, ran.stderr
    assert "3 of 3 jobs ok, 3 reused" in ran.stdout
    assert len(followed(ran.events)) == 2
