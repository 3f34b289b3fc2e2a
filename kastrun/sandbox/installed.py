"""What has to be readable for a program to run: itself, its interpreter, their installations.

Looks at the disk, starts nothing. A program of the system needs nothing more; one in an
environment (a virtual environment, pipx, pyenv, nvm, a JDK) needs that environment, also
below the home folder; of any other only its own file is given.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

SYSTEM: Final = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/nix/store", "/gnu/store", "/run/current-system/sw"),
)
"""The system's own folders of programs."""

_SHIMS: Final = ("libexec/pyenv", "libexec/rbenv", "libexec/nodenv", "bin/asdf", "asdf.sh")
"""Beside a folder `shims`: what its programs lead to, somewhere else in the same folder."""
_MARKS: Final = ("pyvenv.cfg", "conda-meta", "lib/node_modules", "lib/jrt-fs.jar", "lib/ruby", "lib/perl5")
"""One of these makes a folder an environment: what its programs load is in it."""
_MOST: Final = 64
"""Links or interpreters in a row; more is a circle."""


class Needs(NamedTuple):
    """Files and folders to be readable, none below another; the links to them, path and target."""

    paths: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


def needs(programs: Iterable[str], path: str, *, home: str, also: Iterable[str] = ()) -> Needs:
    """Of programs (names along `path`, or paths) and of the folders or files `also`; `home` is the user's."""
    search = _Search(path, home)
    for each in also:
        search.take(each)
    for program in programs:
        search.program(program)
    paths = [each for each in search.paths if not below(each, search.paths - {each})]
    links = [each for each in search.links if not below(each[0], paths)]
    return Needs(tuple(sorted(paths)), tuple(sorted(links)))


class _Search:
    """One look for everything that some programs need."""

    def __init__(self, path: str, home: str) -> None:
        self._path = path
        self._crowded = (home, os.path.join(home, ".local"))
        self.paths: set[str] = set()
        self.links: set[tuple[str, str]] = set()
        self._seen: set[str] = set()

    def program(self, name: str) -> None:
        """A program with its interpreter, and that one's, and so on."""
        for _ in range(_MOST):
            found = name if "/" in name else shutil.which(name, path=self._path)
            if found is None or found in self._seen:
                return
            self._seen.add(found)
            self._installation(found)
            words = _interpreter(found)
            if not words:
                return
            self.program(words[0])
            named = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
            if os.path.basename(words[0]) != "env" or not named:
                return
            name = named[0]

    def _installation(self, program: str) -> None:
        real = self.follow(program)
        for environment in _environments(each for each in (program, real) if not below(each, SYSTEM)):
            for folder in self._parts(environment):
                self.take(folder)
        self.take(real)

    def _parts(self, environment: str) -> list[str]:
        """The environment; of one that is much else besides, only what programs load."""
        if not below(self._crowded[0], (environment,)) and environment != self._crowded[1]:
            return [environment]
        return [os.path.join(environment, name) for name in ("bin", "lib", "lib64", "libexec")]

    def take(self, path: str) -> None:
        """A path is to be readable, wherever its links lead."""
        real = self.follow(path)
        if os.path.exists(real) and not below(real, SYSTEM):
            self.paths.add(real)

    def follow(self, path: str) -> str:
        """Where a path leads; every link on the way that is not the system's is noted."""
        for _ in range(_MOST):
            link = next(_links_of(path), None)
            if link is None:
                return path
            target = os.readlink(link)
            if not below(link, SYSTEM):
                self.links.add((link, target))
            path = os.path.normpath(os.path.join(os.path.dirname(link), target) + path[len(link) :])
        return path


def _links_of(path: str) -> Iterator[str]:
    """The parts of a path that are links, the outermost first."""
    for part in (*map(str, reversed(Path(path).parents)), path):
        if os.path.islink(part):
            yield part


def _environments(programs: Iterable[str]) -> Iterator[str]:
    """The environments that programs live in; the whole machine is none."""
    for program in programs:
        folder = os.path.dirname(program)
        above = os.path.dirname(folder)
        if above == "/":
            continue
        if os.path.basename(folder) == "shims" and _has(above, _SHIMS):
            yield above
        elif os.path.basename(folder) in {"bin", "sbin"} and (_has(above, _MARKS) or _is_python(above)):
            yield above
            yield from _base(above)
        elif program.startswith("/opt/"):
            yield "/".join(program.split("/")[:3])


def _is_python(folder: str) -> bool:
    """Whether it is where a Python is installed: its library is beside its programs."""
    library = os.path.join(folder, "lib")
    try:
        inside = os.listdir(library)
    except OSError:
        return False
    return any(
        name.startswith("python") and os.path.exists(os.path.join(library, name, "os.py")) for name in inside
    )


def _base(environment: str) -> Iterator[str]:
    """The installation that a virtual environment was made from."""
    try:
        lines = Path(environment, "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home" and os.path.basename(value.strip()) == "bin":
            yield os.path.dirname(value.strip())


def _interpreter(program: str) -> list[str]:
    """The words after `#!`; none for a binary."""
    try:
        with open(program, "rb") as file:
            first = file.readline(256)
    except OSError:
        return []
    return first[2:].decode(errors="replace").split() if first.startswith(b"#!") else []


def _has(folder: str, names: Iterable[str]) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for name in names)


def below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these, or below one of them."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
