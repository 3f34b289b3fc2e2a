"""`make tools`: it knows every program that a test or a plugin needs, and says what it would install."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import plugin_replay as replay
import pytest

ROOT = Path(__file__).parent.parent
OF_DEBIAN = {"bash", "python3", "sh"}
OF_PIP = {"sslyze", "wafw00f"}  # `make test` installs these into .venv


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH of its own, with the little that the target itself needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("id", "ls", "env"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


def make_tools(path: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-s", "tools", f"TOOLS={' '.join(tools)}"],
        cwd=ROOT,
        env={"PATH": str(path), "MAKEFLAGS": ""},
        executable="/usr/bin/make",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def listed() -> set[str]:
    """The programs and files before the colons of TOOLS, as make itself reads it."""
    printed = subprocess.run(
        ["make", "-f", "-", "-f", "Makefile", "_print"],
        input="_print:\n\t@echo '$(TOOLS)'\n",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return {tool.split(":")[0] for tool in printed.stdout.split()}


def needed(items: list[pytest.Item]) -> Iterator[str]:
    for item in items:
        for marker in item.iter_markers("needs"):
            yield from marker.args
    for manifest in replay.PLUGINS.glob("*/plugin.toml"):
        yield from (
            need["probe"][0] for need in replay.manifest(manifest.parent).get("requires", {}).values()
        )


@pytest.mark.needs("make")
def test_it_knows_every_program_that_a_test_or_a_plugin_needs(request: pytest.FixtureRequest) -> None:
    """Of the tests that were collected: all of them, where the whole suite runs."""
    wanted = set(needed(request.session.items))
    assert "nmap" in wanted
    assert wanted - listed() - OF_DEBIAN - OF_PIP == set()


@pytest.mark.needs("make")
def test_what_is_there_is_found_in_any_folder_and_by_any_name(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "part-1.2").touch()
    done = make_tools(bare, "id:coreutils", "ldconfig:libc-bin", f"{tmp_path}/part-*:some-library")
    assert (done.returncode, done.stdout, done.stderr) == (0, "every program is installed\n", "")


@pytest.mark.needs("make")
def test_what_is_not_there_is_named_by_its_package(bare: Path) -> None:
    (bare / "zoo").mkdir()  # no program
    done = make_tools(bare, "id:coreutils", "zoo-tool:zoo-package", "/no/such-*:other-package", "zoo:zoo")
    assert (done.returncode != 0, done.stdout) == (True, "not installed yet: zoo-package other-package zoo\n")
    assert done.stderr.startswith("hint: this target knows only Debian and its like")


@pytest.mark.needs("make")
def test_packages_are_installed_without_questions_and_nothing_else_is(bare: Path, tmp_path: Path) -> None:
    for name in ("apt-get", "sudo"):
        (bare / name).write_text(f'#!/bin/sh\necho "{name} $@" >>{tmp_path}/asked\n')
        (bare / name).chmod(0o755)
    done = make_tools(bare, "zoo-tool:zoo-package", "id:coreutils")
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text()
    assert "apt-get -qq update\n" in asked
    assert "install --yes --no-install-recommends zoo-package\n" in asked
    assert "coreutils" not in asked
