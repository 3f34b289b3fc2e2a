"""What must be readable for a program to run, and nothing else of the home folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kastrun.sandbox.installed import needs


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".local" / "share" / "keyrings").mkdir(parents=True)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def program(path: Path, text: str = "\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_program_of_the_system_needs_nothing(home: Path) -> None:
    assert needs(["sh"], "/usr/bin:/bin", home=str(home)).paths == ()


@pytest.mark.parametrize("name", ["/bin/sh", "/usr/bin/env", "/sbin/ldconfig"])
def test_the_root_of_the_machine_is_no_environment(home: Path, name: str) -> None:
    """Though it has a `bin`, and a `lib` with much in it."""
    assert "/" not in needs([name], "/usr/bin:/bin", home=str(home)).paths


def test_a_lone_binary_is_given_alone(home: Path) -> None:
    nuclei = program(home / "go" / "bin" / "nuclei")
    program(home / "go" / "bin" / "other")
    assert needs(["nuclei"], f"{nuclei.parent}:/bin", home=str(home)).paths == (str(nuclei),)


def test_pipx_is_its_environment_and_the_python_that_made_it(home: Path) -> None:
    base = home / ".pyenv" / "versions" / "3.12.1"
    program(base / "bin" / "python3.12")
    (base / "lib" / "python3.12").mkdir(parents=True)
    (base / "lib" / "python3.12" / "os.py").touch()
    venv = home / ".local" / "share" / "pipx" / "venvs" / "wafw00f"
    python = venv / "bin" / "python"
    script = program(venv / "bin" / "wafw00f", f"#!{python}\nimport wafw00f\n")
    python.symlink_to(base / "bin" / "python3.12")
    (venv / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\n")
    link = home / ".local" / "bin" / "wafw00f"
    link.parent.mkdir()
    link.symlink_to(script)
    found = needs(["wafw00f"], f"{link.parent}:/bin", home=str(home))
    assert set(found.paths) == {str(venv), str(base)}
    assert found.links == ((str(link), str(script)),)


def test_a_version_manager_of_node_gives_that_version(home: Path) -> None:
    version = home / ".nvm" / "versions" / "node" / "v20"
    node = program(version / "bin" / "node")
    (version / "lib" / "node_modules").mkdir(parents=True)
    (home / ".nvm" / "versions" / "node" / "v18").mkdir()
    script = program(home / "plugins" / "x" / "run.mjs", "#!/usr/bin/env -S node --no-warnings\n")
    found = needs([str(script)], f"/usr/bin:/bin:{node.parent}", home=str(home), also=[str(script.parent)])
    taken = {str(script.parent), str(version)}
    assert set(found.paths) <= taken and str(script.parent) in found.paths


def test_a_shim_gives_its_manager(home: Path) -> None:
    program(home / ".pyenv" / "libexec" / "pyenv", "#!/usr/bin/env bash\n")
    shim = program(home / ".pyenv" / "shims" / "python3.12", "#!/usr/bin/env bash\nexec pyenv\n")
    found = needs(["python3.12"], f"{shim.parent}:/usr/bin:/bin", home=str(home))
    assert found.paths == (str(home / ".pyenv"),)


@pytest.mark.parametrize("prefix", [".", ".local"])
def test_an_environment_that_is_the_home_itself_gives_only_what_programs_load(
    home: Path, prefix: str
) -> None:
    tool = program(home / prefix / "bin" / "tool")
    (home / prefix / "lib" / "node_modules").mkdir(parents=True)
    found = needs(["tool"], f"{os.path.normpath(tool.parent)}:/bin", home=str(home))
    top = os.path.normpath(home / prefix)
    assert set(found.paths) == {f"{top}/bin", f"{top}/lib"}


def test_a_link_in_a_circle_ends(home: Path) -> None:
    (home / "a").symlink_to(home / "b")
    (home / "b").symlink_to(home / "a")
    assert needs([str(home / "a")], "/bin", home=str(home)).paths == ()


def test_a_program_that_is_not_there_needs_nothing(home: Path) -> None:
    assert needs(["no-such-program"], "/bin", home=str(home)) == ((), ())


def test_a_folder_reached_by_a_link_is_given_with_the_link(home: Path) -> None:
    lists = home / "data" / "lists"
    lists.mkdir(parents=True)
    (home / "short").symlink_to("data")
    found = needs([], "/bin", home=str(home), also=[str(home / "short" / "lists")])
    assert found == ((str(lists),), ((str(home / "short"), "data"),))
