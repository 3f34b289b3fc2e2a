"""A profile on disk: its chain of `extends`, its overrides, its plugins, and all problems at once.

Floor 3. What a profile means is `kastrun.profile`'s; which plugins there are, the
caller's catalogue.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from kastrun import resources
from kastrun.errors import ProfileError
from kastrun.files.toml import read_toml, why_unreadable
from kastrun.model import Plugin, Problem, Profile, SecretRef
from kastrun.places import Notes, in_order
from kastrun.profile import Layer, Merged, Overrides, Pick, Surroundings, anchored, merge, override, parse
from kastrun.schema import check

_MOST_FILES: Final = 64
_SECRET_LIMIT: Final = 65536


class Catalogue(Protocol):
    """What the caller's `find` gives: the plugins, the broken ones, and where it looked."""

    @property
    def plugins(self) -> Mapping[str, Plugin]:
        """Good plugins by name."""
        ...

    @property
    def broken(self) -> Mapping[str, Sequence[Problem]]:
        """The problems of folders whose manifest is wrong, by folder name."""
        ...

    @property
    def searched(self) -> Sequence[str]:
        """The folders that were searched, in order."""
        ...


Find: TypeAlias = Callable[[Sequence[str], Collection[str] | None], Catalogue]
"""Asked with a profile's own plugin folders, and which plugins are needed (None: all)."""


class Loaded(Struct, frozen=True, kw_only=True):
    """All that is known of a profile: it (None where something is wrong), the problems, the catalogue."""

    profile: Profile | None
    problems: tuple[Problem, ...]
    catalogue: Catalogue | None

    def or_raise(self) -> Profile:
        """The profile; ProfileError with every problem where there is none."""
        if self.profile is None:
            raise ProfileError(self.problems)
        return self.profile


