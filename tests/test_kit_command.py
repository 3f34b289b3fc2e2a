"""`kastrun plugins test` as a process: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KIT = Path(__file__).parent / "kit"
STATIC = "manifest,folder-name,options"


def kastrun(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kastrun", "plugins", "test", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_tap_where_it_is_not_a_terminal_and_1_where_a_check_fails() -> None:
    done = kastrun(KIT / "options", KIT / "good-sh", "--only", STATIC)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == ["TAP version 14", "1..6"]
    assert [line.split(" - ")[0] for line in lines if "ok " in line[:7]] == [
        *("ok 1", "ok 2", "not ok 3", "ok 4", "ok 5", "ok 6")
    ]
    assert done.stderr == ""


def test_0_where_there_are_only_warnings() -> None:
    done = kastrun(KIT / "lines", "--only", "examples")
    assert (done.returncode, '  severity: "warning"' in done.stdout) == (0, True)


def test_json_is_one_document() -> None:
    (plugin,) = json.loads(kastrun(KIT / "good-sh", "--only", "manifest", "--json").stdout)
    assert (plugin["plugin"], plugin["failed"], plugin["checks"][0]["outcome"]) == ("good-sh", False, "pass")


def test_a_shipped_plugin_may_be_named() -> None:
    assert "http-headers: manifest" in kastrun("http-headers", "--only", "manifest").stdout


def test_a_table_on_a_terminal() -> None:
    leader, follower = pty.openpty()
    argv = [
        sys.executable,
        "-m",
        "kastrun",
        "plugins",
        "test",
        str(KIT / "options"),
        "--only",
        STATIC,
        "--no-color",
    ]
    with subprocess.Popen(argv, stdout=follower, stderr=subprocess.PIPE) as child:
        os.close(follower)
        text = b""
        while chunk := _read(leader):
            text += chunk
        child.communicate(timeout=30)
    os.close(leader)
    assert child.returncode == 1
    told = text.decode()
    assert "mend: Correct the schema" in told
    assert "2 pass, 1 fail" in told


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    argv = [sys.executable, "-m", "kastrun", "plugins", "test", str(KIT / "stdin-eof")]
    with subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ) as child:
        while not list((tmp_path / "tmp").glob("kastrun-trial-*/work/*")):
            time.sleep(0.01)  # the minimal job has begun
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert list((tmp_path / "tmp").iterdir()) == []


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # Linux says EIO when the last follower is gone
        return b""


def test_the_list_of_checks() -> None:
    done = kastrun("--list")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len({line.split()[0] for line in done.stdout.splitlines()}) > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "which plugin?"),
        (("/no/such/folder",), "/no/such/folder is not a folder"),
        (("nosuch",), "there is no folder nosuch, and no plugin of that name"),
        ((KIT / "lines", "--only", "sigtrem"), "did you mean sigterm?"),
        ((KIT / "lines", "--option", "x"), "--option x is not NAME=VALUE"),
    ],
)
def test_bad_usage_is_2_with_a_hint(arguments: tuple[str | Path, ...], message: str) -> None:
    done = kastrun(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "hint" in done.stderr
    assert done.stdout == ""
