"""Schema checks: what they say, what they fill in, and that the quick yes never lies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kastrun import resources
from kastrun.schema import check, fill_defaults, near
from kastrun.schema.quick import METASCHEMA, accepts

SCALARS = st.one_of(st.booleans(), st.integers(-5, 2000), st.floats(), st.text(max_size=5), st.just("15m"))
KEYS = st.sampled_from(
    ["schema", "mode", "max_workers", "targets", "limits", "job_timeout", "plugins", "nmap", "options", "url"]
) | st.sampled_from(["tags", "http", "headers", "env", "grant", "x", "enabled", "type", "minimum", "items"])
VALUES = st.recursive(
    SCALARS | st.sampled_from(["passive", "high", "network:full", "https://a.example", "string"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", ["profile", "plugin"])
def test_the_schemas_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(resources.schema(kind))


@pytest.mark.parametrize(
    "schema",
    [resources.schema("profile"), resources.schema("profile")["$defs"]["target"], {"$ref": METASCHEMA}],
    ids=["profile", "target", "metaschema"],
)
@settings(max_examples=60)
@given(document=VALUES)
def test_whatever_the_quick_reader_accepts_jsonschema_accepts(schema: Any, document: Any) -> None:
    whole = {**resources.schema("profile"), **schema} if "anyOf" in schema else schema
    if accepts(whole, document):
        assert Draft202012Validator(whole).is_valid(document)


@settings(max_examples=100)
@given(document=st.dictionaries(KEYS, VALUES, max_size=3))
def test_check_says_something_exactly_where_jsonschema_does(document: dict[str, Any]) -> None:
    fits = Draft202012Validator(resources.schema("profile")).is_valid(document)
    assert (not check("profile", document)) == fits


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"type": "integer"}, 5),
        ({"type": "integer"}, 5.0),
        ({"enum": ["a"]}, "a"),
        ({"const": 1}, 1),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, 1),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"minLength": 1}}}, {"a": "b"}),
    ],
)
def test_the_quick_reader_knows_its_keywords(schema: Any, document: Any) -> None:
    assert accepts(schema, document)


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"type": "integer"}, True),
        ({"const": 1}, True),
        ({"const": 1}, 1.0),
        ({"unheard-of": 1}, 1),
        ({"not": {"type": "string"}}, 1),
        ({"$ref": "#/nowhere"}, 1),
        ({"$ref": "https://elsewhere.example/s"}, 1),
        ({"type": ["string", "integer"]}, 1),
        ({"items": {"$id": "urn:x", "type": "integer"}}, [1]),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, 1),
    ],
)
def test_the_quick_reader_gives_up_where_it_does_not_know(schema: Any, document: Any) -> None:
    assert not accepts(schema, document)


@pytest.mark.parametrize(
    ("schema", "value", "rule", "message"),
    [
        ({"type": "integer"}, "x", "wrong_type", 'expected a whole number, found "x"'),
        ({"type": ["string", "boolean"]}, 3, "wrong_type",
         "expected text in quotes or true or false, found 3"),
        ({"type": "object"}, [1], "wrong_type", "expected a table, found a list"),
        ({"type": "array"}, {}, "wrong_type", "expected a list [ … ], found a table"),
        ({"enum": ["a", "b"]}, "c", "unknown_value", 'expected "a" or "b", found "c"'),
        ({"const": 1}, 2, "unknown_value", "expected 1, found 2"),
        ({"minimum": 1, "maximum": 9}, 0, "out_of_range", "expected a number from 1 to 9, found 0"),
        ({"minimum": 1}, 0, "out_of_range", "expected at least 1, found 0"),
        ({"maximum": 1}, 2, "out_of_range", "expected at most 1, found 2"),
        ({"exclusiveMinimum": 1}, 1, "out_of_range", "expected more than 1, found 1"),
        ({"exclusiveMaximum": 1}, 1, "out_of_range", "expected less than 1, found 1"),
        ({"pattern": "^a$"}, "b" * 50, "bad_format", f'expected text like `^a$`, found "{"b" * 39}…"'),
        ({"minLength": 1}, "", "bad_length", "must not be empty"),
        ({"minLength": 3}, "ab", "bad_length", "expected at least 3 characters, found 2"),
        ({"maxItems": 1}, [1, 2], "bad_length", "expected at most 1 elements, found 2"),
        ({"minProperties": 2}, {"a": 1}, "bad_length", "expected at least 2 keys, found 1"),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, 1, "wrong_type",
         "expected text in quotes or a list [ … ], found 1"),
        ({"uniqueItems": True}, [1, 1], "bad_value", "[1, 1] has non-unique elements"),
        ({"$ref": "#/$defs/x"}, 1, "bad_schema", "the schema refers to `/$defs/x`, which leads nowhere"),
    ],
)  # fmt: skip
def test_messages(schema: Any, value: Any, rule: str, message: str) -> None:
    (problem,) = check(schema, value)
    assert (problem.rule, problem.message) == (rule, message)


def test_references_to_other_documents_are_not_fetched() -> None:
    (problem,) = check({"$ref": "http://127.0.0.1:9/schema.json"}, 1)
    assert problem.rule == "bad_schema"


def test_an_unknown_key_is_at_the_key_with_a_near_name() -> None:
    (problem,) = check("profile", {"max_worker": 5})
    assert (problem.path, problem.at, problem.hint) == (("max_worker",), "key", "did you mean `max_workers`?")


def test_an_unknown_key_without_a_near_name_lists_what_is_known() -> None:
    (problem,) = check("profile", {"limits": {"zzz": 1}})
    known = ", ".join(resources.schema("profile")["$defs"]["limits"]["properties"])
    assert problem.hint == f"known here: {known}"


def test_a_misspelt_kind_of_target_is_told_once() -> None:
    (problem,) = check("profile", {"targets": [{"urll": "https://a.example"}]})
    assert (problem.path, problem.hint) == (("targets", 0, "urll"), "did you mean `url`?")


def test_two_kinds_in_one_target() -> None:
    (problem,) = check("profile", {"targets": [{"url": "x", "host": "y"}]})
    assert problem.message.endswith("or `file`, found `url` and `host`")


def test_missing_keys_are_told_one_by_one() -> None:
    problems = check("plugin", {"plugin": {"name": "ab"}})
    assert [each.message for each in problems][:2] == [
        "`version` is missing here",
        "`protocol` is missing here",
    ]


def test_defaults_come_from_the_schema_at_every_depth() -> None:
    filled = fill_defaults(resources.schema("profile"), {"plugins": {"nmap": {"priority": 3}}})
    assert filled["max_workers"] == 5
    assert filled["plugins"]["nmap"] == {
        "enabled": True, "priority": 3, "if_missing": "fail", "grant": [], "options": {},
    }  # fmt: skip
    assert filled["http"] == {"user_agent": "kastrun", "headers": {}}


def test_filling_changes_neither_document_nor_schema() -> None:
    document: dict[str, Any] = {"limits": {}}
    filled = fill_defaults(resources.schema("profile"), document)
    filled["targets"].append("x")
    assert document == {"limits": {}}
    assert resources.schema("profile")["properties"]["targets"]["default"] == []


def test_circular_references_end() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}
    assert fill_defaults(schema, {"a": {}}) == {"a": {}}


def test_near_keeps_the_spelling_of_what_is_known() -> None:
    assert near("kastrun_color", ["KASTRUN_COLOR"]) == "did you mean `KASTRUN_COLOR`?"
    assert near("xyz", ["mode"]) is None
