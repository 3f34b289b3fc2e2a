"""Settings: where they come from, which wins, and what is said of bad ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kastrun import problems, resources, settings
from kastrun.errors import ProfileError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, its folder made, no variables set."""
    for name in [each for each in os.environ if each.upper().startswith("KASTRUN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kastrun" / "config.toml"
    path.parent.mkdir()
    return path


def refused(config: Path) -> str:
    with pytest.raises(ProfileError) as caught:
        settings.load()
    return problems.render(caught.value.problems).replace(str(config), "config.toml")


def test_defaults(config: Path) -> None:
    found = settings.load()
    assert (found.plugin_dirs, found.runs_dir, found.max_workers, found.color) == ((), "runs", 5, "auto")
    assert found.max_workers == resources.schema("profile")["properties"]["max_workers"]["default"]
    assert {each.origin for each in settings.provenance(found)} == {"default"}


def test_the_defaults_of_both_readers_are_the_same(config: Path) -> None:
    plain = settings.load()
    config.write_text("")
    assert settings.load() == plain


def test_variables_win_over_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('max_workers = 3\ncolor = "never"\nruns_dir = "~/runs"\n')
    monkeypatch.setenv("KASTRUN_MAX_WORKERS", "8")
    monkeypatch.setenv("HOME", "/home/u")
    found = settings.load()
    assert (found.max_workers, found.color, found.runs_dir) == (8, "never", "/home/u/runs")
    assert [(each.name, each.value, each.origin) for each in settings.provenance(found)] == [
        ("plugin_dirs", [], "default"),
        ("runs_dir", "/home/u/runs", str(config)),
        ("max_workers", 8, "KASTRUN_MAX_WORKERS"),
        ("color", "never", str(config)),
    ]


def test_folders_of_the_file_are_seen_from_the_file(config: Path) -> None:
    (config.parent / "mine").mkdir()
    config.write_text('plugin_dirs = ["mine"]\n')
    assert settings.load().plugin_dirs == (str(config.parent / "mine"),)


def test_folders_of_a_variable_are_seen_from_here(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config.parents[1] / "a").mkdir()
    monkeypatch.setenv("KASTRUN_PLUGIN_DIRS", f"a:{config.parent}:")
    assert settings.load().plugin_dirs == (str(config.parents[1] / "a"), str(config.parent))


def test_every_problem_of_the_file_at_its_place(config: Path) -> None:
    config.write_text(
        'max_workers = 0\ncolour = "auto"\nplugin_dirs = [3, ""]\nruns_dir = ""\ncolor = "red"\n'
    )
    assert refused(config) == EVERY_PROBLEM


EVERY_PROBLEM = """\
error: config.toml:1:15
  |
1 | max_workers = 0
  |               ^ expected a number from 1 to 1024, found 0

error: config.toml:2:1
  |
2 | colour = "auto"
  | ^^^^^^ unknown key
  = hint: did you mean `color`?

error: config.toml:3:16
  |
3 | plugin_dirs = [3, ""]
  |                ^ expected text in quotes, found 3

error: config.toml:3:19
  |
3 | plugin_dirs = [3, ""]
  |                   ^^ expected a folder, found ""

error: config.toml:4:12
  |
4 | runs_dir = ""
  |            ^^ expected a folder, found ""

error: config.toml:5:9
  |
5 | color = "red"
  |         ^^^^^ expected auto, always or never, found "red"

6 errors; nothing was run
"""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KASTRUN_MAX_WORKERS", "many", 'KASTRUN_MAX_WORKERS: expected a whole number, found "many"'),
        (
            "KASTRUN_MAX_WORKERS",
            "2000",
            'KASTRUN_MAX_WORKERS: expected a number from 1 to 1024, found "2000"',
        ),
        ("KASTRUN_COLOR", "blue", 'KASTRUN_COLOR: expected auto, always or never, found "blue"'),
        ("kastrun_color", "blue", 'kastrun_color: expected auto, always or never, found "blue"'),
        ("KASTRUN_RUNS_DIR", "", 'KASTRUN_RUNS_DIR: expected a folder, found ""'),
        ("KASTRUN_PLUGIN_DIRS", "/no/where", "KASTRUN_PLUGIN_DIRS: /no/where: no such folder"),
    ],
)
def test_a_bad_variable_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert refused(config) == f"error: {said}\n\n1 error; nothing was run\n"


def test_a_missing_folder_of_the_file(config: Path) -> None:
    config.write_text('plugin_dirs = ["mine"]\n')
    assert f"^^^^^^ {config.parent}/mine: no such folder\n" in refused(config)


def test_bad_toml(config: Path) -> None:
    config.write_text("color = auto\n")
    assert "`auto` is not a value" in refused(config)


def test_a_config_that_is_a_folder(config: Path) -> None:
    config.mkdir()
    assert refused(config).startswith("error: config.toml: this is a folder\n")


def test_a_relative_xdg_folder_is_passed_over(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/u")
    assert settings.config_file() == Path("/home/u/.config/kastrun/config.toml")


def test_unknown_variables_are_warned_of(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KASTRUN_MAX_WORKER", "3")
    monkeypatch.setenv("KASTRUN_PROTOCOL", "1")
    (problem,) = settings.unknown_variables()
    assert problem.message == "KASTRUN_MAX_WORKER is set, but is no setting of kastrun"
    assert (problem.level, problem.hint) == ("warning", "did you mean `KASTRUN_MAX_WORKERS`?")
    assert settings.load() == settings.Settings()


def test_pydantic_is_left_alone_where_there_is_nothing_to_read(config: Path) -> None:
    code = "import sys, kastrun.settings as s; s.load(); print('pydantic' in sys.modules)"
    root = str(Path(settings.__file__).parents[2])
    clean = dict(os.environ) | {"PYTHONPATH": root}
    run = [sys.executable, "-c", code]
    assert subprocess.run(run, env=clean, capture_output=True, check=True).stdout == b"False\n"
    config.write_text("")
    assert subprocess.run(run, env=clean, capture_output=True, check=True).stdout == b"True\n"
