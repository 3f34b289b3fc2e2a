"""`kastrun plugins record` and `replay`: what is kept, and that the host says the same of it again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from plugin_replay import PLUGINS
from zoo_runs import ZOO

from kastrun import files
from kastrun.protocol import Redactor
from kastrun.targets import parse
from kastrun.trial import (
    Case,
    Trial,
    Tried,
    keep,
    keep_artifacts,
    projector,
    read_exchange,
    trial_of,
    workshop,
)

ARGV = [sys.executable, "-m", "kastrun", "plugins"]
SECRET = "correct-horse-battery"
PROGRAM = """#!/usr/bin/env python3
import json, os, sys
job = json.load(sys.stdin)
token = job["options"]["token"]
os.write(2, token[:7].encode()); os.write(2, token[7:].encode() + b" used\\n")
with open(f"{job['artifacts']}/log.txt", "w") as file: file.write(f"login with {token}")
print(json.dumps({"type": "log", "level": "info", "message": token}), flush=True)
print(json.dumps({"type": "artifact", "path": "log.txt"}))
print(json.dumps({"type": "done", "status": "ok"}))
"""


def plugins(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ARGV, *map(str, arguments)], cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


@pytest.fixture
def teller(tmp_path: Path) -> Path:
    folder = tmp_path / "teller"
    folder.mkdir()
    manifest = (ZOO / "tells-all" / "plugin.toml").read_text().replace("tells-all", "teller")
    (folder / "plugin.toml").write_text(manifest)
    (folder / "run.py").write_text(PROGRAM)
    (folder / "run.py").chmod(0o755)
    return folder


ANIMALS = (
    "ok-sh prints truncated ten-megabytes stubborn idles giver giant promises five-warnings kills-itself "
    "error-config broken-utf8 chatty grumbles leaker deaf never-leaves last-will fifty-thousand"
)


@pytest.mark.parametrize("animal", ANIMALS.split())
async def test_the_host_says_the_same_again(animal: str, tmp_path: Path) -> None:
    plugin, _ = files.read_manifest(ZOO / animal)
    assert plugin is not None
    case, none = Case.at(tmp_path / "case"), Redactor()

    def closing(artifacts: str) -> None:
        assert list(keep_artifacts(artifacts, case, none)) == []

    with workshop() as shop:
        tried = await shop.run(Trial(plugin=plugin, target=parse("127.0.0.1")), closing=closing)
    keep(tried, case, none)
    exchange = read_exchange(case)
    with projector(exchange) as shop:
        again = await shop.run(trial_of(exchange))
    assert again.chunks == tried.chunks
    assert told_by(again) == told_by(tried)


def told_by(tried: Tried) -> list[Any]:
    """All that a host says of a job, without what differs from one day to the next."""
    journal = [json.loads(line) for line in tried.journal]
    for event in journal:
        event.pop("at", None)
    ended = journal.pop()
    for moment in ("started_at", "ended_at", "queued_s"):
        del ended["timings"][moment]
    if failure := ended["failure"]:  # a recording does not say where on a machine the plugin was
        failure["argv"] = [Path(failure["argv"][0]).name]
    return [
        ended,
        journal,
        tried.messages,
        tried.done,
        tried.breach,
        tried.stderr,
        tried.exit,
        tried.survivors,
    ]


def test_a_recording_tells_its_story_as_run_does(tmp_path: Path) -> None:
    recorded = plugins("record", ZOO / "ok-sh", "127.0.0.1", "-o", "case", cwd=tmp_path)
    assert (recorded.returncode, recorded.stderr) == (0, "")
    assert recorded.stdout.endswith("\n\nrecorded: case\n")
    replayed = plugins("replay", "case", "--trace", cwd=tmp_path)
    assert replayed.stdout == recorded.stdout.removesuffix("\nrecorded: case\n")
    assert replayed.stderr.startswith('→ {"type":"job"')
    assert '← {"type":"finding"' in replayed.stderr


def test_a_secret_is_in_no_file(teller: Path, tmp_path: Path) -> None:
    done = plugins("record", teller, "127.0.0.1", "--option", f"token={SECRET}", "-o", tmp_path / "kept/case")
    assert done.returncode == 0, done.stderr
    files = {path.name: path.read_text() for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert files.keys() == {
        "case.job.json", "case.out.jsonl", "case.err.txt", "case.end.json", "log.txt",
    }  # fmt: skip
    for text in (*files.values(), done.stdout, done.stderr):
        assert SECRET not in text and "correct" not in text
    assert files["case.err.txt"] == "[redacted] used\n"
    assert files["log.txt"] == "login with [redacted]"
    assert json.loads(files["case.job.json"])["options"]["token"] == "[redacted]"
    assert plugins("replay", tmp_path / "kept").returncode == 0


def test_by_default_it_is_among_the_examples_and_nothing_is_written_over(teller: Path) -> None:
    assert plugins("record", teller, "127.0.0.1", "--option", "token=abcdefgh").returncode == 0
    assert (teller / "examples" / "127.0.0.1.job.json").is_file()
    again = plugins("record", teller, "127.0.0.1", "--option", "token=abcdefgh")
    assert (again.returncode, again.stdout) == (2, "")
    assert "127.0.0.1.job.json is there already" in again.stderr
    assert plugins("replay", teller).returncode == 0
    tested = plugins("test", teller, "--only", "examples")  # offline: it is read, and not run again
    assert (tested.returncode, "not ok" in tested.stdout) == (0, False)


def test_a_place_that_cannot_be_written_to_is_said_before_anything_runs() -> None:
    done = plugins("record", ZOO / "ok-sh", "127.0.0.1", "-o", "/proc/nowhere/case")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the recording cannot be written to /proc/nowhere: " in done.stderr
    folder = plugins("record", ZOO / "ok-sh", "127.0.0.1", "-o", "/")
    assert (folder.returncode, folder.stderr.splitlines()[0]) == (2, "error: / names a folder")


def test_in_step_with_time(tmp_path: Path) -> None:
    assert plugins("record", ZOO / "naps", "127.0.0.1", "-o", tmp_path / "case").returncode == 0
    end = json.loads((tmp_path / "case.end.json").read_text())
    argv = [*ARGV, "replay", str(tmp_path / "case"), "--speed", "0.001", "--trace"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("→ ")
        child.send_signal(signal.SIGINT)  # it would take half an hour
        told, _ = child.communicate(timeout=60)
    assert end["ended_s"] > 1
    assert (child.returncode, told) == (130, "")
    assert plugins("replay", tmp_path / "case", "--speed", "1000").returncode == 0


def test_a_job_that_was_stopped_or_never_began_is_no_recording(tmp_path: Path) -> None:
    argv = [*ARGV, "record", str(ZOO / "waits"), "127.0.0.1", "-o", str(tmp_path / "case")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("finding")
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=60)
    assert (child.returncode, told.endswith("\nnothing was recorded\n")) == (130, True)
    failed = plugins("record", ZOO / "no-interpreter", "127.0.0.1", "-o", tmp_path / "case")
    assert (failed.returncode, failed.stdout.endswith("\nnothing was recorded\n")) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    done = plugins("record", ZOO / "makes-fifo", "127.0.0.1", "-o", tmp_path / "case")
    assert done.returncode == 3
    assert done.stderr == "warning: the artifact 'pipe' is no regular file, and is left out\n"


def test_examples_are_recordings_too() -> None:
    done = plugins("replay", PLUGINS / "http-headers", "--json")
    told = json.loads(done.stdout)["jobs"]
    assert [job["result"]["status"] for job in told] == ["ok", "fail", "ok"]
    assert told[1]["result"]["reason"] == "plugin_target"
    assert done.returncode == 3


def test_without_a_target_examples_are_recorded_anew(tmp_path: Path) -> None:
    folder = tmp_path / "http-headers"
    shutil.copytree(PLUGINS / "http-headers", folder)
    weak = folder / "examples" / "weak.out.jsonl"
    before = weak.read_text()
    weak.write_text(before.replace('"finding"', '"asset"', 1))
    done = plugins("record", folder)
    assert done.stdout.splitlines() == [
        "hardened: as it was", "unreachable: as it was", "weak: changed: read it before you keep it",
    ]  # fmt: skip
    assert (done.returncode, weak.read_text()) == (0, before)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"case.job.json": "{"}, "cannot be read"),
        ({"case.job.json": "[]"}, "it has no `targets`"),
        ({"case.job.json": '{"targets":[{"kind":"host"}]}'}, "has no job that can be"),
        ({"case.end.json": '{"plugin":"a","chunks":[[1,"both",2]]}'}, "cannot be read"),
        ({"case.end.json": '{"plugin":"a","exit":1}'}, "unknown field `exit`"),
        ({"case.out.jsonl": None}, "cannot be read"),
        ({"case.job.json": None}, "there is no recording"),
    ],
)
def test_a_recording_that_is_none_is_2(spoil: dict[str, str | None], said: str, tmp_path: Path) -> None:
    assert plugins("record", ZOO / "ok-sh", "127.0.0.1", "-o", tmp_path / "case").returncode == 0
    for name, text in spoil.items():
        (tmp_path / name).unlink()
        if text is not None:
            (tmp_path / name).write_text(text)
    done = plugins("replay", tmp_path / "case")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
