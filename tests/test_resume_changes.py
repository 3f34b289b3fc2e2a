"""Resumes of what has changed meanwhile, of a full disk, and two of them at once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import zoo_runs
from resume_runs import events, results_of, shown, told, write_plugin, write_plugins, write_profile


def test_a_changed_plugin_runs_again_and_only_its_new_findings_count(tmp_path: Path) -> None:
    write_plugins(tmp_path, ["finds", "hands"])
    profile = write_profile(tmp_path, ["finds", "hands"], hosts=2)
    assert zoo_runs.kastrun(tmp_path, profile, "-o", "out").returncode == 0
    body = """echo '{"type":"finding","rule":"new","title":"of the new version","severity":"high"}'"""
    write_plugin(tmp_path / "plugins", "finds", body)
    done = zoo_runs.kastrun(tmp_path, "resume", "out")
    assert done.returncode == 0, done.stderr
    assert "2 jobs are not planned any more" in done.stderr
    assert "4 of 4 jobs ok" in done.stdout
    assert zoo_runs.kastrun(tmp_path, profile, "-o", "anew").returncode == 0
    found = events(tmp_path / "out")
    assert [event["reason"] for event in found if event["type"] == "void"] == ["not_planned"] * 2
    assert len(results_of(found)) == 6
    assert told(found) == told(events(tmp_path / "anew"))
    assert shown(tmp_path, tmp_path / "out") == shown(tmp_path, tmp_path / "anew")


def test_what_was_taken_back_once_is_not_taken_back_again(tmp_path: Path) -> None:
    write_plugins(tmp_path, ["finds", "hands"])
    write_profile(tmp_path, ["finds", "hands"], hosts=2)
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "out").returncode == 0
    resolved = tmp_path / "out" / "profile.toml"
    both = resolved.read_text()
    resolved.write_text(both.replace("[plugins.hands]", "[plugins.hands]\nenabled = false").replace(
        "enabled = false\nenabled = true", "enabled = false"))  # fmt: skip
    for told_of in (True, False):
        done = zoo_runs.kastrun(tmp_path, "resume", "out")
        assert ("2 jobs are not planned any more" in done.stderr) is told_of
        assert "2 of 2 jobs ok" in done.stdout
    resolved.write_text(both)  # put back: what was taken back runs again
    assert "4 of 4 jobs ok" in zoo_runs.kastrun(tmp_path, "resume", "out").stdout
    found = events(tmp_path / "out")
    assert sorted(map(len, results_of(found).values())) == [1, 1, 2, 2]
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "anew").returncode == 0
    assert shown(tmp_path, tmp_path / "out") == shown(tmp_path, tmp_path / "anew")


def test_an_edited_profile_runs_only_what_has_changed(tmp_path: Path) -> None:
    write_plugins(tmp_path, ["finds", "hands"])
    write_profile(tmp_path, ["finds", "hands"], hosts=2)
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "out").returncode == 0
    resolved = tmp_path / "out" / "profile.toml"
    resolved.write_text(resolved.read_text().replace("127.0.0.2", "127.0.0.9"))
    done = zoo_runs.kastrun(tmp_path, "resume", "out")
    assert done.returncode == 0, done.stderr
    found = events(tmp_path / "out")
    again = [event["target"] for event in found if event["type"] == "result"][4:]
    assert again == ["127.0.0.9"] * 2
    assert {target for _, target, *_ in told(found).values()} == {"127.0.0.1", "127.0.0.9"}
    summary = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (summary["coverage"]["planned"], summary["coverage"]["ok"], len(summary["jobs"])) == (4, 4, 4)
    assert summary["findings"]["by_severity"] == {"low": 4}


def test_a_disk_that_was_full_and_has_room_again(tmp_path: Path) -> None:
    write_plugins(tmp_path)
    write_profile(tmp_path)
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "unbroken").returncode == 3
    size = (tmp_path / "unbroken" / "journal.jsonl").stat().st_size
    out = tmp_path / "out"
    arguments: tuple[str | Path, ...] = ("scan.toml", "-o", out)
    for blocks in (size // 3 >> 9, 2 * size // 3 >> 9):
        limited = f'ulimit -f {blocks}; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", limited, "sh", *zoo_runs.command(*arguments)], cwd=tmp_path,
            env=zoo_runs.environment(tmp_path), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 5, done.stderr
        assert "kastrun resume" in done.stdout
        arguments = ("resume", out)
    assert zoo_runs.kastrun(tmp_path, *arguments).returncode == 3
    found = events(out)
    assert all(len(statuses) == 1 for statuses in results_of(found).values())
    assert told(found) == told(events(tmp_path / "unbroken"))
    assert shown(tmp_path, out) == shown(tmp_path, tmp_path / "unbroken")


def test_the_second_resume_at_once_is_told_who_holds_it_and_changes_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    write_plugin(tmp_path / "plugins", "waits", f"while [ ! -e {gate} ]; do sleep 0.02; done")
    write_profile(tmp_path, ["waits"], hosts=2, workers=1)
    first = zoo_runs.Going(tmp_path, "scan.toml")
    first.wait_for("start")
    for verb in (("resume", "out"), ("scan.toml", "-o", "out")):
        work = sorted((tmp_path / "out" / "work").iterdir())
        assert work
        second = zoo_runs.kastrun(tmp_path, *verb)
        assert second.returncode == 2
        if verb[0] == "resume":
            assert f"is being written by process {first.process.pid}" in second.stderr
        else:
            assert "exists and is not empty" in second.stderr
        assert sorted((tmp_path / "out" / "work").iterdir()) == work
    gate.touch()
    assert first.finish(complete=True).code == 0


def test_one_that_was_killed_before_it_began_is_begun(tmp_path: Path) -> None:
    write_plugins(tmp_path, ["finds"])
    write_profile(tmp_path, ["finds"], hosts=2)
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "out").returncode == 0
    out = tmp_path / "out"
    (out / "journal.jsonl").write_bytes(b'{"seq":1,"ty')
    (out / "run.json").rename(out / ".run.json.4711")  # as a kill leaves one that was being written
    (out / "work" / "j1.1").mkdir(parents=True)
    for verb in ("show", "runs"):
        refused = zoo_runs.kastrun(tmp_path, verb, *([out] if verb == "show" else []))
        assert refused.returncode == (5 if verb == "show" else 0)
    assert f"`kastrun resume {out}` begins it" in zoo_runs.kastrun(tmp_path, "show", out).stderr
    done = zoo_runs.kastrun(tmp_path, "resume", "out")
    assert done.returncode == 0, done.stderr
    assert len(results_of(events(out))) == 2
    assert sorted(path.name for path in out.iterdir()) == ["journal.jsonl", "profile.toml", "run.json"]


def test_runs_names_one_that_is_starting(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "zoo-tool"
    tool.parent.mkdir()
    tool.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/probed\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.02; done\necho 1.0\n"
    )
    tool.chmod(0o755)
    profile = zoo_runs.write_profile(tmp_path, ["slow-probe"])
    environment = zoo_runs.environment(tmp_path, PATH=f"{tool.parent}:{os.environ['PATH']}")
    going = subprocess.Popen(
        zoo_runs.command(profile), cwd=tmp_path, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    zoo_runs.until((tmp_path / "probed").exists)
    listed = zoo_runs.kastrun(tmp_path, "runs")
    rows = json.loads(zoo_runs.kastrun(tmp_path, "runs", "--json").stdout)
    (tmp_path / "go").touch()
    going.wait(60)
    assert listed.stdout.rstrip().endswith("starting")
    assert [row["status"] for row in rows] == ["starting"]