def load_profile(
    path: str | Merged,
    overrides: Overrides | None = None,
    *,
    find: Find,
    max_workers: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """The profile of a file (or of `from_flags`), checked as a whole; raises nothing for a bad one.

    `find` is asked for the catalogue; `max_workers` is the setting. Nothing is started and
    nothing on the network is touched.
    """
    flags = overrides or Overrides()
    environ = os.environ if environ is None else environ
    chain = _Chain()
    if isinstance(path, str):
        chain.follow(Path(path), path)
        if chain.unread:
            return Loaded(profile=None, problems=tuple(in_order(chain.problems)), catalogue=None)
    merged = merge(chain.layers) if isinstance(path, str) else path
    problems = chain.problems + override(merged, flags, folder=str(Path.cwd()), home=str(Path.home()))
    catalogue = _catalogue(merged, flags, find)
    profile, found = parse(
        merged.document,
        positions=merged,
        around=_surroundings(catalogue, environ),
        name=_stem(path) if isinstance(path, str) else "scan",
        source=str(Path(path).absolute()) if isinstance(path, str) else None,
        pick=Pick(only=flags.only, skip=flags.skip, tags=flags.tags),
        max_workers=max_workers,
    )
    problems = in_order(problems + found) + _of_broken(found, catalogue)
    failed = any(problem.level == "error" for problem in problems)
    return Loaded(profile=None if failed else profile, problems=tuple(problems), catalogue=catalogue)


class _Chain(Struct):
    """A profile and all that it extends, the deepest first."""

    layers: list[Layer] = []
    problems: list[Problem] = []
    unread: bool = False
    _open: list[tuple[Path, str]] = []

    def follow(self, path: Path, shown: str) -> None:
        file = read_toml(path, shown)
        self.problems += file.problems
        if file.document is None:
            self.unread = True
            return
        notes = Notes(file.source)
        document = dict(file.document)
        extends = self._extends(document.pop("extends", []), notes)
        self._open.append((path.resolve(), shown))
        for index, name in extends:
            self._extend(path, shown, index, name, notes)
        self._open.pop()
        self.problems += notes.problems
        anchor = anchored(document, str(path.resolve().parent), str(Path.home()))
        self.layers.append(Layer(document=anchor, source=file.source))

    def _extends(self, value: Any, notes: Notes) -> list[tuple[int, str]]:
        misfits = check(resources.schema("profile")["properties"]["extends"], value)
        notes.add_misfits(misfits, ("extends",))
        self.unread = self.unread or bool(misfits)
        return [] if misfits else list(enumerate(value))

    def _extend(self, path: Path, shown: str, index: int, name: str, notes: Notes) -> None:
        base = path.parent / Path(name).expanduser()
        base_shown = name if Path(name).is_absolute() else os.path.normpath(Path(shown).parent / name)
        key = ("extends", index)
        if base.resolve() in [each for each, _ in self._open]:
            names = [each for _, each in self._open] + [base_shown]
            first = [each for each, _ in self._open].index(base.resolve())
            hint = f"the circle: {' → '.join(names[first:])}"
            notes.add(key, "extends_cycle", "these profiles extend each other in a circle", hint=hint)
            self.unread = True
        elif len(self.layers) + len(self._open) >= _MOST_FILES:
            notes.add(key, "too_many_files", f"more than {_MOST_FILES} files are extended")
            self.unread = True
        elif (why := _path_state(str(base), "file")) is not None:
            hint = f"paths are relative to the file that says them: {base.parent.resolve()}"
            notes.add(key, "missing_file", f"{name}: {why}", hint=hint)
            self.unread = True
        else:
            self.follow(base, base_shown)


def _stem(path: str) -> str:
    """The name of a profile that has none: the file's, with what no name may hold made `-`."""
    stem = "".join(
        char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in Path(path).stem
    )
    return stem.lstrip("._-")[:64] or "scan"


def _catalogue(merged: Merged, flags: Overrides, find: Find) -> Catalogue:
    """The plugins that the profile names, or all: without names, and to say what a wrong name may mean."""
    folders, named = _folders(merged), _named(merged, flags)
    catalogue = find(folders, named)
    missing = named is not None and not named <= catalogue.plugins.keys()
    return find(folders, None) if missing else catalogue


def _named(merged: Merged, flags: Overrides) -> set[str] | None:
    """Every plugin that a profile with `[plugins]` can mean; None for one without."""
    plugins, targets = merged.document.get("plugins"), merged.document.get("targets")
    if not isinstance(plugins, dict):
        return None
    tables = (
        [each.get("plugins") for each in targets if isinstance(each, dict)]
        if isinstance(targets, list)
        else []
    )
    of_targets = [name for table in tables if isinstance(table, dict) for name in table]
    return {*plugins, *of_targets, *flags.only, *flags.skip}


def _folders(merged: Merged) -> list[str]:
    """The profile's own plugin folders, as far as they are text."""
    folders = merged.document.get("plugin_dirs")
    return [each for each in folders if isinstance(each, str)] if isinstance(folders, list) else []


def _surroundings(catalogue: Catalogue, environ: Mapping[str, str]) -> Surroundings:
    return Surroundings(
        plugins=catalogue.plugins,
        searched=catalogue.searched,
        broken=tuple(catalogue.broken),
        secret=lambda reference: _secret_state(reference, environ),
        path=_path_state,
    )


def _secret_state(reference: SecretRef, environ: Mapping[str, str]) -> str | None:
    if reference.source == "env":
        if reference.name not in environ:
            return f"the variable {reference.name} is not set"
        return None if environ[reference.name] else f"the variable {reference.name} is empty"
    return _path_state(reference.name, "file", limit=_SECRET_LIMIT)


def _path_state(path: str, kind: Literal["file", "folder"], *, limit: int | None = None) -> str | None:
    """Why a file or folder cannot be used, None where it can."""
    if kind == "folder":
        if not Path(path).exists():
            return "no such folder"
        return None if Path(path).is_dir() else "this is no folder"
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return why_unreadable(error)
    except ValueError:
        return "this is no file name"
    return f"larger than {limit // 1024} KiB" if limit is not None and size > limit else None


def _of_broken(found: Sequence[Problem], catalogue: Catalogue) -> list[Problem]:
    """The problems of those broken plugins that the profile names."""
    named = {problem.path.rpartition(".")[2] for problem in found if problem.rule == "unknown_plugin"}
    return [problem for name in sorted(named & set(catalogue.broken)) for problem in catalogue.broken[name]]
