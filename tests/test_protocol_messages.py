"""The schema is the published truth; the types must agree with it on every message and in every name."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

import jsonschema
import msgspec
import pytest
from hypothesis import given
from protocol_examples import BAD, GOOD, messages

from kastrun import resources
from kastrun.protocol import exact
from kastrun.protocol.explain import Refused
from kastrun.protocol.messages import ENUMS, EVIDENCE_LENGTH, TYPES, ErrorInfo, Location

SCHEMA = resources.schema("message")
schema = jsonschema.Draft202012Validator(SCHEMA)
SHAPES = {**TYPES, "location": Location, "error": ErrorInfo}


def taken(message: dict[str, Any]) -> bool:
    return not isinstance(exact.read(json.dumps(message).encode()), Refused)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("message", GOOD, ids=lambda message: json.dumps(message)[:60])
def test_good_for_both(message: dict[str, Any]) -> None:
    schema.validate(message)
    assert taken(message)


@pytest.mark.parametrize("message", BAD, ids=lambda message: json.dumps(message)[:60])
def test_bad_for_both(message: dict[str, Any]) -> None:
    assert not schema.is_valid(message)
    assert not taken(message)


@given(messages())
def test_they_agree_on_any_message(message: dict[str, Any]) -> None:
    assert schema.is_valid(message) == taken(message)


@pytest.mark.parametrize("name", SHAPES)
def test_names_and_required_are_the_same(name: str) -> None:
    published = SCHEMA["$defs"][name]
    fields = msgspec.structs.fields(SHAPES[name])
    assert set(published["properties"]) - {"type"} == {field.encode_name for field in fields}
    assert set(published.get("required", ())) - {"type"} == {
        field.encode_name for field in fields if field.required
    }


def literals(name: str) -> dict[str, tuple[str, ...]]:
    """Members of a type that have a closed list of values."""
    found = {}
    for field in msgspec.structs.fields(SHAPES[name]):
        for choice in (field.type, *get_args(field.type)):
            if get_origin(choice) is Literal:
                found[field.encode_name] = get_args(choice)
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_closed_lists_are_the_same(name: str) -> None:
    published = SCHEMA["$defs"][name]["properties"]
    assert {member: tuple(of["enum"]) for member, of in published.items() if "enum" in of} == literals(name)
    prefix = "error." if name == "error" else ""
    for member, values in literals(name).items():
        assert ENUMS[prefix + member] == values


def test_the_types_are_those_of_the_schema() -> None:
    assert SCHEMA["properties"]["type"]["anyOf"][0]["enum"] == list(TYPES)
    assert SCHEMA["$defs"]["finding"]["properties"]["evidence"]["maxLength"] == EVIDENCE_LENGTH


@pytest.mark.parametrize("name", [*TYPES, "custom"])
def test_its_own_examples_are_good(name: str) -> None:
    assert SCHEMA["$defs"][name]["examples"]
    for example in SCHEMA["$defs"][name]["examples"]:
        schema.validate(example)
        assert taken(example)


@pytest.mark.parametrize("message", GOOD, ids=lambda message: json.dumps(message)[:60])
def test_encoding_again_says_what_was_said(message: dict[str, Any]) -> None:
    reading = exact.read(json.dumps(message).encode())
    assert not isinstance(reading, Refused)
    if not message["type"].startswith("x-"):
        again = msgspec.json.decode(msgspec.json.encode(reading.message))
        for name, rest in reading.extra.items():
            again[name] = again[name] | rest if name in again else rest
        assert again == message
