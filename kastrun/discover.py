"""Finding plugins: folders that hold a `plugin.toml`, read and checked, nothing run.

Floor 3. Of two plugins with one name the first found wins: the profile's folders, then
the settings', then the shipped ones. A broken manifest is named and the others still work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from kastrun import files, resources
from kastrun.model import Plugin, Problem

Origin = Literal["profile", "settings", "shipped"]


class Catalogue(Struct, frozen=True, kw_only=True):
    """What was found: plugins by name; problems of those that are broken, by folder name; who hides whom.

    `hidden` has (name, folder that won, folder that is not used), `names` every folder's name, also of
    those that were not read because nobody asked for them.
    """

    plugins: dict[str, Plugin]
    broken: dict[str, tuple[Problem, ...]]
    hidden: tuple[tuple[str, str, str], ...]
    searched: tuple[str, ...]
    names: frozenset[str]


def find(
    profile_dirs: Sequence[str] = (),
    settings_dirs: Sequence[str] = (),
    only: Collection[str] | None = None,
) -> Catalogue:
    """The catalogue; with `only` no other plugin is read, which costs some milliseconds each.

    Folders of the settings or the profile that are not there are problems of those.
    """
    plugins: dict[str, Plugin] = {}
    broken: dict[str, tuple[Problem, ...]] = {}
    hidden: list[tuple[str, str, str]] = []
    folders: dict[str, str] = {}
    places = _places(profile_dirs, settings_dirs)
    for root, origin in places:
        for folder in _plugin_folders(root):
            name = folder.name
            if name in folders:
                hidden.append((name, folders[name], str(folder)))
                continue
            folders[name] = str(folder)
            if only is not None and name not in only:
                continue
            plugin, problems = files.read_manifest(folder, origin=origin)
            if plugin is None:
                broken[name] = tuple(problems)
            else:
                plugins[name] = plugin
    return Catalogue(
        plugins=plugins,
        broken=broken,
        hidden=tuple(hidden),
        searched=tuple(str(root) for root, _ in places),
        names=frozenset(folders),
    )


def _places(profile_dirs: Iterable[str], settings_dirs: Iterable[str]) -> list[tuple[Path, Origin]]:
    places: list[tuple[Path, Origin]] = [(Path(each), "profile") for each in profile_dirs]
    places += [(Path(each), "settings") for each in settings_dirs]
    places.append((resources.shipped("plugins"), "shipped"))
    unique: dict[Path, Origin] = {}
    for root, origin in places:
        unique.setdefault(root.resolve(), origin)
    return list(unique.items())


def _plugin_folders(root: Path) -> list[Path]:
    """Folders with a manifest, by name. A root that is not there has none; `files` reports it."""
    if not root.is_dir():
        return []
    return sorted(path.parent for path in root.glob("*/plugin.toml"))
