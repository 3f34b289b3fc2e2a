"""`--since`: results of an earlier run, used again where the work is the same and they are young enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zoo_runs
from resume_runs import artifacts, events, shown, told, write_plugin, write_plugins, write_profile

NAMES = ["finds", "hands", "fails", "skips"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where `first` is a run of four plugins and two hosts, of which one fails and one skips."""
    write_plugins(tmp_path)
    write_profile(tmp_path, NAMES, hosts=2)
    assert zoo_runs.kastrun(tmp_path, "scan.toml", "-o", "first").returncode == 3
    return tmp_path


def started(folder: Path) -> list[str]:
    return sorted(e["plugin"] for e in events(folder) if e["type"] == "start" and e["reused"] is None)


def test_what_ended_well_is_taken_over_and_nothing_else(home: Path) -> None:
    ran = zoo_runs.run(home, home / "scan.toml", "--since", "first")
    assert ran.code == 3, ran.stderr
    assert started(ran.folder) == ["fails", "fails"]
    assert "6 jobs of first reused: same work, at most 24 h 0 min old" in ran.stderr
    assert "4 of 8 jobs ok, 2 failed, 2 skipped, 6 reused" in " ".join(ran.stdout.split())
    assert told(ran.events) == told(events(home / "first"))
    assert artifacts(ran.folder) == artifacts(home / "first")
    summary = ran.summary
    assert summary is not None
    assert summary["coverage"]["reused"] == 6
    assert {job["plugin"]: job["reused"] for job in summary["jobs"]} == {
        "finds": "first", "hands": "first", "skips": "first", "fails": None,
    }  # fmt: skip
    again = shown(home, ran.folder)
    again["coverage"].pop("reused")
    before = shown(home, home / "first")
    before["coverage"].pop("reused")
    assert again == before


def test_of_a_run_that_reused_itself_the_first_is_named_and_ages_are_the_true_ones(home: Path) -> None:
    for name, since in (("second", "first"), ("third", "second")):
        assert zoo_runs.kastrun(home, "scan.toml", "-o", name, "--since", since).returncode == 3
    results = [event for event in events(home / "third") if event["type"] == "result" and event["reused"]]
    assert {event["reused"] for event in results} == {"first"}
    ends = {e["job"]: e["timings"]["ended_at"] for e in events(home / "first") if e["type"] == "result"}
    assert all(event["timings"]["ended_at"] == ends[event["job"]] for event in results)


def test_what_is_too_old_or_has_changed_runs_again(home: Path) -> None:
    journal = home / "first" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    old = [place for place, line in enumerate(lines) if '"result"' in line and '"finds"' in line]
    lines[old[0]] = lines[old[0]].replace('"ended_at":"20', '"ended_at":"19')
    journal.write_text("".join(lines))
    write_plugin(home / "plugins", "hands", "echo changed >&2")
    ran = zoo_runs.run(home, home / "scan.toml", "--since", "first", "--max-age", "12h")
    assert started(ran.folder) == ["fails", "fails", "finds", "hands", "hands"]


def test_files_that_are_gone_or_changed_are_made_again(home: Path) -> None:
    one, two = sorted((home / "first" / "artifacts").rglob("target.txt"))
    one.unlink()
    two.write_text("somebody else's\n")
    ran = zoo_runs.run(home, home / "scan.toml", "--since", "first")
    assert started(ran.folder) == ["fails", "fails", "hands", "hands"]
    assert "2 jobs of it run again: files that they handed over are missing or changed" in ran.stderr
    assert sorted(artifacts(ran.folder).values()) == [b"127.0.0.1\n", b"127.0.0.2\n"]


def test_assets_of_a_reused_job_reach_those_that_consume_them(home: Path) -> None:
    write_profile(home, ["finds", "reads"], hosts=2)
    ran = zoo_runs.run(home, home / "scan.toml", "--since", "first")
    assert ran.code == 0, ran.stderr
    assert started(ran.folder) == ["reads", "reads"]
    assert [each["title"] for each in ran.of("finding", "reads")] == ["handed on"] * 4


def test_a_run_with_reused_results_can_be_resumed(home: Path) -> None:
    ran = zoo_runs.run(home, home / "scan.toml", "--since", "first")
    data = (ran.folder / "journal.jsonl").read_bytes()
    whole = shown(home, ran.folder)
    for part in (3, 2):
        (ran.folder / "journal.jsonl").write_bytes(data[: len(data) // part])
        assert zoo_runs.kastrun(home, "resume", "out").returncode == 3
        again = shown(home, ran.folder)
        assert again["coverage"].pop("reused") < 6
        assert again == {**whole, "coverage": {k: v for k, v in whole["coverage"].items() if k != "reused"}}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--since", "nowhere"], "nowhere is no run"),
        (["--max-age", "1h"], "--max-age goes with --since"),
        (["--since", "first", "--max-age", "soon"], "--max-age soon: expected a duration"),
        (["--since", "first", "--dry-run"], "--since goes with a run, not with a plan"),
        (["--since", "first", "--set", "http.user_agent=other"], "the [http] table of"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(home: Path, flags: list[str], said: str) -> None:
    done = zoo_runs.kastrun(home, "scan.toml", "-o", "out", *flags)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (home / "out").exists()
    assert json.loads(zoo_runs.kastrun(home, "runs", "--json").stdout) == []
