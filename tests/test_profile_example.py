"""kast.toml.example: every key is in it, and every line of it is true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kastrun import discover, files, problems, resources
from kastrun.schema import check, resolve

EXAMPLE = resources.shipped("kast.toml.example")
TEXT = EXAMPLE.read_text(encoding="utf-8")
COMMENTED = re.findall(r"^# ((?!\S+: )[a-z_]+ = .*)$", TEXT, re.MULTILINE)


def test_the_example_is_a_good_profile_of_the_shipped_plugins() -> None:
    loaded = files.load_profile(str(EXAMPLE), find=lambda *_: discover.find())
    assert problems.render(loaded.problems) == ""
    assert loaded.profile is not None
    assert loaded.profile.name == "demo"


def test_the_example_scans_this_machine_only() -> None:
    loaded = files.load_profile(str(EXAMPLE), find=lambda *_: discover.find())
    assert loaded.profile is not None
    assert {entry.target.host for entry in loaded.profile.targets} == {"127.0.0.1"}


@pytest.mark.parametrize("line", COMMENTED)
def test_each_commented_key_is_good_where_it_stands(line: str, tmp_path: Path) -> None:
    text = TEXT.replace(f"# {line}", line, 1)
    if line.startswith("headers"):
        text = text.replace('"SCAN_AUTH"', '"HOME"')
    for name in ("base.toml", "hosts.txt", "corp-ca.pem"):
        (tmp_path / name).write_text("")
    (tmp_path / "my-plugins").mkdir()
    path = tmp_path / "kast.toml"
    path.write_text(text, encoding="utf-8")
    loaded = files.load_profile(
        str(path), find=lambda *_: discover.find(), environ={"HOME": "x", "SCAN_WEBHOOK": "x"}
    )
    assert loaded.profile is not None, problems.render(loaded.problems)
    assert check("profile", tomllib.loads(text)) == []


def test_every_key_of_the_schema_stands_in_the_example() -> None:
    live = tomllib.loads(TEXT)
    for line in COMMENTED:
        found = tomllib.loads(line)
        table = table_of(line)
        (live.setdefault(table[0], {}).setdefault(table[1], {}) if len(table) == 2 else
         live.setdefault(table[0], {}) if table else live).update(found)  # fmt: skip
    schema = resources.schema("profile")
    assert set(live) == set(schema["properties"])
    assert set(live["limits"]) == set(schema["$defs"]["limits"]["properties"])
    assert set(live["notify"]) == set(schema["$defs"]["notify"]["properties"])
    assert set(live["sandbox"]) == set(schema["$defs"]["sandbox"]["properties"])
    assert set(live["http"]) == set(schema["$defs"]["http"]["properties"])
    assert set(live["output"]) == set(schema["$defs"]["output"]["properties"])
    assert set(live["plugins"]["nmap"]) == set(schema["$defs"]["choice"]["properties"])
    assert {"url", "tags", "plugins"} <= set(live["targets"][1])


def table_of(line: str) -> list[str]:
    """The header under which a line of the example stands."""
    before = TEXT[: TEXT.index(line)]
    headers = re.findall(r"^\[([^\]\n]+)\]", before, re.MULTILINE)
    return headers[-1].split(".") if headers else []


def test_every_example_in_the_schemas_is_good() -> None:
    for kind in ("profile", "plugin"):
        schema = resources.schema(kind)
        assert list(with_examples(schema))
        for inner in with_examples(schema):
            validator = Draft202012Validator({**schema, "properties": {"it": inner}, "required": []})
            for example in inner["examples"]:
                assert validator.is_valid({"it": example}), inner


def with_examples(schema: Any) -> Any:
    if isinstance(schema, dict):
        if isinstance(schema.get("examples"), list):
            yield schema
        for inner in schema.values():
            yield from with_examples(inner)


def test_every_key_has_a_description() -> None:
    for kind in ("profile", "plugin"):
        schema = resources.schema(kind)
        tables = [schema, *schema["$defs"].values(), *schema["properties"].values()]
        for table in tables:
            for name, inner in table.get("properties", {}).items():
                told = inner.get("description") or resolve(schema, inner.get("$ref", "#")).get("description")
                assert told or name in ("env", "file"), name
