"""A quick yes: says of most good documents that they fit, without importing jsonschema.

jsonschema takes as long to import as all the rest of a check, so it is kept for
documents with something to explain. `accepts` reads the same schemas and gives up at
the first keyword or value that it does not know exactly; a test holds it to
jsonschema: whatever it accepts, jsonschema accepts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from kastrun.model import JsonObject
from kastrun.schema.defaults import resolve

METASCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
_ANNOTATIONS: Final = frozenset(
    ("$schema", "$defs", "$comment", "title", "description", "default", "examples", "format")
) | {"writeOnly", "readOnly", "deprecated"}
_TYPES: Final[dict[str, type]] = {"string": str, "boolean": bool, "array": list, "object": dict}


def _each(keywords: str, schema: JsonObject) -> JsonObject:
    return dict.fromkeys(keywords.split(), schema)


_PLAIN_OPTION: Final[JsonObject] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["string", "integer", "number", "boolean", "array", "object", "null"]},
        **_each("title description $comment pattern format", {"type": "string"}),
        **_each("default const", {}),
        **_each("enum examples", {"type": "array"}),
        **_each("minimum maximum exclusiveMinimum exclusiveMaximum", {"type": "number"}),
        **_each("minLength maxLength minItems maxItems", {"type": "integer", "minimum": 0}),
        **_each("writeOnly readOnly deprecated uniqueItems", {"type": "boolean"}),
        "items": {"$ref": METASCHEMA},
        "properties": {"type": "object", "additionalProperties": {"$ref": METASCHEMA}},
    },
}
"""The part of the metaschema that plain option tables keep to."""


class _UnsureError(Exception):
    """A keyword or value whose meaning only jsonschema knows."""


def accepts(schema: JsonObject, document: object) -> bool:
    """True where `document` certainly fits `schema`; False means no, or do not know."""
    try:
        return _Reader(schema).root_fits(document)
    except (_UnsureError, RecursionError):
        return False


class _Reader:
    """One reading of a schema; its methods answer for one keyword each."""

    def __init__(self, root: JsonObject) -> None:
        self.root = root

    def root_fits(self, value: Any) -> bool:
        return self.fits({key: inner for key, inner in self.root.items() if key != "$id"}, value)

    def fits(self, schema: Any, value: Any) -> bool:
        if schema is True:
            return True
        if not isinstance(schema, dict):
            raise _UnsureError
        for keyword, wanted in schema.items():
            if keyword in _ANNOTATIONS or keyword.startswith("x-"):
                continue
            rule = _RULES.get(keyword)
            if rule is None:
                raise _UnsureError
            if not rule(self, wanted, value, schema):
                return False
        return True

    def ref(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if wanted == METASCHEMA:
            if accepts(_PLAIN_OPTION, value):
                return True
            raise _UnsureError
        try:
            return self.fits(resolve(self.root, wanted), value)
        except LookupError:
            raise _UnsureError from None

    def type(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if wanted == "integer":
            return type(value) is int or (isinstance(value, float) and value.is_integer())
        if wanted == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        if not isinstance(wanted, str) or wanted not in _TYPES:
            raise _UnsureError
        return isinstance(value, _TYPES[wanted])

    def enum(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if not (isinstance(value, str) and all(isinstance(each, str) for each in wanted)):
            raise _UnsureError
        return value in wanted

    def const(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if type(wanted) is not type(value) or not isinstance(value, (str, int)):
            raise _UnsureError
        return bool(wanted == value)

    def properties(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if not isinstance(value, dict):
            return True
        return all(self.fits(inner, value[key]) for key, inner in wanted.items() if key in value)

    def additional(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        if not isinstance(value, dict):
            return True
        extra = [key for key in value if key not in schema.get("properties", {})]
        return not extra if wanted is False else all(self.fits(wanted, value[key]) for key in extra)

    def names(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return not isinstance(value, dict) or all(self.fits(wanted, key) for key in value)

    def items(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return not isinstance(value, list) or all(self.fits(wanted, each) for each in value)

    def required(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return not isinstance(value, dict) or all(key in value for key in wanted)

    def pattern(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return not isinstance(value, str) or re.search(wanted, value) is not None

    def any_of(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return any(self.fits(each, value) for each in wanted)

    def one_of(self, wanted: Any, value: Any, schema: JsonObject) -> bool:
        return sum(self.fits(each, value) for each in wanted) == 1


_Rule = Callable[[_Reader, Any, Any, JsonObject], bool]


def _bound(kind: type | tuple[type, ...], holds: Callable[[Any, Any], bool]) -> _Rule:
    def rule(_reader: _Reader, wanted: Any, value: Any, _schema: JsonObject) -> bool:
        return not isinstance(value, kind) or isinstance(value, bool) or holds(value, wanted)

    return rule


_NUMBER: Final = (int, float)
_RULES: Final[dict[str, _Rule]] = {
    "$ref": _Reader.ref,
    "type": _Reader.type,
    "enum": _Reader.enum,
    "const": _Reader.const,
    "properties": _Reader.properties,
    "additionalProperties": _Reader.additional,
    "propertyNames": _Reader.names,
    "items": _Reader.items,
    "required": _Reader.required,
    "pattern": _Reader.pattern,
    "anyOf": _Reader.any_of,
    "oneOf": _Reader.one_of,
    "minimum": _bound(_NUMBER, lambda value, wanted: value >= wanted),
    "maximum": _bound(_NUMBER, lambda value, wanted: value <= wanted),
    "exclusiveMinimum": _bound(_NUMBER, lambda value, wanted: value > wanted),
    "exclusiveMaximum": _bound(_NUMBER, lambda value, wanted: value < wanted),
    "minLength": _bound(str, lambda value, wanted: len(value) >= wanted),
    "maxLength": _bound(str, lambda value, wanted: len(value) <= wanted),
    "minItems": _bound(list, lambda value, wanted: len(value) >= wanted),
    "maxItems": _bound(list, lambda value, wanted: len(value) <= wanted),
    "minProperties": _bound(dict, lambda value, wanted: len(value) >= wanted),
    "maxProperties": _bound(dict, lambda value, wanted: len(value) <= wanted),
}
