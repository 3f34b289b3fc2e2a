"""The tables of the reference pages, generated from the schemas and written between their markers.

Run it after changing a schema: `python docs/tables.py`. A test fails while a page differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kastrun import resources
from kastrun.kit import CHECKS
from kastrun.schema import resolve
from kastrun.settings import Settings, provenance

DOCS = Path(__file__).resolve().parent
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}
_TYPES |= {"array": "list", "object": "table"}


def profile_table() -> str:
    """One row a key of the profile."""
    return _table(("key", "value", "default", "meaning"), _rows(resources.schema("profile")))


def settings_table() -> str:
    """One row a setting."""
    rows = [
        (f"`{each.name}`", f"`KASTRUN_{each.name.upper()}`", f"`{_toml(each.value)}`", each.purpose)
        for each in provenance(Settings())
    ]
    return _table(("key", "variable", "default", "meaning"), iter(rows))


def manifest_table() -> str:
    """One row a key of a plugin's manifest; `!` is required."""
    return _table(("key", "value", "default", "meaning"), _manifest_rows(resources.schema("plugin")))


def _manifest_rows(root: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, table in root["properties"].items():
        prefix, inner = f"{name}.", table
        if name == "requires":
            prefix, inner = "requires.PROGRAM.", table["additionalProperties"]
        elif "properties" not in table:
            key = "options.OPTION" if name == "options" else name
            yield f"`{key}`", "table", "", _cell(table["description"])
            continue
        for key, schema in inner["properties"].items():
            full = {**resolve(root, schema["$ref"]), **schema} if "$ref" in schema else schema
            default = "" if full.get("default") in (None, {}) else f"`{_toml(full['default'])}`"
            mark = " !" if key in inner.get("required", ()) else ""
            yield f"`{prefix}{key}`{mark}", _manifest_value(full), default, _cell(full["description"])


def _manifest_value(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        choices = schema["items"].get("enum")
        return "list" + (" of " + " ".join(f"`{each}`" for each in choices) if choices else "")
    if "maximum" in schema or "const" in schema or "enum" in schema:
        low = schema.get("minimum", f"above {schema.get('exclusiveMinimum')}")
        return _value(schema) if "maximum" not in schema else f"{low} … {schema['maximum']}"
    if "minimum" in schema:
        return f"{schema['minimum']} or more"
    return _TYPES[schema["type"]]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rows(root: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    tables = [("", root)]
    tables += [
        (f"{name}.", root["$defs"][name]) for name in ("limits", "sandbox", "http", "output", "notify")
    ]
    tables += [("plugins.NAME.", root["$defs"]["choice"])]
    for prefix, table in tables:
        for name, schema in table["properties"].items():
            inner = {**resolve(root, schema["$ref"]), **schema} if "$ref" in schema else schema
            default = f"`{_toml(inner['default'])}`" if inner.get("default") not in (None, {}) else ""
            yield f"`{prefix}{name}`", _value(inner), default, _cell(inner["description"])


def _value(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "minimum" in schema:
        return f"{schema['minimum']} … {schema['maximum']}"
    if schema.get("pattern", "").endswith("/[smh]$"):
        return "rate"
    if "anyOf" in schema:
        first, second = schema["anyOf"]
        if second.get("type") == "number":
            return "duration"
        return f"{_value(first)} or table"
    return _TYPES[schema["type"]]


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = ["|".join(("", *row, "")) for row in (head, tuple("-" for _ in head), *rows)]
    return "\n".join(lines) + "\n"


def checks() -> str:
    """A section a check of the conformance kit."""
    return "\n".join(
        f"### `{check.id}`: {check.title}\n\n{check.rule}.\n\n{check.why}\n\n**Mend it:** {check.mend}\n"
        for check in CHECKS
    )


def listing(path: str, language: str) -> Callable[[], str]:
    """A file of `templates/`, as it stands."""

    def text() -> str:
        return f"```{language}\n{(DOCS.parent / 'templates' / path).read_text(encoding='utf-8')}```\n"

    return text


TABLES = {
    "profile": profile_table,
    "settings": settings_table,
    "manifest": manifest_table,
    "checks": checks,
    # `sh` is shown and not run (tests/test_docs.py).
    "listing_manifest": listing("bash/plugin.toml", "toml"),
    "listing_kit": listing("every/examples/kit.toml", "toml"),
    "listing_bash": listing("bash/run.sh", "sh"),
    "listing_python": listing("python/main.py", "python"),
    "listing_node": listing("node/main.mjs", "js"),
    "listing_go": listing("go/main.go", "go"),
    "listing_gomake": listing("go/Makefile", "make"),
    "listing_rust": listing("rust/src/main.rs", "rust"),
    "listing_cargo": listing("rust/Cargo.toml", "toml"),
    "listing_rustmake": listing("rust/Makefile", "make"),
}


def filled(text: str) -> str:
    """A page with every table as it must be."""
    return _BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def pages() -> list[Path]:
    """The pages that hold a generated table."""
    return [path for path in sorted(DOCS.glob("*.md")) if _BLOCK.search(path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    for page in pages():
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
