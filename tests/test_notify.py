"""Notice of a run's end: what is told, and that a notice that fails changes nothing but is said."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import zoo_runs

from kastrun.model import Notify
from kastrun.notify import RETRIES, command_fails, webhook_fails


class Hook(HTTPServer):
    """A server on loopback that answers with one status after the other, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [200]
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?key=sesame"


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.send_header("Content-Length", "0")
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def profile(tmp_path: Path, plugins: list[str], notify: str) -> Path:
    return zoo_runs.write_profile(tmp_path, plugins, tables=f"[notify]\n{notify}")


# the command


def script(tmp_path: Path, body: str) -> str:
    path = tmp_path / "tell.sh"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_command_gets_run_json_and_the_folder(tmp_path: Path) -> None:
    script(tmp_path, f'cat > {tmp_path}/told.json; echo "$KASTRUN_RUN_FOLDER $1" > {tmp_path}/told.txt')
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["ok-sh"], 'command = ["./tell.sh", "scans"]'))
    assert (ran.code, ran.stderr.count("warning")) == (0, 0)
    assert json.loads((tmp_path / "told.json").read_text()) == ran.summary
    assert (tmp_path / "told.txt").read_text() == f"{ran.folder} scans\n"
    (tmp_path / "told.json").unlink()
    assert zoo_runs.kastrun(tmp_path, "resume", "out").returncode == 0
    assert json.loads((tmp_path / "told.json").read_text())["status"] == "complete"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo no such channel >&2; exit 7", "ended with exit code 7: no such channel"),
        ("kill -9 $$", "ended with signal 9"),
    ],
)
def test_a_command_that_fails_is_said_and_the_exit_code_stays(tmp_path: Path, body: str, said: str) -> None:
    told = script(tmp_path, body)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["no-done"], 'command = ["./tell.sh"]'))
    assert ran.code == 3
    assert f"warning: no notice was given: {told} {said}\n" in ran.stderr


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    summary = tmp_path / "run.json"
    summary.write_text("{}")
    told = script(tmp_path, f"sleep 300 & echo $! > {tmp_path}/pid; wait")
    failed = command_fails(Notify(command=(told,), timeout_s=0.5), summary, zoo_runs.environment(tmp_path))
    assert failed == f"{told} took longer than 0.5 s and was ended"
    pid = (tmp_path / "pid").read_text().strip()
    zoo_runs.until(lambda: not is_running(pid))


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_one_that_is_not_there(tmp_path: Path) -> None:
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["ok-sh"], 'command = ["./gone"]'))
    assert ran.code == 0
    assert f"{tmp_path}/gone cannot be started: No such file or directory" in ran.stderr


def test_an_interrupted_run_is_told_too(tmp_path: Path) -> None:
    script(tmp_path, f"cat > {tmp_path}/told.json")
    going = zoo_runs.Going(tmp_path, profile(tmp_path, ["waits"], 'command = ["./tell.sh"]'))
    going.wait_for("finding")
    going.signal(signal.SIGINT)
    assert going.finish().code == 130
    assert json.loads((tmp_path / "told.json").read_text())["status"] == "interrupted"


# the webhook


def test_a_webhook_gets_the_summary_without_its_jobs(tmp_path: Path, hook: Hook) -> None:
    path = profile(tmp_path, ["ok-sh"], 'webhook = { env = "SCAN_WEBHOOK" }')
    ran = zoo_runs.run(tmp_path, path, env={"SCAN_WEBHOOK": hook.url})
    assert (ran.code, ran.stderr.count("warning")) == (0, 0)
    ((where, headers, body),) = hook.got
    assert where == "/hook?key=sesame"
    assert headers["Content-Type"] == "application/json"
    told, summary = json.loads(body), ran.summary
    assert summary is not None
    assert told == summary | {"jobs": []}
    assert "sesame" not in (ran.folder / "profile.toml").read_text()


def test_it_is_tried_again_while_the_server_is_busy_or_broken(hook: Hook) -> None:
    hook.answers = [503, 429, 204]
    assert webhook_fails(hook.url, b"{}", timeout_s=2) is None
    assert len(hook.got) == 3


@pytest.mark.parametrize(("answer", "tries"), [(500, RETRIES + 1), (404, 1), (302, 1)])
def test_an_answer_that_is_no_success_is_said_without_the_url(hook: Hook, answer: int, tries: int) -> None:
    hook.answers = [answer]
    assert webhook_fails(hook.url, b"{}", timeout_s=1) == f"the webhook at 127.0.0.1 answered {answer}"
    assert len(hook.got) == tries


def test_one_that_is_not_reached(tmp_path: Path) -> None:
    with Hook() as closed:
        url = closed.url
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["ok-sh"], f'webhook = "{url}"\ntimeout = 0.5'))
    assert ran.code == 0
    assert "warning: no notice was given: the webhook at 127.0.0.1 was not reached: " in ran.stderr
    assert "sesame" not in ran.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('webhook = "ftp://a.example/"', "a URL that begins with http:// or https://"),
        ('webhook = { env = "KR_UNSET" }', "the variable KR_UNSET is not set"),
        ("command = []", "must not be empty"),
        ('comand = ["x"]', "did you mean `command`?"),
    ],
)
def test_what_cannot_be_is_shown_before_anything_runs(tmp_path: Path, table: str, said: str) -> None:
    done: Any = zoo_runs.kastrun(tmp_path, "check", profile(tmp_path, ["ok-sh"], table))
    assert done.returncode == 2
    assert said in done.stderr
