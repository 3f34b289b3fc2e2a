"""Runs one after the other and at once: each whole, each the same, none in another's way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import depth
import zoo_runs
from resume_runs import artifacts, events, told, write_plugins, write_profile

ROW = depth.times(20, 4)


def whole(folder: Path) -> tuple[Any, ...]:
    """What a run told, once every file of it was found valid and complete."""
    found = events(folder)
    zoo_runs.check_journal(found)
    assert sorted(path.name for path in folder.iterdir()) == [
        "artifacts", "journal.jsonl", "profile.toml", "run.json",
    ]  # fmt: skip
    summary = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert summary["coverage"]["planned"] == len(summary["jobs"]) == found[0]["planned"]
    assert summary["status"] == "complete"
    handed = artifacts(folder)
    assert {f"artifacts/{e['job']}/{e['path']}" for e in found if e["type"] == "artifact"} == handed.keys()
    return told(found), handed, summary["coverage"], summary["findings"], summary["exit"]


def runs(home: Path) -> list[Path]:
    return [path for path in (home / "runs" / "scan").iterdir() if path.is_dir() and not path.is_symlink()]


def test_many_in_a_row(tmp_path: Path) -> None:
    write_plugins(tmp_path)
    profile = write_profile(tmp_path, hosts=1)
    first: tuple[Any, ...] | None = None
    for _ in range(ROW):
        assert zoo_runs.kastrun(tmp_path, profile, "-q").returncode == 3  # one plugin of them fails
        latest = tmp_path / "runs" / "scan" / "latest"
        first = first or whole(latest.resolve())
        assert whole(latest.resolve()) == first
    assert len(runs(tmp_path)) == ROW


def test_five_at_once(tmp_path: Path) -> None:
    write_plugins(tmp_path)
    profile = write_profile(tmp_path, hosts=3)
    with ThreadPoolExecutor(5) as at_once:
        codes = list(at_once.map(lambda _: zoo_runs.kastrun(tmp_path, profile, "-q").returncode, range(5)))
    assert codes == [3] * 5
    folders = runs(tmp_path)
    assert len(folders) == 5
    first = whole(folders[0])
    assert all(whole(folder) == first for folder in folders)


def test_five_at_once_into_one_folder_of_which_one_is_taken(tmp_path: Path) -> None:
    write_plugins(tmp_path)
    profile = write_profile(tmp_path, hosts=2)
    with ThreadPoolExecutor(5) as at_once:
        done = list(at_once.map(lambda _: zoo_runs.kastrun(tmp_path, profile, "-o", "out"), range(5)))
    assert sorted(each.returncode for each in done) == [2, 2, 2, 2, 3]
    assert all("error: " in each.stderr for each in done if each.returncode == 2)
    whole(tmp_path / "out")
