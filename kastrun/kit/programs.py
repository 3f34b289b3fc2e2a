"""A PATH that lacks a program: folders of links to everything else.

For two questions: does the manifest's probe notice that its program is absent, and does the
plugin live on the programs that it declares?
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kastrun.model import Plugin, Requirement
from kastrun.process import Family
from kastrun.requires import missing_along, search_path

_POSIX = """
[ awk basename cat chgrp chmod chown cksum cmp comm cp csplit cut date dd df diff dirname du echo ed
env expand expr false find fold getconf grep head iconv id join kill link ln locale logname ls mkdir
mkfifo mktemp mv nice nl nohup od paste pathchk pr printf ps pwd readlink realpath rm rmdir sed seq
sh sleep sort split stat stty sync tail tee test time timeout touch tr true tsort tty uname unexpand
uniq unlink uudecode uuencode wc who xargs yes bash dash
"""
POSIX: Final = frozenset(_POSIX.split())
"""The utilities of POSIX.1-2017 XCU that a plugin may take for granted, and what any Linux adds to them."""


def declared_path(plugin: Plugin, farm: Path) -> tuple[str, ...]:
    """A PATH of one new folder: POSIX, what `requires` and `exec` name, and the interpreters of those."""
    farm.mkdir()
    wanted = [*POSIX, *(need.probe[0] for need in plugin.requires), *(need.name for need in plugin.requires)]
    wanted += _interpreters(plugin)
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        path = None if "/" in name or name in seen else shutil.which(name, path=search_path())
        seen.add(name)
        if path is not None:
            (farm / name).symlink_to(path)
            if (interpreter := _env_program(Path(path))) is not None:
                wanted.append(interpreter)
    return (str(farm),)


def path_without(names: Iterable[str], farm: Path) -> tuple[str, ...]:
    """A PATH of one new folder: everything that the search path has, but for these programs."""
    hidden = frozenset(names)
    farm.mkdir()
    for folder in search_path().split(os.pathsep):
        if os.path.isdir(folder):
            for entry in os.scandir(folder):
                link = farm / entry.name
                if entry.name not in hidden and not link.is_symlink():
                    link.symlink_to(os.path.join(folder, entry.name))
    return (str(farm),)


async def unnoticed(need: Requirement, family: Family, farm: Path) -> bool:
    """Whether the probe of `need` is content where its program is absent."""
    hidden = {need.name, os.path.basename(need.probe[0])} - POSIX  # a shell around it is not what it needs
    path = path_without(hidden, farm)
    return await missing_along(os.pathsep.join(path), need, family) is None


def _interpreters(plugin: Plugin) -> list[str]:
    """What starts the plugin: a bare name of `exec`, or its script's `#!/usr/bin/env NAME`."""
    first = plugin.exec[0]
    if not first.startswith("./"):
        return [first]
    name = _env_program(Path(plugin.folder, first))
    return [name] if name else []


def _env_program(script: Path) -> str | None:
    """``python3`` for a first line ``#!/usr/bin/env python3``, also with ``-S``; None for any other."""
    try:
        with script.open("rb") as file:
            line = file.readline(256)
    except OSError:
        return None
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    if not words or not words[0].endswith("/env"):
        return None
    rest = [word for word in words[1:] if not word.startswith("-")]
    return rest[0] if rest else None
