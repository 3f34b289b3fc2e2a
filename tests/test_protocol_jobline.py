"""Section 2: one line, as the schema has it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from kastrun import resources
from kastrun.model import Target
from kastrun.protocol import jobline
from kastrun.protocol.messages import TYPES

schema = jsonschema.Draft202012Validator(resources.schema("job"))

URL = Target(
    kind="url", value="https://a.example:8443/app", scheme="https", host="a.example", port=8443, path="/app"
)


def encode(**other: Any) -> bytes:
    told: dict[str, Any] = {
        "job_id": "j7",
        "attempt": 1,
        "targets": [URL],
        "options": {"ports": "443"},
        "http": {"user_agent": "kastrun/1.0", "headers": {}, "proxy": None, "ca_file": None},
        "artifacts": "/job/artifacts",
        "inputs": "/job/inputs.jsonl",
        "deadline_s": 900.0,
    }
    return jobline.encode(**told | other)


def test_it_is_the_schemas_own_example() -> None:
    example = resources.schema("job")["examples"][0]
    assert json.loads(encode()) == example
    jsonschema.Draft202012Validator.check_schema(resources.schema("job"))
    schema.validate(example)


def test_it_is_one_line() -> None:
    line = encode(options={"banner": "two\nlines"})
    assert line.count(b"\n") == 1 and line.endswith(b"\n")


def test_what_is_not_known_of_a_target_is_left_out() -> None:
    line = encode(targets=[Target(kind="host", value="a.example", host="a.example"), URL])
    assert json.loads(line)["targets"][0] == {"kind": "host", "value": "a.example", "host": "a.example"}
    schema.validate(json.loads(line))


@pytest.mark.parametrize(("deadline", "text"), [(900.0, b":900,"), (0.5, b":0.5,"), (60, b":60,")])
def test_whole_seconds_are_written_whole(deadline: float, text: bytes) -> None:
    assert b'"deadline_s"' + text in encode(deadline_s=deadline)


def test_it_accepts_every_type() -> None:
    assert json.loads(encode())["accepts"] == list(TYPES)
    assert set(schema.schema["properties"]["targets"]["items"]) == {"$ref"}


def test_every_target_kind_is_in_the_schema() -> None:
    target = schema.schema["$defs"]["target"]
    assert set(target["properties"]) == set(Target.__struct_fields__)
    for kind in target["properties"]["kind"]["enum"]:
        schema.validate(json.loads(encode(targets=[Target(kind=kind, value="v")])))
