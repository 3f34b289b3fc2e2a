"""Every recorded example of every shipped plugin, replayed: what it said then, it says now."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import plugin_replay as replay
import pytest
from jsonschema import Draft202012Validator

from kastrun import resources
from kastrun.kit.site import site

CASES = sorted(replay.PLUGINS.glob("*/examples/*.job.json"))
FOLDERS = sorted(path.parent for path in replay.PLUGINS.glob("*/plugin.toml"))


def _beside(case: Path, ending: str) -> Path:
    return case.with_name(case.name.removesuffix(".job.json") + ending)


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.parts[-3]}-{case.name.removesuffix('.job.json')}"
)
def test_replay(case: Path, tmp_path: Path) -> None:
    folder, out_file = case.parents[1], _beside(case, ".out.jsonl")
    stand_ins = here if (here := _beside(case, ".bin")).is_dir() else None
    if missing := replay.missing_programs(folder, stand_ins):
        pytest.skip(f"not installed: {', '.join(missing)}")
    described = _beside(case, ".site.json")
    description = json.loads(described.read_text(encoding="utf-8")) if described.exists() else {"servers": {}}
    inputs_file = _beside(case, ".inputs.jsonl")
    inputs = inputs_file.read_text(encoding="utf-8") if inputs_file.exists() else ""
    home = tmp_path / "job"
    home.mkdir()

    with site(description, tmp_path / "tls") as running:
        places = {name: str(port) for name, port in running.ports.items()}
        places |= {"examples": str(case.parent), "home": str(home)}
        if running.ca_file is not None:
            places["ca_file"] = str(running.ca_file)
        job = replay.fill(json.loads(case.read_text(encoding="utf-8")), places)
        told = replay.run_plugin(folder, job, home, inputs=replay.fill(inputs, places), stand_ins=stand_ins)

    assert told.returncode == 0, told.stderr
    assert told.done["status"] in {"ok", "partial", "skipped", "error"}
    if "KASTRUN_RECORD" in os.environ:
        out_file.write_text(replay.recorded(told.messages, places), encoding="utf-8")
        return
    expected = replay.fill(replay.parse(out_file.read_text(encoding="utf-8")), places)
    seen = replay.comparable(told.messages)
    wanted = replay.comparable(expected)
    for index, message in enumerate(wanted):
        assert index < len(seen), f"message {index + 1} was not printed: {message}"
        assert replay.matches(message, seen[index]), (
            f"message {index + 1}\nwanted {message}\n   got {seen[index]}"
        )
    assert seen[len(wanted) :] == []
    for log in (message for message in expected if message["type"] == "log"):
        assert any(replay.matches(log, other) for other in told.of("log")), f"was not logged: {log}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_shipped_plugin_is_complete(folder: Path) -> None:
    assert replay.manifest(folder)["plugin"]["name"] == folder.name
    assert (folder / "README.md").is_file()
    assert list(folder.glob("examples/*.job.json")), f"{folder.name} has no recorded example"
    program = Path(replay.argv(folder)[0])
    if program.is_absolute():
        assert program.stat().st_mode & stat.S_IXUSR, f"{program} is not executable"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_manifest_keeps_to_the_schema(folder: Path) -> None:
    validator = Draft202012Validator(resources.schema("plugin"))
    assert [error.message for error in validator.iter_errors(replay.manifest(folder))] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recordings_have_both_halves(folder: Path) -> None:
    jobs = {path.name.removesuffix(".job.json") for path in folder.glob("examples/*.job.json")}
    outs = {path.name.removesuffix(".out.jsonl") for path in folder.glob("examples/*.out.jsonl")}
    assert jobs == outs
