"""One doubtful line, read exactly: JSON by rule 2, then the type, then the message's schema.

The slow way, and the one that decides. It alone meets fields that version 1 does not know,
types that begin `x-`, replaced text, and everything that is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from kastrun.model import JsonObject
from kastrun.protocol import explain, strict_json
from kastrun.protocol.explain import Refused
from kastrun.protocol.messages import TYPES, Custom, ErrorInfo, Known, Location, Message

_NESTED: dict[str, type[msgspec.Struct]] = {"location": Location, "error": ErrorInfo}
_INTEGERS = ("port", "line")


class Reading(NamedTuple):
    """A message; its unknown fields, the paths of those to warn about, whether U+FFFD was put in."""

    message: Message
    extra: JsonObject
    unknown: tuple[str, ...]
    replaced: bool


def read(line: bytes) -> Reading | Refused:
    """The message on `line`, or why it is none. Never raises, whatever the bytes."""
    try:
        document, replaced = strict_json.read(line)
    except strict_json.BadJson as error:
        return explain.bad_json(line, str(error))
    kind = document.get("type")
    if not isinstance(kind, str):
        return explain.no_type(kind)
    if kind.startswith("x-"):
        return Reading(Custom(type=kind, data=document), {}, (), replaced)
    if kind not in TYPES:
        return explain.unknown_type(kind)
    return _typed(kind, document, replaced)


def _typed(kind: str, document: JsonObject, replaced: bool) -> Reading | Refused:
    known, extra = _split(document, ("type", *TYPES[kind].__struct_fields__))
    for name, shape in _NESTED.items():
        if isinstance(known.get(name), dict):
            known[name], rest = _split(known[name], shape.__struct_fields__)
            if rest:
                extra[name] = rest
    if isinstance(known.get("location"), dict):
        known["location"] = _integral(known["location"])
    try:
        message: Known = msgspec.convert(known, TYPES[kind])
    except msgspec.ValidationError as error:
        return explain.bad_message(kind, error)
    return Reading(message, extra, tuple(_to_warn(extra, known)), replaced)


def _split(document: JsonObject, names: tuple[str, ...]) -> tuple[JsonObject, JsonObject]:
    known = {name: value for name, value in document.items() if name in names}
    return known, {name: value for name, value in document.items() if name not in names}


def _integral(location: JsonObject) -> JsonObject:
    """JSON has one kind of number: 443.0 is the integer 443, and some languages print it so."""
    whole: dict[str, Any] = {
        name: int(value)
        for name in _INTEGERS
        if isinstance(value := location.get(name), float) and value.is_integer()
    }
    return location | whole


def _to_warn(extra: JsonObject, known: JsonObject) -> list[str]:
    """Paths of unknown fields; those that begin `x_` are the plugin's own business."""
    paths = []
    for name, value in extra.items():
        inner = value if name in known else {}
        paths += [f"{name}.{field}" for field in inner if not field.startswith("x_")]
        if name not in known and not name.startswith("x_"):
            paths.append(name)
    return paths
