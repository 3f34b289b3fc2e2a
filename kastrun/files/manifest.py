"""A plugin's folder on disk: its manifest, its program, its digest. Nothing of it runs.

Floor 3. What a manifest means is `kastrun.manifest`'s.
"""

from __future__ import annotations

import os
import shlex
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from kastrun import manifest
from kastrun.files.toml import TomlFile, read_toml, why_unreadable
from kastrun.manifest import Origin
from kastrun.model import JsonObject, Plugin, Problem
from kastrun.places import Notes

_CACHE: Final = b"Signature: 8a477f597d28d172789f06886806bc55"
"""How a `CACHEDIR.TAG` begins: the folder is some tool's own and can be made anew at any time."""

_BUILDS: Final = {
    "Makefile": "make",
    "go.mod": "go build -o {program} .",
    "Cargo.toml": "cargo build --release && cp target/release/{program} .",
}
"""What makes a program, by the file that says that it must be made."""


def read_manifest(folder: str | Path, *, origin: Origin = "profile") -> tuple[Plugin | None, list[Problem]]:
    """The plugin in a folder, or None and everything that is wrong with its `plugin.toml`.

    A manifest for another protocol has the one problem ``protocol_unsupported``.
    """
    folder = Path(folder).resolve()
    file = read_toml(folder / "plugin.toml")
    if file.document is None:
        return None, file.problems
    if (other := manifest.protocol_problem(file.document, file.source)) is not None:
        return None, [other]
    notes = Notes(file.source)
    options = _options_file(file, folder, notes)
    plugin, problems = manifest.parse(
        file.document,
        positions=file.source,
        folder=str(folder),
        digest=digest(folder),
        origin=origin,
        program=lambda name: _program(folder, name),
        options=options,
    )
    return (None if notes.failed else plugin), notes.problems + problems


def digest(folder: Path) -> str:
    """SHA-256 over a folder's files: sorted relative paths, whether executable, and contents.

    A symbolic link counts as where it points; caches do not count: `__pycache__`, `.pyc`, and folders
    with a CACHEDIR.TAG, as cargo's `target` is. Raises OSError.
    """
    total = sha256()
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        if path.is_symlink():
            kind, content = b"l", os.fsencode(path.readlink())
        else:
            kind = b"x" if path.stat().st_mode & 0o111 else b"-"
            content = path.read_bytes()
        total.update(b"%b %d %b %d\n" % (kind, len(name), name, len(content)))
        total.update(content)
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in folders if not _is_cache(here / name)]
        found += [here / name for name in names if not name.endswith(".pyc")]
        found += [here / name for name in folders if (here / name).is_symlink()]
    return [path for path in found if path.is_symlink() or path.is_file()]


def _is_cache(folder: Path) -> bool:
    if folder.name == "__pycache__":
        return True
    tag = folder / "CACHEDIR.TAG"
    return tag.is_file() and tag.read_bytes().startswith(_CACHE)


def _program(folder: Path, name: str) -> tuple[str, str | None] | None:
    """Why ``./x`` cannot be started and what to do about it, None where it can."""
    path = folder / name
    if not path.exists():
        return "no such file in the plugin's folder", _how_to_build(folder, path.name)
    if not path.resolve().is_relative_to(folder):
        return "this leads out of the plugin's folder", None
    if not path.is_file():
        return "this is no file", None
    if any(_is_cache(each) for each in path.parents if each.is_relative_to(folder)):
        return (
            "this is in a cache (CACHEDIR.TAG), which is no part of the plugin",
            "copy it beside plugin.toml",
        )
    return None if os.access(path, os.X_OK) else ("this file is not executable", f"chmod +x {name}")


def _how_to_build(folder: Path, program: str) -> str | None:
    """The command that makes the program, where the folder holds its source."""
    for name, command in _BUILDS.items():
        if (folder / name).is_file():
            make = command.format(program=shlex.quote(program))
            return f"build it: cd {shlex.quote(str(folder))} && {make}"
    return None


def _options_file(file: TomlFile, folder: Path, notes: Notes) -> JsonObject | None:
    """The JSON Schema that `options_schema` names; None where none is named or it cannot be read."""
    plugin = (file.document or {}).get("plugin")
    name = plugin.get("options_schema") if isinstance(plugin, dict) else None
    if not isinstance(name, str) or not name:
        return None
    import json

    path = ("plugin", "options_schema")
    try:
        inside = (folder / name).resolve().is_relative_to(folder)
        schema: Any = json.loads((folder / name).read_bytes()) if inside else None
    except OSError as error:
        notes.add(path, "missing_file", f"{name}: {why_unreadable(error)}")
        return None
    except (ValueError, RecursionError) as error:
        notes.add(path, "bad_option", f"{name} is not JSON: {error}")
        return None
    if not isinstance(schema, dict):
        message = f"{name} holds no JSON object" if inside else "this leads out of the plugin's folder"
        notes.add(path, "bad_option", message)
        return None
    return schema
