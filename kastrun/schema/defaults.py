"""Completing a document from its schema's defaults.

Floor 1, pure. Defaults are written in the schemas and nowhere else.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kastrun.model import JsonObject


def resolve(root: JsonObject, reference: object) -> Any:
    """What a local reference (``#/$defs/x``, RFC 6901) points to; LookupError where nothing."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise LookupError(reference)
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        if not isinstance(found, dict):
            raise LookupError(reference)
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def fill_defaults(schema: JsonObject, document: JsonObject) -> JsonObject:
    """A deep copy of `document` in which every absent key that has a default has it.

    Follows local references, tables within tables and tables by free name; lists and
    alternatives (anyOf) are left as they are. The keys come in the schema's order, so
    that a dump reads like the reference.
    """
    return _filled(schema, deepcopy(document), schema)


def _filled(schema: JsonObject, document: JsonObject, root: JsonObject) -> JsonObject:
    schema = _followed(schema, root)
    properties: dict[str, JsonObject] = schema.get("properties", {})
    result: JsonObject = {}
    for key, inner in properties.items():
        if key in document:
            result[key] = document[key]
        elif (default := _default(inner, root)) is not None:
            result[key] = default
        if isinstance(result.get(key), dict):
            result[key] = _filled(inner, result[key], root)
    others = schema.get("additionalProperties")
    for key in document:
        if key not in properties:
            value = document[key]
            follow = isinstance(others, dict) and isinstance(value, dict)
            result[key] = _filled(others, value, root) if follow and others is not None else value
    return result


def _default(schema: object, root: JsonObject) -> Any:
    """JSON's null is not a TOML value, so no default and a default of null are the same."""
    if not isinstance(schema, dict):
        return None
    if "default" in schema:
        return deepcopy(schema["default"])
    return _followed(schema, root).get("default") if "$ref" in schema else None


def _followed(schema: object, root: JsonObject) -> JsonObject:
    """`schema` with a local reference followed; what is not a schema of keys is as good as empty."""
    seen: set[str] = set()
    while isinstance(schema, dict) and "$ref" in schema and str(schema["$ref"]) not in seen:
        seen.add(str(schema["$ref"]))
        try:
            schema = resolve(root, schema["$ref"])
        except LookupError:
            return {}
    return schema if isinstance(schema, dict) else {}
