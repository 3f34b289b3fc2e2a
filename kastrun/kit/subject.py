"""The plugin under test: its manifest with every problem, its neighbours, its programs, its wishes.

`examples/kit.toml` is the author's word to the kit and to nobody else: what to test against, with
which options, and which checks cannot apply. The manifest stays the contract.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from kastrun import discover, files, settings
from kastrun.errors import UsageError
from kastrun.model import JsonObject, Plugin, Problem
from kastrun.process import Family
from kastrun.requires import Readiness, probe

SECONDS: Final = 30.0
AT_ONCE: Final = 50
MOST_AT_ONCE: Final = 1000

_KEYS: Final[Mapping[str, tuple[type, ...]]] = {
    "target": (str,),
    "options": (dict,),
    "seconds": (int, float),
    "at_once": (int,),
    "skip": (dict,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the author says to the kit (`examples/kit.toml`, or flags).

    `target` and the strings of `options` may hold `{port}`: the port of whichever server a
    check uses; `{tls}` is the same, but an ordinary server then speaks TLS. `"{port:int}"` is a
    number. `seconds` bounds each run; `at_once` is how many run in the check of that name;
    `skip` has the ids of checks that cannot apply, each with a reason.
    """

    target: str | None = None
    options: JsonObject = field(default_factory=dict)
    seconds: float = SECONDS
    at_once: int = AT_ONCE
    skip: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A folder, and what reading it gave. `plugin` is None where `problems` holds an error.

    `known` are the manifests that `depends_on` may name: of the folder beside, of the settings,
    and shipped ones. `readiness` is None where nothing could be probed.
    """

    folder: Path
    plugin: Plugin | None
    problems: tuple[Problem, ...]
    known: Mapping[str, Plugin]
    readiness: Readiness | None
    wishes: Wishes

    @property
    def ready(self) -> Plugin | None:
        """The plugin, where it can be run here."""
        return self.plugin if self.readiness is not None and self.readiness.missing is None else None


async def read_subject(
    folder: Path,
    family: Family,
    *,
    checks: Sequence[str],
    target: str | None = None,
    options: Callable[[Plugin], JsonObject] = lambda _: {},
) -> Subject:
    """Read a folder and probe its programs; nothing of the plugin's own runs.

    `checks` are the ids that `skip` may name; `target` and `options` win over the file's.
    Raises UsageError where the folder is none, or its kit.toml is wrong.
    """
    folder = _folder(folder)
    plugin, problems = files.read_manifest(folder)
    wishes = read_wishes(folder / "examples" / "kit.toml", checks)
    given = options(plugin) if plugin else {}
    wishes = replace(wishes, target=target or wishes.target, options={**wishes.options, **given})
    known = discover.find([str(folder.parent)], settings.load().plugin_dirs).plugins
    readiness = (await probe([plugin], family))[plugin.name] if plugin else None
    return Subject(
        folder=folder,
        plugin=plugin,
        problems=tuple(problems),
        known=known,
        readiness=readiness,
        wishes=wishes,
    )


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder", hint="name a plugin's folder: it holds plugin.toml")
    return path.resolve()


def read_wishes(path: Path, checks: Sequence[str]) -> Wishes:
    """What a kit.toml says; the usual where there is none. Raises UsageError."""
    if not path.is_file():
        return Wishes()
    file = files.read_toml(path)
    if file.document is None:
        raise UsageError(
            f"{path}: {file.problems[0].message}", hint="it must be TOML; docs/conformance.md has its keys"
        )
    document = file.document
    for key, value in document.items():
        if key not in _KEYS:
            raise UsageError(f"{path}: unknown key `{key}`", hint=f"it may hold: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise UsageError(
                f"{path}: `{key}` is of the wrong type", hint="docs/conformance.md has an example"
            )
    wishes = Wishes(**document)
    if not 0 < wishes.seconds <= 600 or not 2 <= wishes.at_once <= MOST_AT_ONCE:
        raise UsageError(
            f"{path}: `seconds` is above 0 and at most 600, `at_once` from 2 to {MOST_AT_ONCE}",
            hint="leave a key out for the usual",
        )
    _check_skips(path, wishes.skip, checks)
    return wishes


def _check_skips(path: Path, skips: Mapping[str, Any], checks: Sequence[str]) -> None:
    for name, reason in skips.items():
        if name not in checks:
            raise UsageError(
                f"{path}: there is no check {name!r}", hint="`kastrun plugins test --list` has them all"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(
                f"{path}: skip.{name} needs its reason as text", hint=f'{name} = "why it cannot apply"'
            )


def filled(value: Any, places: Mapping[str, int | str]) -> Any:
    """`value` with `{name}` put in from `places`, and `"{name:int}"` as a number."""
    if isinstance(value, dict):
        return {name: filled(inner, places) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, places) for inner in value]
    if not isinstance(value, str):
        return value
    for name, place in places.items():
        if value == f"{{{name}:int}}":
            return int(place)
        value = value.replace(f"{{{name}}}", str(place))
    return value


def names_port(wishes: Wishes) -> bool:
    """Whether the author's target or options take the port of a server."""
    text = json.dumps([wishes.target, wishes.options])
    return "{port" in text or "{tls" in text
