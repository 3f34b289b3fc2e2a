"""docs/protocol.md taken apart: its fenced blocks by what they are said to be, and its generated rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kastrun import resources
from kastrun.protocol.reasons import Reason

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NAMES = {"string": "string", "integer": "integer", "number": "number", "boolean": "true, false"}
_NAMES |= {"array": "list of strings", "object": "object"}


def blocks(label: str) -> list[str]:
    """The blocks that are marked with this word after their language."""
    return [text for _, said, text in _FENCE.findall(PAGE) if said.split(" ")[0] == label]


def labels() -> set[str]:
    return {said.split(" ")[0] for _, said, _ in _FENCE.findall(PAGE) if said}


def field_rows(name: str) -> list[str]:
    """The rows for a type's fields, as the schema has them: `!` is required."""
    shape = resources.schema("message")["$defs"][name]
    required = shape.get("required", ())
    return [
        f"|`{field}`{' !' if field in required else ''}|{_kind(of)}|{_meaning(of)}|"
        for field, of in shape["properties"].items()
        if field != "type"
    ]


def _kind(of: dict[str, Any]) -> str:
    if "enum" in of:
        return " ".join(f"`{value}`" for value in of["enum"])
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    limit = f", at most {of['maxLength']:,} characters" if "maxLength" in of else ""
    bounds = f", 0 … {of['maximum']}" if of.get("maximum", 2**53) < 2**53 - 1 else ""
    return _NAMES[of["type"]] + (", not empty" if of.get("minLength") else "") + limit + bounds


def _meaning(of: dict[str, Any]) -> str:
    if "$ref" in of:
        of = resources.schema("message")["$defs"][of["$ref"].rpartition("/")[2]]
    return str(of["description"])


def reason_rows(table: dict[str, Reason]) -> list[str]:
    return [f"|`{word}`|{what}|{hint[:1].upper()}{hint[1:]}.|" for word, (what, hint) in table.items()]
