"""The published schemas and the code are one thing: whoever changes one of the two alone fails here.

`message` is held value by value in test_protocol_messages.py, `profile` in test_profile_*.py; here are
`plugin`, `job` and `journal`. Everything is read from both sides, so that nothing is listed twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from kastrun import files, manifest, resources
from kastrun.bundle import bundle
from kastrun.engine.clock import Clock
from kastrun.engine.witness import Witness
from kastrun.facts import (
    Accepted,
    Adapted,
    Discovered,
    Egress,
    JobEnded,
    JobRetried,
    JobStarted,
    LeftOut,
    PassedOver,
    RunEnded,
    RunStarted,
    Void,
)
from kastrun.journal import reader
from kastrun.launch import Station
from kastrun.model import (
    SEVERITIES,
    TARGET_KINDS,
    Counts,
    Failure,
    Http,
    Job,
    Limits,
    Mode,
    Plugin,
    PluginMode,
    Requirement,
    SandboxAsk,
    Status,
    Target,
    Timings,
)
from kastrun.protocol import Decoder
from kastrun.protocol.messages import TYPES
from kastrun.protocol.reasons import WARNINGS
from kastrun.workspace import Harvested

JOURNAL, PLUGIN, JOB, MESSAGE = map(resources.schema, ("journal", "plugin", "job", "message"))


# --- journal: what kastrun itself witnesses ---------------------------------------------------

EVENTS = {
    "run": RunStarted,
    "accepted": Accepted,
    "start": JobStarted,
    "retry": JobRetried,
    "egress": Egress,
    "result": JobEnded,
    "discovered": Discovered,
    "passed_over": PassedOver,
    "void": Void,
    "adapt": Adapted,
    "end": RunEnded,
}
PARTS: dict[str, tuple[type[msgspec.Struct], Any]] = {
    **{name: (struct, JOURNAL["$defs"][name]) for name, struct in EVENTS.items()},
    "left_out": (LeftOut, JOURNAL["$defs"]["run"]["properties"]["left_out"]["items"]),
    "timings": (Timings, JOURNAL["$defs"]["result"]["properties"]["timings"]),
    "counts": (Counts, JOURNAL["$defs"]["result"]["properties"]["counts"]),
    "failure": (Failure, JOURNAL["$defs"]["failure"]),
}
NARROWER: Mapping[str, tuple[Any, ...]] = {
    "run.v": (reader.VERSION,),
    "run.fail_on": ("none", *SEVERITIES),
    "run.mode": get_args(Mode),
    "result.warnings[]": tuple(WARNINGS),
}
"""Where the schema has a closed list and the type is a plain one: the code's own list."""


def resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        found: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def kinds(node: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[set[str], set[Any]]:
    """The JSON types that a schema allows, and its closed list of values, if it has one."""
    node = resolved(node, root)
    names = {str: "string", int: "integer", type(None): "null"}
    if values := node.get("enum", [node["const"]] if "const" in node else None):
        return {names[type(value)] for value in values}, set(values) - {None}
    found: set[str] = {node["type"]} if isinstance(node.get("type"), str) else set(node.get("type", ()))
    closed: set[Any] = set()
    for choice in node.get("anyOf", ()):
        more, values = kinds(choice, root)
        found, closed = found | more, closed | values
    return found, closed


def same(published: Mapping[str, Any], made: Mapping[str, Any], made_root: Any, where: str) -> None:
    published, made = resolved(published, JOURNAL), resolved(made, made_root)
    (types, values), (code_types, code_values) = kinds(published, JOURNAL), kinds(made, made_root)
    assert types == code_types, where
    assert values == code_values | set(NARROWER.get(where, ())), where
    if types == {"array"}:
        same(published["items"], made["items"], made_root, f"{where}[]")


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_the_journal_is_its_type(name: str) -> None:
    struct, published = PARTS[name]
    made = msgspec.json.schema(struct)
    code = resolved(made, made)["properties"]
    fields = msgspec.structs.fields(struct)
    always = {
        each.encode_name
        for each in fields
        if each.required or not (struct.__struct_config__.omit_defaults or each.default is msgspec.UNSET)
    }
    told = published.get("properties") or dict.fromkeys(
        published["required"], published["additionalProperties"]
    )
    assert set(told) == {each.encode_name for each in fields}
    assert set(published["required"]) == always
    for member, node in told.items():
        # A member that is left out where it says nothing need not have a null.
        nullable = member in always
        there = code[member] if nullable else without_null(code[member])
        same(node, there, made, f"{name}.{member}")


def without_null(node: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
    return choices[0] if choices else node


def test_the_narrower_lists_are_all_needed() -> None:
    names = {f"{part}.{member}" for part, (struct, _) in PARTS.items() for member in struct.__struct_fields__}
    assert {where.removesuffix("[]") for where in NARROWER} <= names
    assert set(JOURNAL["$defs"]["status"]["enum"]) == set(get_args(Status))


# --- journal: what plugins say ----------------------------------------------------------------


def full(name: str) -> dict[str, Any]:
    """A message with every member that the schema has."""
    shape = MESSAGE["$defs"][name]
    return {"type": name} | {
        member: example(of) for member, of in shape["properties"].items() if member != "type"
    }


def example(of: Mapping[str, Any]) -> Any:
    of = {**of, **MESSAGE["$defs"][of["$ref"].rpartition("/")[2]]} if "$ref" in of else of
    if "enum" in of:
        return of["enum"][0]
    if of["type"] == "object":
        return {name: example(each) for name, each in of.get("properties", {}).items()}
    return {"string": "a", "integer": 1, "number": 1, "boolean": True, "array": ["a"]}[of["type"]]


def journaled(message: dict[str, Any]) -> dict[str, Any]:
    """The line that the journal gets for a message, by the code that writes it in a run."""
    decoder = Decoder(known_targets=frozenset({"a"}), output_bytes=1 << 20)
    items = decoder.feed(json.dumps(message | {"odd": 1}).encode() + b"\n", 0.0)
    job = Job(
        id="j" + "0" * 20, plugin="ab", target=Target(kind="host", value="a"), declared="a", options={},
        priority=50, order=0,
    )  # fmt: skip
    other = msgspec.structs.replace(job, id="j" + "1" * 20, target=Target(kind="host", value="b"))
    witness = Witness(bundle([job, other]), Clock())
    batch = witness.records(items, 0.0)
    if message["type"] == "artifact":
        batch = witness.artifacts([Harvested(path=message["path"], size=1, sha256="0" * 64)], 0.0)
    (line,) = batch.lines
    return {"seq": 1} | json.loads(line)


def strict(name: str) -> jsonschema.Draft202012Validator:
    """The journal's schema, but that nothing may be there which it does not name."""
    closed = {**JOURNAL["$defs"][name], "unevaluatedProperties": False}
    closed["properties"] = {**closed["properties"], "seq": True, "type": True}
    return jsonschema.Draft202012Validator({"$defs": JOURNAL["$defs"], **closed})


@pytest.mark.parametrize("name", ["finding", "asset", "log", "artifact", "custom"])
async def test_a_record_is_written_with_just_the_members_that_are_published(name: str) -> None:
    message = {"type": "x-own", "more": 1} if name == "custom" else full(name)
    event = journaled(message)
    strict(name).validate(event)
    jsonschema.Draft202012Validator(JOURNAL).validate(event)
    # `at` is no member of a log, an artifact or a custom message; an artifact's own `extra` is not kept.
    own = {member for member in ("observed_at", "extra") if member in event}
    own |= set() if name in {"log", "artifact", "custom"} else {"observed_at", "extra"}
    envelope = set(JOURNAL["$defs"]["envelope"]["properties"]) - {"observed_at", "extra"}
    assert set(event) - {"seq", "type"} == envelope | own | set(JOURNAL["$defs"][name]["properties"])


@pytest.mark.parametrize(
    "struct", [reader.FindingEntry, reader.AssetEntry, reader.LogEntry, reader.ArtifactEntry]
)
def test_what_is_read_back_is_always_written(struct: type[msgspec.Struct]) -> None:
    definition = JOURNAL["$defs"][struct.__struct_config__.tag]
    required = {*definition["required"], *JOURNAL["$defs"]["envelope"]["required"]}
    assert set(struct.__struct_fields__) <= required


def test_the_journal_has_these_types_and_no_others() -> None:
    records = {"finding", "asset", "log", "artifact"}
    assert set(JOURNAL["properties"]["type"]["anyOf"][0]["enum"]) == {*EVENTS, *records}
    assert records < TYPES.keys()


# --- the manifest -----------------------------------------------------------------------------

BASE: dict[str, Any] = {
    "plugin": {
        "name": "ab", "version": "1", "protocol": 1, "summary": "s", "exec": ["a"], "mode": "passive",
        "targets": ["url"],
    },
    "options": {"o": {"type": "integer"}},
    "requires": {"p": {"probe": ["p"]}},
}  # fmt: skip
OTHERWISE: dict[str, Any] = {
    "plugin.name": "cd",
    "plugin.version": "2",
    "plugin.summary": "t",
    "plugin.homepage": "https://example.com/",
    "plugin.exec": ["b"],
    "plugin.mode": "active",
    "plugin.targets": ["host"],
    "plugin.speaks": ["tls"],
    "plugin.depends_on": ["ef"],
    "plugin.consumes": ["asset:x"],
    "plugin.produces": ["finding"],
    "plugin.priority": 51,
    "plugin.required_options": ["o"],
    "options": {"o": {"type": "string"}},
    "requires.p.probe": ["q"],
    "requires.p.match": "1",
    "requires.p.min": "2",
    "requires.p.install": {"debian": "p"},
    "limits.total_s": 901,
    "limits.idle_s": 1,
    "limits.grace_s": 6,
    "limits.memory_mb": 1025,
    "limits.output_mb": 257,
    "sandbox.network": "none",
    "sandbox.read": ["/x"],
    "sandbox.env": ["X"],
    "sandbox.caps": ["net_raw"],
}
"""For every key of a manifest a value that it does not have in BASE."""
ELSEWHERE = {
    "plugin.protocol": "the gate: another value is another protocol (test_files.py)",
    "plugin.options_schema": "the name of a file, which `files` reads (test_files.py)",
    "limits.batch": "how many targets a job has is the plan's",
    "install": "for whoever installs plugins",
    "x": "the author's own",
}


def leaves() -> set[str]:
    """Every key of the manifest's schema, dotted; `options` and `install` as wholes."""
    found: set[str] = set()
    for table, schema in PLUGIN["properties"].items():
        inner = schema["additionalProperties"] if table == "requires" else schema
        prefix = "requires.p" if table == "requires" else table
        whole = table in {"options", "install", "x"}
        found |= {table} if whole else {f"{prefix}.{key}" for key in inner["properties"]}
    return found


def parsed(document: dict[str, Any]) -> Plugin:
    plugin, problems = manifest.parse(
        document,
        positions=files.read_content(b"", "plugin.toml").source,
        folder=f"/plugins/{document['plugin']['name']}",
        digest="",
        origin="profile",
        program=lambda _: None,
    )
    assert plugin is not None, problems
    return plugin


def changed(key: str, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(BASE))
    *tables, last = key.split(".")
    table = document
    for name in tables:
        table = table.setdefault(name, {})
    table[last] = value
    return document


def test_every_key_of_the_manifest_is_here() -> None:
    assert leaves() == OTHERWISE.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("key", OTHERWISE)
def test_every_key_of_the_manifest_is_read(key: str) -> None:
    plain, other = parsed(BASE), parsed(changed(key, OTHERWISE[key]))
    differing = {name for name in Plugin.__struct_fields__ if getattr(plain, name) != getattr(other, name)}
    assert differing - {"folder"}


def test_the_manifests_types_have_no_member_that_is_not_published() -> None:
    tables = PLUGIN["properties"]
    assert set(Limits.__struct_fields__) <= tables["limits"]["properties"].keys()
    assert set(SandboxAsk.__struct_fields__) == tables["sandbox"]["properties"].keys()
    wanted = tables["requires"]["additionalProperties"]["properties"]
    assert set(Requirement.__struct_fields__) == {"name", *wanted}
    made = {"folder", "digest", "origin", "options_schema", "secret_options", "requires", "limits", "sandbox"}
    assert set(Plugin.__struct_fields__) - made <= tables["plugin"]["properties"].keys()


def test_the_manifests_closed_lists_are_the_codes() -> None:
    keys = PLUGIN["properties"]["plugin"]["properties"]
    assert keys["targets"]["items"]["enum"] == list(TARGET_KINDS)
    assert tuple(keys["mode"]["enum"]) == get_args(PluginMode)


# --- the job line -----------------------------------------------------------------------------


def test_a_job_line_has_just_the_members_that_are_published() -> None:
    station = Station(
        plugin=parsed(BASE), limits=parsed(BASE).limits, http=Http(user_agent="a", headers={"b": "c"}),
        folders=(), passed={}, read_secret=lambda _: "",
    )  # fmt: skip
    target = Target(kind="url", value="a", scheme="a", host="a", port=1, path="/")
    job = Job(id="j1", plugin="ab", target=target, declared="a", options={"o": 1}, priority=50, order=0)
    document = json.loads(station.line(bundle([job]), "/a", "/i")[0])
    jsonschema.Draft202012Validator(JOB).validate(document)
    assert document.keys() == JOB["properties"].keys() == set(JOB["required"])
    http = JOB["properties"]["http"]
    assert document["http"].keys() == http["properties"].keys() == set(http["required"])
    assert document["targets"][0].keys() == JOB["$defs"]["target"]["properties"].keys()
    assert JOB["$defs"]["target"]["properties"]["kind"]["enum"] == list(TARGET_KINDS)
    assert document["accepts"] == list(TYPES)
