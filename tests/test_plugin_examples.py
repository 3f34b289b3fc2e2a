"""Every recorded example of every shipped plugin, replayed: what it said then, it says now."""

from __future__ import annotations

import stat
from pathlib import Path

import plugin_replay as replay
import programs
import pytest

from kastrun import files
from kastrun.kit import examples
from kastrun.requires import probe
from kastrun.trial import workshop

CASES = [case for folder in sorted(replay.PLUGINS.glob("*/")) for case in examples.cases(folder)]
FOLDERS = sorted(path.parent for path in replay.PLUGINS.glob("*/plugin.toml"))


def stand_ins(case: examples.Case) -> Path | None:
    folder = case.beside(".bin")
    return folder if folder.is_dir() else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.job.parts[-3]}-{case.name}")
async def test_replay(case: examples.Case) -> None:
    folder = case.job.parents[1]
    if missing := replay.missing_programs(folder, stand_ins(case)):
        pytest.skip(programs.absent(missing[0]))
    plugin, problems = files.read_manifest(folder)
    assert plugin is not None, problems
    with workshop() as shop:
        ready = (await probe([plugin], shop.family))[plugin.name]
        replayed = await examples.replay(case, plugin, shop, ready.folders)
    assert examples.difference(case, replayed) is None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_shipped_plugin_is_complete(folder: Path) -> None:
    assert replay.manifest(folder)["plugin"]["name"] == folder.name
    assert (folder / "README.md").is_file()
    assert list(folder.glob("examples/*.job.json")), f"{folder.name} has no recorded example"
    program = Path(replay.argv(folder)[0])
    if program.is_absolute():
        assert program.stat().st_mode & stat.S_IXUSR, f"{program} is not executable"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recordings_have_both_halves(folder: Path) -> None:
    jobs = {path.name.removesuffix(".job.json") for path in folder.glob("examples/*.job.json")}
    outs = {path.name.removesuffix(".out.jsonl") for path in folder.glob("examples/*.out.jsonl")}
    assert jobs == outs
