"""What the command line says over a profile, and KAST's command line without one.

Floor 2, pure. Every flag stays a source, so that a wrong one is shown with a caret
under the part that is wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from kastrun.model import JsonObject, Problem
from kastrun.places import FlagSource, Notes, Source
from kastrun.profile.layers import Layer, Merged, anchored

_KEY: Final = re.compile(r"""\s*(?P<key>(?:[^="']|"[^"]*"|'[^']*')+)=(?P<value>.*)""", re.DOTALL)
_FORM_HINT: Final = "write --set KEY=VALUE, such as --set limits.job_timeout=30s"


class Overrides(Struct, frozen=True, kw_only=True):
    """The flags, as they were given; `sets` are the ``KEY=VALUE`` of each `--set`.

    `targets` stand instead of the profile's (its `targets_from` included), `exclude` is
    added to it: a flag never widens what may be touched by dropping an exclude.
    """

    sets: Sequence[str] = ()
    mode: str | None = None
    max_workers: str | int | None = None
    fail_on: str | None = None
    targets: Sequence[str] = ()
    exclude: Sequence[str] = ()
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    tags: Sequence[str] = ()


def override(merged: Merged, flags: Overrides, *, folder: str = "/", home: str = "/") -> list[Problem]:
    """Lay `flags` over a merged profile; the problems of flags that cannot be read.

    Relative paths in flags are seen from `folder`, the working directory. `only`, `skip`
    and `tags` are `parse`'s, for they need the plugins and the targets.
    """
    notes = Notes(merged)
    for text in flags.sets:
        if (layer := _set(text, notes, folder, home)) is not None:
            merged.lay(layer, main=False)
    simple = (("mode", flags.mode), ("max_workers", flags.max_workers), ("fail_on", flags.fail_on))
    for key, value in simple:
        if value is not None:
            source = FlagSource(f"--{key.replace('_', '-')}", str(value))
            merged.lay(Layer(document={key: _number(value)}, source=source), main=False)
    if flags.targets:
        _replace_targets(merged, flags.targets, "--target", folder, home)
    for entry in flags.exclude:
        merged.append("exclude", entry, FlagSource("--exclude", entry))
    return notes.problems


def from_flags(
    targets: Sequence[str],
    mode: str | None = None,
    parallel: bool = False,
    max_workers: str | int | None = None,
    run_only: Sequence[str] = (),
    *,
    folder: str = "/",
    home: str = "/",
) -> Merged:
    """KAST's own command line (`-t … -m … -p --max-workers … --run-only …`) as a profile without a file.

    Without `parallel` one job at a time, as in KAST. Its `document` can be saved as a profile.
    """
    merged = Merged(source=FlagSource("-t", " ".join(targets)))
    merged.document["schema"] = 1
    _replace_targets(merged, targets, "-t", folder, home)
    if mode is not None:
        merged.lay(Layer(document={"mode": mode}, source=FlagSource("-m", mode)), main=False)
    if max_workers is not None or not parallel:
        workers = _number(max_workers) if parallel else 1
        source = FlagSource("--max-workers", str(max_workers))
        merged.lay(Layer(document={"max_workers": workers}, source=source), main=False)
    for name in run_only:
        source = FlagSource("--run-only", name)
        merged.lay(Layer(document={"plugins": {name: {}}}, source=source), main=False)
    return merged


def _replace_targets(merged: Merged, targets: Sequence[str], flag: str, folder: str, home: str) -> None:
    values = anchored({"targets": list(targets)}, folder, home)["targets"]
    sources: list[Source] = [FlagSource(flag, target) for target in targets]
    merged.replace("targets", values, sources)
    merged.document.pop("targets_from", None)


def _number(value: str | int | None) -> Any:
    """A flag's text as a number where it is one; else as it is, for the schema to refuse."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _set(text: str, notes: Notes, folder: str, home: str) -> Layer | None:
    """`KEY=VALUE` as a layer; a problem, and None, where the key cannot be read."""
    form = _KEY.fullmatch(text)
    path = _path(form["key"].strip()) if form else None
    if form is None or path is None:
        message = "not a key and a value" if form is None else "not a key"
        notes.add((), "bad_set", message, hint=_FORM_HINT, source=FlagSource("--set", text))
        return None
    source = FlagSource("--set", form["value"], form["key"])
    if path[0] == "extends":
        notes.add(("extends",), "bad_set", "`extends` works in files only", source=source, at="key")
        return None
    document: JsonObject = {}
    inner = document
    for part in path[:-1]:
        inner = inner.setdefault(part, {})
    inner[path[-1]] = toml_or_text(form["value"])
    return Layer(document=anchored(document, folder, home), source=source)


def _path(key: str) -> list[str] | None:
    """The parts of a dotted key, as TOML reads it."""
    if "\n" in key:
        return None
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    path: list[str] = []
    while isinstance(inner, dict):
        if len(inner) != 1:
            return None
        part, inner = next(iter(inner.items()))
        path.append(part)
    return path


def toml_or_text(text: str) -> Any:
    """A TOML value where the text is one, else the text."""
    try:
        read = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return read["value"] if set(read) == {"value"} else text
