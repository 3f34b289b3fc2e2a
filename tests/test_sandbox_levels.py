"""The levels of the sandbox as a user meets them: in a run, in the plan, where a machine cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import programs
import pytest
from resume_runs import write_plugin
from zoo_runs import command, environment, run, write_profile

SPACES = (pytest.mark.needs("unshare"), pytest.mark.namespaces)
CONTAINER = [sys.executable, str(Path(__file__).with_name("container.py"))]
NO_SPACES = ["unshare", "--user", "--map-root-user", "sh", "-c"]
NO_SPACES += ['echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
"""Runs a command where no user namespace can be made."""


def scan(folder: Path, level: str, *wrapper: str) -> subprocess.CompletedProcess[str]:
    profile = write_profile(
        folder, ["peeks"], zoo=folder / "plugins", tables=f'[sandbox]\nlevel = "{level}"\n'
    )
    return subprocess.run(
        [*wrapper, *command(profile, "-o", folder / "out")],
        cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def result_of(folder: Path) -> dict[str, Any]:
    lines = (folder / "out" / "journal.jsonl").read_text().splitlines()
    return next(event for event in map(json.loads, lines) if event["type"] == "result")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a secret, and a plugin that fails where it can read it or change it."""
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    peeks = f"cat {secret} >&2 && exit 7\nchmod 666 {secret} 2>/dev/null && exit 8\ntouch mine || exit 9"
    write_plugin(tmp_path / "plugins", "peeks", peeks)
    return tmp_path


@pytest.mark.parametrize(
    ("level", "wrapper", "held"),
    [
        pytest.param("strict", [], "namespaces", marks=SPACES),
        pytest.param("standard", [], "namespaces", marks=SPACES),
        pytest.param("standard", NO_SPACES, "plain", marks=SPACES),
        ("standard", CONTAINER, "plain"),
    ],
)
def test_what_held_a_job_is_in_its_result(home: Path, level: str, wrapper: list[str], held: str) -> None:
    done = scan(home, level, *wrapper)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result_of(home)["sandbox"]["level"] == held


def test_off_is_off_and_said_in_each_result(home: Path) -> None:
    assert scan(home, "off").returncode == 3
    result = result_of(home)
    assert result["failure"]["exit_code"] == 7
    assert result["sandbox"]["level"] == "off" and "files" in result["sandbox"]["missing"]


@pytest.mark.parametrize(
    ("wrapper", "why"),
    [
        pytest.param(NO_SPACES, "user.max_user_namespaces is 0", marks=SPACES),
        (CONTAINER, "clone: Operation not permitted"),
    ],
)
def test_where_strict_cannot_be_had_nothing_runs(home: Path, wrapper: list[str], why: str) -> None:
    done = scan(home, "strict", *wrapper)
    assert done.returncode == 4
    assert "error: the sandbox level strict cannot be had here" in done.stderr
    assert why in done.stderr
    assert "hint: " in done.stderr
    assert (
        not (home / "out" / "journal.jsonl").exists()
        or "result" not in (home / "out" / "journal.jsonl").read_text()
    )


def test_the_plan_shows_what_will_hold_the_jobs(home: Path) -> None:
    standard = '[sandbox]\nlevel = "standard"\n'
    profile = write_profile(home, ["peeks"], zoo=home / "plugins", tables=standard)
    here = "namespaces" if programs.makes_namespaces() else "plain"
    for wrapper, held in (([], here), (CONTAINER, "plain")):
        plan = [*wrapper, *command("plan", profile)]
        text = subprocess.run(
            plan, cwd=home, env=environment(home), capture_output=True, text=True, check=True
        ).stdout
        assert f"sandbox standard: {held}, scope enforce" in text
        shown = subprocess.run(
            [*plan, "--json"], cwd=home, env=environment(home), capture_output=True, text=True, check=True
        ).stdout
        assert json.loads(shown)["plugins"][0]["sandbox"]["level"] == held


def test_a_file_that_is_a_target_is_read_and_no_other(home: Path) -> None:
    mine = home / "mine.txt"
    mine.write_text("read me")
    read = 'path=${job#*\'"value":"\'}; path=${path%%\'"\'*}\ncat "$path" >&2 || exit 6\n'
    read += f"cat {home}/secret >&2 && exit 7"
    write_plugin(home / "plugins", "reads", read, targets=["file"])
    for number, wrapper in enumerate(([], CONTAINER)):
        profile = write_profile(
            home,
            ["reads"],
            zoo=home / "plugins",
            targets=[f"@{mine}"],
            tables='[sandbox]\nlevel = "standard"\n',
        )
        done = subprocess.run(
            [*wrapper, *command(profile, "-o", home / f"out{number}")],
            cwd=home, env=environment(home), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_more_excludes_than_a_packet_holds(home: Path) -> None:
    excludes = json.dumps([f"10.{number >> 8}.{number & 255}.7" for number in range(20_000)])
    profile = write_profile(
        home,
        ["peeks"],
        zoo=home / "plugins",
        top=f"exclude = {excludes}",
        tables='[sandbox]\nlevel = "standard"\n',
    )
    assert run(home, profile).code == 0


def test_a_capability_fails_its_plugin_and_no_other(home: Path) -> None:
    write_plugin(home / "plugins", "fine", "")
    write_plugin(home / "plugins", "raw", "")
    manifest = home / "plugins" / "raw" / "plugin.toml"
    manifest.write_text(manifest.read_text() + '[sandbox]\ncaps = ["net_raw"]\n')
    own = {"fine": "", "raw": 'grant = ["cap:net_raw"]'}
    standard = '[sandbox]\nlevel = "standard"\n'
    ran = run(home, write_profile(home, own, zoo=home / "plugins", tables=standard))
    assert {result["plugin"]: result["reason"] for result in ran.of("result")} == {
        "fine": None,
        "raw": "sandbox_unavailable",
    }
