"""`[plugins.NAME]`, and the plugins of single targets: which run, and with what.

Floor 2, pure. The choices of `--only` and `--skip` are applied here, for here the
plugins are known.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kastrun.model import JsonObject, Plugin, PluginChoice, TargetEntry
from kastrun.places import FlagSource, Notes, Source
from kastrun.profile.durations import seconds
from kastrun.profile.grants import check_grants
from kastrun.profile.options import read_options
from kastrun.profile.surroundings import Pick, Surroundings
from kastrun.schema import KeyPath, near

_Plugins = dict[str, JsonObject]


def picked(plugins: _Plugins | None, pick: Pick, notes: Notes, around: Surroundings) -> _Plugins | None:
    """`[plugins]` as `--only` and `--skip` leave it; None where there is no table and neither flag."""
    only, skip = (
        _known(*each, plugins, notes, around) for each in (("--only", pick.only), ("--skip", pick.skip))
    )
    if pick.only:
        told = plugins or {}
        others = {name: {**choice, "enabled": False} for name, choice in told.items()}
        plugins = others | {name: {**told.get(name, {}), "enabled": True} for name in only}
    if pick.skip:
        if plugins is None:
            plugins = {name: {"if_missing": "skip"} for name in around.plugins}
        skipped = {name: {**plugins[name], "enabled": False} for name in skip if name in plugins}
        plugins = plugins | skipped
    return plugins


def _known(
    flag: str, names: Sequence[str], plugins: _Plugins | None, notes: Notes, around: Surroundings
) -> list[str]:
    """Those of a flag's names that mean a plugin; the others are noted."""
    unknown = [name for name in names if name not in around.plugins and name not in (plugins or {})]
    for name in unknown:
        _note_unknown(name, ("plugins", name), notes, around, FlagSource(flag, name))
    return [name for name in names if name not in unknown]


def _note_unknown(
    name: str, path: KeyPath, notes: Notes, around: Surroundings, source: Source | None = None
) -> None:
    if name in around.broken:
        message, hint = f"the manifest of `{name}` is broken", "what is wrong with it is listed too"
    else:
        searched = f"folders searched: {', '.join(around.searched) or 'none'}"
        guess = near(name, around.plugins)
        message, hint = "no such plugin", f"{guess}\n{searched}" if guess else searched
    notes.add(path, "unknown_plugin", message, hint=hint, at="key", source=source)


def read_choices(
    plugins: _Plugins,
    entries: Sequence[TargetEntry],
    streamed: bool,
    mode: str,
    notes: Notes,
    around: Surroundings,
) -> dict[str, PluginChoice]:
    """The choices, options complete; `streamed` says that targets come from elsewhere too."""
    choices: dict[str, PluginChoice] = {}
    for name, table in plugins.items():
        path = ("plugins", name)
        plugin = known_plugin(name, path, notes, around)
        if plugin is None:
            continue
        used = table["enabled"] and mode in ("both", plugin.mode)
        grants = tuple(grant for grant in table["grant"] if grant is not None)
        if used:
            check_grants(plugin, grants, notes, named=True)
        elsewhere = frozenset() if streamed else _given_by_all(name, entries)
        options = read_options(
            plugin, table["options"], (*path, "options"), notes, around, used=used, given_elsewhere=elsewhere
        )
        choices[name] = PluginChoice(
            name=name,
            enabled=table["enabled"],
            timeout_s=duration(table, "timeout", path, notes),
            priority=None if "priority" not in table else int(table["priority"]),
            max_workers=None if "max_workers" not in table else int(table["max_workers"]),
            if_missing=table["if_missing"],
            grant=grants,
            options=options,
        )
    return choices


def known_plugin(name: str, path: KeyPath, notes: Notes, around: Surroundings) -> Plugin | None:
    """The plugin of a name; None, and a problem at the key, where there is none."""
    plugin = around.plugins.get(name)
    if plugin is None:
        _note_unknown(name, path, notes, around)
    return plugin


def check_target_options(
    entry: TargetEntry,
    index: int,
    choices: dict[str, PluginChoice] | None,
    notes: Notes,
    around: Surroundings,
) -> None:
    """The options that one target lays over the plugins' own."""
    for name, options in (entry.plugins or {}).items():
        path: KeyPath = ("targets", index, "plugins", name)
        if (plugin := known_plugin(name, path, notes, around)) is None:
            continue
        choice = None if choices is None else choices.get(name)
        if choices is not None and (choice is None or not choice.enabled):
            message = f"`{name}` is not switched on, so these options do nothing"
            notes.add(
                path, "plugin_not_enabled", message, hint=f"add [plugins.{name}]", at="key", level="warning"
            )
        base = choice.options if choice else {}
        required = plugin.options_schema.get("required", ())
        elsewhere = frozenset(base) | frozenset(required if choices is not None else ())
        read_options(plugin, options, (*path, "options"), notes, around, used=True, given_elsewhere=elsewhere)


def check_unnamed(mode: str, notes: Notes, around: Surroundings) -> None:
    """Without `[plugins]` every plugin that suits the mode runs: its grants must be in order all the same."""
    for plugin in around.plugins.values():
        if mode in ("both", plugin.mode):
            check_grants(plugin, (), notes, named=False)


def duration(table: JsonObject, key: str, path: KeyPath, notes: Notes) -> float | None:
    """A duration of a table in seconds, None where it is not there (or not one: then noted)."""
    value: Any = table.get(key)
    if value is None:
        return None
    try:
        return seconds(value)
    except ValueError as error:
        notes.add((*path, key), "out_of_range", str(error))
        return None


def _given_by_all(name: str, entries: Collection[TargetEntry]) -> frozenset[str]:
    """The options of a plugin that every target gives itself."""
    given = [frozenset((entry.plugins or {}).get(name, ())) for entry in entries]
    return frozenset.intersection(*given) if given else frozenset()
