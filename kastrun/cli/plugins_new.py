"""`kastrun plugins new`: a working plugin in a folder of its own, to be changed into another.

The templates are files (`templates/` in a checkout): whole plugins that are called plain-http. What all
languages share is in `every`; a file of the language wins. Nothing that is there is overwritten.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from kastrun import resources
from kastrun.errors import UsageError
from kastrun.schema import check

LANGUAGES: Final = ("bash", "python", "node", "go", "rust")
_CALLED: Final = "plain-http"
"""The name of every template, wherever it stands in one."""
_ALSO: Final = {
    **dict.fromkeys(("js", "javascript", "nodejs", "node.js", "typescript", "ts"), "node"),
    **dict.fromkeys(("sh", "shell", "zsh"), "bash"),
    **dict.fromkeys(("py", "python3"), "python"),
    "golang": "go",
    "rs": "rust",
}


def serve(options: argparse.Namespace) -> int:
    """Make the folder and say what is next. Raises UsageError, and then nothing was written."""
    name, language = _name(options.name), _language(options.language)
    folder = Path(options.dir) / name
    sources = _sources(language)
    _make(folder, {path: _renamed(source, name) for path, source in sources.items()}, _programs(sources))
    if (resources.shipped("plugins") / name).is_dir():
        sys.stderr.write(f"note: a shipped plugin is called {name} too: a run uses the first that it finds\n")
    sys.stdout.write("\n".join(_told(folder, language, sources)) + "\n")
    return 0


def _name(text: str) -> str:
    rule = resources.schema("plugin")["$defs"]["name"]
    if not check(rule, text):
        return text
    parent, slash, last = text.rstrip("/").rpartition("/")
    near = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if slash and not check(rule, last):
        hint = f"--dir says where it goes: {last} --dir {shlex.quote(parent or '/')}"
    else:
        hint = "for example tls-check" if check(rule, near) else f"did you mean {near}?"
    raise UsageError(f"{text!r} is not {rule['x-expected']}", hint=hint)


def _language(text: str | None) -> str:
    if text in LANGUAGES:
        return text
    known = f"{', '.join(LANGUAGES[:-1])} or {LANGUAGES[-1]}"
    if text is None:
        raise UsageError("in which language?", hint=f"--language {known}")
    word = text.lower()
    near = [_ALSO[word]] if word in _ALSO else difflib.get_close_matches(word, LANGUAGES, n=1)
    hint = (
        f"did you mean {near[0]}?" if near else f"there are {known}; any language will do (docs/protocol.md)"
    )
    raise UsageError(f"there is no template in {text}", hint=hint)


def _sources(language: str) -> dict[str, Path]:
    """The template's files, by where they go."""
    found: dict[str, Path] = {}
    for root in (resources.shipped("templates") / part for part in ("every", language)):
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[path.relative_to(root).as_posix()] = path
    return dict(sorted(found.items()))


def _renamed(source: Path, name: str) -> bytes:
    return source.read_bytes().replace(_CALLED.encode(), name.encode())


def _programs(sources: Mapping[str, Path]) -> set[str]:
    return {path for path, source in sources.items() if source.stat().st_mode & 0o111}


def _make(folder: Path, contents: Mapping[str, bytes], programs: Iterable[str]) -> None:
    """A new folder with all of it, or none. Raises UsageError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except OSError as error:
        there = os.path.lexists(folder)
        why = "is there already; nothing was written" if there else f"cannot be made: {error.strerror}"
        raise UsageError(
            f"{folder} {why}", hint="choose another name, or another place with --dir"
        ) from error
    try:
        for path, content in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            mode = 0o777 if path in programs else 0o666
            with open(os.open(folder / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            hint = "choose another place: --dir DIR"
            raise UsageError(f"{folder} cannot be written: {error.strerror}", hint=hint) from error
        raise


def _told(folder: Path, language: str, sources: Mapping[str, Path]) -> list[str]:
    place = shlex.quote(str(folder))
    names = [name for name in sources if "/" not in name]
    folders = dict.fromkeys(f"{name.split('/')[0]}/" for name in sources if "/" in name)
    build = [f"  make -C {place}"] if "Makefile" in sources else []
    return [
        f"made {place}: a plugin in {language} which asks whether plain HTTP is sent on to HTTPS",
        f"  {'  '.join((*folders, *names))}",
        "next",
        *build,
        f"  kastrun plugins test {place}",
        f"  kastrun plugins run {place} HOST",
    ]
