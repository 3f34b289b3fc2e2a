"""Several documents laid over each other, each value remembering where it was written.

Floor 2, pure. Tables merge deeply, everything else is replaced. Relative paths are made
absolute before, against the folder of the file that says them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from posixpath import isabs, join, normpath
from typing import Any

from msgspec import Struct, field

from kastrun.model import JsonObject
from kastrun.places import Nowhere, Of, Place, Source
from kastrun.schema import KeyPath


class Layer(Struct, frozen=True, kw_only=True):
    """A document and where its keys stand."""

    document: JsonObject
    source: Source


class Merged(Struct):
    """The document that layers make together. It is itself a Source, for all of them."""

    document: JsonObject = {}
    origins: dict[KeyPath, Source] = {}
    source: Source = field(default_factory=Nowhere)

    def at(self, path: KeyPath, of: Of) -> Place:
        """The place in the layer that said it last; the last file where none did."""
        for length in range(len(path), 0, -1):
            if (source := self.origins.get(path[:length])) is not None:
                return source.at(path, of)
        return self.source.at(path, of)

    def lay(self, layer: Layer, *, main: bool = True) -> None:
        """Lay one more document on top; a `main` one stands for what nobody said."""
        if main:
            self.source = layer.source
        self._overlay(self.document, layer.document, (), layer.source)

    def replace(self, key: str, values: list[Any], sources: Iterable[Source]) -> None:
        """A whole list at once, each element with a source of its own."""
        self.document[key] = values
        self._forget((key,))
        for index, source in enumerate(sources):
            self.origins.setdefault((key,), source)
            self.origins[key, index] = source

    def append(self, key: str, value: object, source: Source) -> None:
        """One more element of a list; what is no list is left for the schema to refuse."""
        values = self.document.setdefault(key, [])
        if isinstance(values, list):
            self.document[key] = [*values, value]
            self.origins.setdefault((key,), source)
            self.origins[key, len(values)] = source

    def _overlay(self, base: JsonObject, over: JsonObject, path: KeyPath, source: Source) -> None:
        for key, value in over.items():
            here = (*path, key)
            below = base.get(key)
            if not (isinstance(value, dict) and isinstance(below, dict)) or is_reference(value):
                self._forget(here)
                base[key] = {} if isinstance(value, dict) else deepcopy(value)
            self.origins[here] = source
            if isinstance(value, dict):
                self._overlay(base[key], value, here, source)

    def _forget(self, path: KeyPath) -> None:
        for known in [each for each in self.origins if each[: len(path)] == path]:
            del self.origins[known]


def merge(layers: Iterable[Layer]) -> Merged:
    """The layers laid over each other in order."""
    merged = Merged()
    for layer in layers:
        merged.lay(layer)
    return merged


def is_reference(value: object) -> bool:
    """Whether a value has the form of a secret's reference: `{ env = … }` or `{ file = … }`."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("env", "file")


def anchored(document: JsonObject, folder: str, home: str) -> JsonObject:
    """A copy whose relative paths (and `~/…`) are absolute, seen from `folder`.

    Values of the wrong type are left as they are, for the schema to refuse.
    """

    def absolute(path: str) -> str:
        if path == "~" or path.startswith("~/"):
            path = home + path[1:]
        return normpath(path if isabs(path) else join(folder, path))

    document = deepcopy(document)
    _each(document, "plugin_dirs", absolute)
    _each(document, "targets_from", lambda path: path if path == "-" else absolute(path))
    _each(document, "targets", lambda text: f"@{absolute(text[1:])}" if _names_file(text) else text)
    for target in _elements(document.get("targets")):
        _one(target, "file", absolute)
        _references(target.get("plugins"), absolute)
    if isinstance(http := document.get("http"), dict):
        _one(http, "ca_file", absolute)
        _secrets(http.get("headers"), absolute)
    if isinstance(output := document.get("output"), dict):
        _one(output, "baseline", absolute)
    if isinstance(notify := document.get("notify"), dict):
        _secrets({"webhook": notify.get("webhook")}, absolute)
        if isinstance(argv := notify.get("command"), list) and argv and "/" in str(argv[0]):
            notify["command"] = [absolute(str(argv[0])), *argv[1:]]
    _references(document.get("plugins"), absolute)
    return document


_Change = Callable[[str], str]


def _names_file(text: str) -> bool:
    """Whether a target's text is a file's; odd ones (`@`, `@-x`) stay for `targets` to refuse."""
    return text.startswith("@") and len(text) > 1 and not text.startswith("@-")


def _one(table: JsonObject, key: str, change: _Change) -> None:
    if isinstance(value := table.get(key), str) and value:
        table[key] = change(value)


def _each(table: JsonObject, key: str, change: _Change) -> None:
    if isinstance(values := table.get(key), list):
        table[key] = [change(each) if isinstance(each, str) and each else each for each in values]


def _elements(values: object) -> list[JsonObject]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _references(plugins: object, change: _Change) -> None:
    """Secrets in the options of every plugin of a table."""
    for choice in plugins.values() if isinstance(plugins, dict) else ():
        if isinstance(choice, dict):
            _secrets(choice.get("options"), change)


def _secrets(table: object, change: _Change) -> None:
    for value in table.values() if isinstance(table, dict) else ():
        if is_reference(value):
            _one(value, "file", change)
