"""Programs that plugins need: found, asked for their version, in bounded time, and nothing left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import offspring
import pytest
import trio
import trio.testing

from kastrun import requires
from kastrun.launch import SYSTEM_PATH
from kastrun.model import Limits, Plugin, Requirement, SandboxAsk
from kastrun.requires import probe_once

pytestmark = pytest.mark.usefixtures("nothing_left")
Program = Callable[..., Path]
VERSION = r"tool (\d[\d.]*)"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Makes a program that is found in PATH, of a shell's text."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(text: str, name: str = "zoo-tool", first: str = "#!/bin/sh") -> Path:
        path = folder / name
        path.write_text(f"{first}\n{text}\n")
        path.chmod(0o755)
        return path

    return make


def plugin(
    *needs: Requirement, exec_: tuple[str, ...] = ("sh",), name: str = "animal", folder: str = "/"
) -> Plugin:
    return Plugin(
        name=name,
        version="1",
        summary="x",
        homepage=None,
        folder=folder,
        exec=exec_,
        mode="passive",
        targets=("host",),
        depends_on=(),
        consumes=(),
        produces=(),
        priority=50,
        options_schema={},
        secret_options=frozenset(),
        requires=needs,
        limits=Limits(total_s=1, idle_s=0, grace_s=1, memory_mb=64, output_mb=1),
        sandbox=SandboxAsk(),
        digest="",
        origin="profile",
    )


def need(match: str | None = VERSION, minimum: str | None = None, **install: str) -> Requirement:
    return Requirement(
        name="zoo-tool", probe=("zoo-tool", "--version"), match=match, min=minimum, install=install
    )


async def missing(need: Requirement) -> str | None:
    return (await probe_once([plugin(need)]))["animal"].missing


async def test_a_program_is_found_and_its_version_read(program: Program) -> None:
    path = program('echo "tool 2.7.1 ($1)"')
    ready = (await probe_once([plugin(need())]))["animal"]
    assert (ready.missing, ready.versions) == (None, {"zoo-tool": "2.7.1"})
    assert ready.folders == (str(path.parent),)


async def test_a_version_on_stderr_counts_and_so_does_a_failing_exit_code(program: Program) -> None:
    program("echo 'tool 3.1' >&2; exit 7")
    assert await missing(need()) is None


@pytest.mark.parametrize(
    ("has", "minimum", "enough"),
    [
        ("2.0", "2.0", True),
        ("2", "2.0", True),
        ("2.0.0", "2", True),
        ("2.10", "2.9", True),
        ("10.0", "9.9.9", True),
        ("1.99", "2.0", False),
        ("2.0", "2.0.1", False),
        ("0", "0.0.1", False),
    ],
)
async def test_versions_are_compared_as_numbers(
    program: Program, has: str, minimum: str, enough: bool
) -> None:
    program(f"echo tool {has}")
    told = await missing(need(minimum=minimum))
    assert told == (None if enough else f"zoo-tool {has} is too old, at least {minimum} is needed")


async def test_one_that_is_nowhere_says_how_to_get_it() -> None:
    told = await missing(need(debian="zoo", brew="zoo-brew", pip="zoo-pip", npm="zoo-npm", other="x"))
    assert told == (
        "the program zoo-tool is not installed"
        " (apt-get install zoo or brew install zoo-brew or pipx install zoo-pip or npm install -g zoo-npm)"
    )


async def test_an_answer_that_does_not_fit_is_quoted(program: Program) -> None:
    program("echo; echo 'usage: something else'; echo more")
    assert await missing(need()) == (
        "zoo-tool --version did not answer as expected (it said: 'usage: something else')"
    )


async def test_no_answer_is_said(program: Program) -> None:
    program("exit 0")
    assert await missing(need(debian="zoo")) == "zoo-tool --version said nothing (apt-get install zoo)"


async def test_a_group_that_takes_no_part_gives_the_whole_match(program: Program) -> None:
    program("echo tool")
    ready = (await probe_once([plugin(need(match="tool( [0-9]+)?"))]))["animal"]
    assert ready.versions == {"zoo-tool": "tool"}


async def test_one_that_cannot_be_started_says_so(program: Program) -> None:
    path = program("print()", first="#!/nowhere/python9")
    assert await missing(need()) == f"{path} is there, but cannot be started: No such file or directory"


async def test_without_match_and_min_nothing_is_run(program: Program, tmp_path: Path) -> None:
    program(f"touch {tmp_path}/ran")
    ready = (await probe_once([plugin(need(match=None))]))["animal"]
    assert (ready.missing, ready.versions) == (None, {"zoo-tool": "found"})
    assert not (tmp_path / "ran").exists()


async def test_equal_needs_are_probed_once(program: Program, tmp_path: Path) -> None:
    program(f"echo x >> {tmp_path}/ran; echo tool 1")
    plugins = [plugin(need(), name=f"animal-{number}") for number in range(5)]
    ready = await probe_once(plugins)
    assert all(each.missing is None for each in ready.values())
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_probe_that_hangs_is_ended_with_all_that_it_started(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requires, "LIMIT_S", 0.3)
    program("trap '' TERM; setsid sleep 300 & sleep 300")
    assert await missing(need()) == "zoo-tool --version gave no answer within 0.3 s"
    assert offspring.living() == {}


async def test_a_daemon_that_holds_the_pipe_does_not_hold_up_the_answer(program: Program) -> None:
    program("setsid sleep 300 & echo tool 4")
    with trio.fail_after(10):
        assert await missing(need()) is None


async def test_a_flood_is_read_and_cut(program: Program) -> None:
    program("echo tool 5; head -c 3000000 /dev/zero")
    assert await missing(need()) is None


async def test_a_probe_is_given_a_folder_of_its_own_and_a_bare_environment(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    program(f"env | cut -d= -f1 | sort > {tmp_path}/env; ls -a | wc -l >> {tmp_path}/env; echo tool 1")
    assert await missing(need()) is None
    names = (tmp_path / "env").read_text().split()
    given = {"HOME", "LC_ALL", "NO_COLOR", "PATH", "TERM", "TMPDIR"}
    assert set(names) - {"PWD", "OLDPWD", "SHLVL", "_"} == given | {"2"}


async def test_a_cancelled_probe_leaves_nothing(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    program(f"echo > {tmp_path}/alive; sleep 300")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(missing, need())
        async with await trio.open_file(tmp_path / "alive") as alive:
            await alive.read()
        nursery.cancel_scope.cancel()
    assert offspring.living() == {}


# the interpreter


@pytest.mark.parametrize("exec_", [("zoo-python", "x.py"), ("./run.py",)])
async def test_an_interpreter_outside_the_system_is_in_the_path(
    program: Program, tmp_path: Path, exec_: tuple[str, ...]
) -> None:
    path = program("", name="zoo-python")
    (tmp_path / "run.py").write_text("#!/usr/bin/env zoo-python\n")
    ready = (await probe_once([plugin(exec_=exec_, folder=str(tmp_path))]))["animal"]
    assert ready.folders == (str(path.parent),)


@pytest.mark.parametrize(
    "first", ["#!/bin/sh", "#!/usr/bin/env sh", "\x7fELF\0\0", "", "#!/usr/bin/env -S sh -e"]
)
async def test_any_other_program_needs_no_folder(tmp_path: Path, first: str) -> None:
    (tmp_path / "run").write_text(first)
    ready = (await probe_once([plugin(exec_=("./run",), folder=str(tmp_path))]))["animal"]
    assert ready.folders == ()


def test_programs_are_looked_for_beside_this_python_too() -> None:
    places = requires.search_path().split(os.pathsep)
    assert str(Path(sys.executable).parent) in places
    assert set(SYSTEM_PATH) <= set(places)
