"""Are the programs there that plugins need? Probed once a run, all at once, each in bounded time.

Floor 4: it runs programs. Looks in the user's PATH, beside this Python (where
`pip install sslyze` puts them) and in the system's folders; says where each was found.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from kastrun.launch import SYSTEM_PATH
from kastrun.model import Plugin, Requirement
from kastrun.process import Child, Family, GuardLost, NotStarted, Stream

LIMIT_S = 15.0
_OUTPUT = 1 << 16
_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A program that is there: its folder, and its version where the manifest says how to read it."""

    folder: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """A plugin's needs on this machine: folders for its PATH, versions by program, what is missing."""

    folders: tuple[str, ...]
    versions: Mapping[str, str]
    missing: str | None


def search_path() -> str:
    """Where programs are looked for, as a PATH."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join([*os.environ.get("PATH", "").split(os.pathsep), own, *SYSTEM_PATH])


async def probe_once(plugins: Iterable[Plugin]) -> dict[str, Readiness]:
    """As `probe`, where nothing else is run."""
    with Family() as family:
        return await probe(plugins, family)


async def probe(plugins: Iterable[Plugin], family: Family) -> dict[str, Readiness]:
    """Each plugin's readiness, by name. Equal requirements of several plugins are probed once."""
    plugins = list(plugins)
    wanted = {_key(need): need for plugin in plugins for need in plugin.requires}
    answers: dict[tuple[object, ...], Found | str] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def answer(key: tuple[object, ...], need: Requirement) -> None:
        async with limiter:
            answers[key] = await _probe(need, family)

    async with trio.open_nursery() as nursery:
        for key, need in wanted.items():
            nursery.start_soon(answer, key, need)
    return {plugin.name: _readiness(plugin, answers) for plugin in plugins}


def _key(need: Requirement) -> tuple[object, ...]:
    return (need.name, need.probe, need.match, need.min)


def _readiness(plugin: Plugin, answers: Mapping[tuple[object, ...], Found | str]) -> Readiness:
    folders: dict[str, None] = {}
    versions: dict[str, str] = {}
    missing: list[str] = []
    for need in plugin.requires:
        answer = answers[_key(need)]
        if isinstance(answer, str):
            missing.append(answer)
        else:
            folders[answer.folder] = None
            versions[need.name] = answer.version or "found"
    if (interpreter := _interpreter_folder(plugin)) is not None:
        folders[interpreter] = None
    return Readiness(
        folders=tuple(folders), versions=versions, missing="; ".join(missing) if missing else None
    )


def _interpreter_folder(plugin: Plugin) -> str | None:
    """The folder of the program that `exec` or its first line names, where the system's folders lack it."""
    program = plugin.exec[0]
    if program.startswith("./"):
        program = _env_program(Path(plugin.folder, program)) or ""
    if not program or "/" in program or shutil.which(program, path=os.pathsep.join(SYSTEM_PATH)):
        return None
    found = shutil.which(program, path=search_path())
    return str(Path(found).parent) if found else None


def _env_program(script: Path) -> str | None:
    """``python3`` for ``#!/usr/bin/env python3``; None for anything else."""
    with script.open("rb") as file:
        words = file.readline(256).decode(errors="replace").removeprefix("#!").split()
    return words[1] if len(words) == 2 and words[0].endswith("/env") else None


async def missing_along(path: str, need: Requirement, family: Family) -> str | None:
    """What is missing, in words, where PATH is `path` and nothing else; None where nothing is."""
    answer = await _probe(need, family, path)
    return answer if isinstance(answer, str) else None


async def _probe(need: Requirement, family: Family, path: str | None = None) -> Found | str:
    """What was found, or a sentence that says what is missing and how to get it."""
    program = shutil.which(need.probe[0], path=path or search_path())
    if program is None:
        return f"the program {need.probe[0]} is not installed{_advice(need)}"
    folder = str(Path(program).parent)
    if need.match is None and need.min is None:
        return Found(folder=folder, version=None)
    try:
        behind = path or os.pathsep.join(dict.fromkeys((folder, *SYSTEM_PATH)))
        output = await _output((program, *need.probe[1:]), behind, family)
    except OSError as error:
        return f"{program} is there, but cannot be started: {error.strerror or error}"
    except GuardLost as error:
        return f"{program} is there, but could not be asked for its version: {error}"
    if output is None:
        return f"{' '.join(need.probe)} gave no answer within {LIMIT_S:g} s"
    return _judge(need, folder, output)


def _judge(need: Requirement, folder: str, output: str) -> Found | str:
    match = re.search(need.match or r"(\d+(?:\.\d+)+)", output)
    if match is None:
        said = output.strip().splitlines()
        return (
            f"{' '.join(need.probe)} did not answer as expected (it said: {said[0][:80]!r}){_advice(need)}"
            if said
            else f"{' '.join(need.probe)} said nothing{_advice(need)}"
        )
    version = (match[1] if match.groups() else None) or match[0]
    if need.min is not None and _numbers(version) < _numbers(need.min):
        return f"{need.name} {version} is too old, at least {need.min} is needed{_advice(need)}"
    return Found(folder=folder, version=version)


def _numbers(version: str) -> list[int]:
    """``2.0`` is the same as ``2``: zeros at the end say nothing."""
    numbers = [int(part) for part in re.findall(r"\d{1,18}", version)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _advice(need: Requirement) -> str:
    ways = {
        "debian": "apt-get install {}",
        "brew": "brew install {}",
        "pip": "pipx install {}",
        "npm": "npm install -g {}",
    }
    known = [way.format(need.install[key]) for key, way in ways.items() if key in need.install]
    return f" ({' or '.join(known)})" if known else ""


async def _output(argv: tuple[str, ...], path: str, family: Family) -> str | None:
    """What `argv` printed on both streams (64 KiB at most); None where it did not end in time.

    Raises OSError where it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="kastrun-probe-") as home:
        env = {
            "PATH": path,
            "HOME": home,
            "TMPDIR": home,
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
        }
        child = family.spawn(argv, env=env, cwd=home, stdin=b"")
        try:
            return await _read_all(child)
        finally:
            await _end(child)


async def _read_all(child: Child) -> str | None:
    """Until it has exited and its pipes have ended; None at the limit."""
    kept = bytearray()
    open_ = {Stream.OUT, Stream.ERR, Stream.EXIT}
    deadline = trio.current_time() + LIMIT_S
    while got := await child.read(deadline):
        for stream, data in got:
            kept += data[: _OUTPUT - len(kept)]
            if not data:
                open_.discard(stream)
        if not open_ or (Stream.EXIT not in open_ and kept):
            return kept.decode(errors="replace")
    return None


async def _end(child: Child) -> None:
    """Whatever happened, nothing of it goes on in its folder, which is removed next."""
    with trio.CancelScope(shield=True):
        child.close_pipes()
        child.kill()
        try:
            while child.exit is None and await child.read(trio.current_time() + LIMIT_S):
                pass
        except (NotStarted, GuardLost):
            pass  # it is not there: that was told already
        child.close()
