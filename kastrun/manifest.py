"""A plugin's manifest: a document to a Plugin, or to everything that is wrong with it.

Floor 2, pure: the folder's digest and what its files are like come from `files`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from kastrun import resources
from kastrun.model import JsonObject, Limits, Plugin, Problem, Requirement, SandboxAsk
from kastrun.places import Notes, Source, in_order
from kastrun.schema import KeyPath, check, fill_defaults, resolve
from kastrun.schema.quick import METASCHEMA

Origin = Literal["profile", "settings", "shipped"]


def protocol_problem(document: JsonObject, positions: Source) -> Problem | None:
    """The problem of a manifest for another version of the protocol, whose other keys mean nothing here."""
    plugin = document.get("plugin")
    protocol = plugin.get("protocol") if isinstance(plugin, dict) else None
    if type(protocol) is not int or protocol == 1:
        return None
    notes = Notes(positions)
    hint = "this kastrun speaks protocol 1: use another version of the plugin, or of kastrun"
    message = f"protocol {protocol} is not spoken here"
    notes.add(("plugin", "protocol"), "protocol_unsupported", message, hint=hint)
    return notes.problems[0]


def parse(
    document: JsonObject,
    *,
    positions: Source,
    folder: str,
    digest: str,
    origin: Origin,
    program: Callable[[str], tuple[str, str | None] | None],
    options: JsonObject | None = None,
) -> tuple[Plugin | None, list[Problem]]:
    """The plugin of a manifest in `folder` (absolute); None where something is wrong with it.

    `program` answers None where ``./x`` is an executable file inside the folder, else why not
    and perhaps what to do about it, in words. `options` is the content of the file that
    `options_schema` names.
    """
    if (other := protocol_problem(document, positions)) is not None:
        return None, [other]
    notes = Notes(positions)
    misfits = check("plugin", document)
    notes.add_misfits(misfits)
    wrong = {misfit.path for misfit in misfits}
    if isinstance(plugin := document.get("plugin"), dict):
        _check_plugin(plugin, wrong, folder, program, notes)
    _check_patterns(document, wrong, notes)
    schema = _options_schema(document, options, wrong, notes)
    if notes.failed:
        return None, in_order(notes.problems)
    return _plugin(fill_defaults(resources.schema("plugin"), document), schema, folder, digest, origin), []


def _check_plugin(
    plugin: JsonObject,
    wrong: set[KeyPath],
    folder: str,
    program: Callable[[str], tuple[str, str | None] | None],
    notes: Notes,
) -> None:
    """What the schema cannot know: the folder's name, and whether the program is there."""
    name, base = plugin.get("name"), folder.rstrip("/").rpartition("/")[2]
    if isinstance(name, str) and ("plugin", "name") not in wrong and name != base:
        message = f"the folder is called `{base}`"
        notes.add(("plugin", "name"), "wrong_name", message, hint="give both the same name")
    command = plugin.get("exec")
    if isinstance(command, list) and command and isinstance(command[0], str) and "/" in command[0]:
        if not command[0].startswith("./"):
            hint = "write ./x for a file of the plugin's folder, or a bare name for a program of the system"
            notes.add(("plugin", "exec", 0), "bad_exec", "neither ./x nor a bare name", hint=hint)
        elif (fault := program(command[0])) is not None:
            why, advice = fault
            notes.add(("plugin", "exec", 0), "bad_exec", why, hint=advice)


def _check_patterns(document: JsonObject, wrong: set[KeyPath], notes: Notes) -> None:
    """Every `match` of `[requires]` is a regular expression."""
    requires = document.get("requires")
    for name, table in requires.items() if isinstance(requires, dict) else ():
        pattern = table.get("match") if isinstance(table, dict) else None
        if isinstance(pattern, str) and (why := _bad_pattern(pattern)) is not None:
            notes.add(("requires", name, "match"), "bad_pattern", why, hint="put it in single quotes: '…'")


def _bad_pattern(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"not a regular expression: {error}"
    return None


def _options_schema(
    document: JsonObject, options: JsonObject | None, wrong: set[KeyPath], notes: Notes
) -> JsonObject:
    """The schema of all options, from `[options]` or the file; its own faults are noted."""
    told, plugin = document.get("options"), document.get("plugin", {})
    required = plugin.get("required_options", []) if isinstance(plugin, dict) else []
    if options is None:
        properties = told if isinstance(told, dict) else {}
        schema: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
        _check_inner(properties, ("options",), wrong, notes)
    else:
        schema = {"type": "object", "additionalProperties": False, **options}
        if told:
            message = "options are declared twice, here and in `options_schema`"
            notes.add(("options",), "options_twice", message, hint="keep one of the two", at="key")
        _check_file(schema, notes)
    _check_required(required, schema.get("properties", {}), notes)
    return {**schema, "required": sorted({*schema.get("required", ()), *map(str, required)})}


def _check_inner(properties: JsonObject, path: KeyPath, wrong: set[KeyPath], notes: Notes) -> None:
    """What the metaschema lets pass: bad patterns, references that lead out, defaults that do not fit."""
    for name, schema in properties.items():
        here = (*path, name)
        if not isinstance(schema, dict) or any(each[: len(here)] == here for each in wrong):
            continue
        for why in _faults(schema, schema):
            notes.add(here, "bad_option", why, at="key")
        if "default" in schema:
            notes.add_misfits(check(schema, schema["default"]), (*here, "default"))


def _check_file(schema: JsonObject, notes: Notes) -> None:
    """A schema file as a whole: its problems are shown at the key that names it."""
    path = ("plugin", "options_schema")
    misfits = check({"$ref": METASCHEMA}, schema)
    for misfit in misfits:
        where = ".".join(map(str, misfit.path)) or "the schema"
        notes.add(path, "bad_option", f"{where}: {misfit.message}", hint=misfit.hint)
    if not misfits:
        if schema["type"] != "object" or not isinstance(schema.get("properties", {}), dict):
            notes.add(path, "bad_option", "the schema must be one of type object")
        for why in _faults(schema, schema):
            notes.add(path, "bad_option", why)


def _faults(schema: Any, root: JsonObject) -> list[str]:
    """Patterns that do not compile and references that do not stay in the document, at any depth."""
    found: list[str] = []
    waiting = [schema]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            if isinstance(inner.get("pattern"), str) and (why := _bad_pattern(inner["pattern"])):
                found.append(why)
            if isinstance(inner.get("$ref"), str) and not _resolves(root, inner["$ref"]):
                found.append(f"the reference `{inner['$ref']}` leads to nothing in this schema")
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
    return found


def _resolves(root: JsonObject, reference: str) -> bool:
    try:
        resolve(root, reference)
    except LookupError:
        return False
    return True


def _check_required(required: Any, properties: Any, notes: Notes) -> None:
    for index, name in enumerate(required if isinstance(required, list) else ()):
        if isinstance(properties, dict) and name not in properties:
            message = "no such option is declared"
            hint = f"declare it: [options.{name}]"
            notes.add(("plugin", "required_options", index), "unknown_option", message, hint=hint)


def _plugin(filled: JsonObject, schema: JsonObject, folder: str, digest: str, origin: Origin) -> Plugin:
    plugin, limits, sandbox = filled["plugin"], filled["limits"], filled["sandbox"]
    properties: JsonObject = schema.get("properties", {})
    secrets = {name for name, each in properties.items() if isinstance(each, dict) and each.get("writeOnly")}
    return Plugin(
        name=plugin["name"],
        version=plugin["version"],
        summary=plugin["summary"],
        homepage=plugin.get("homepage"),
        folder=folder,
        exec=tuple(plugin["exec"]),
        mode=plugin["mode"],
        targets=tuple(plugin["targets"]),
        speaks=frozenset(plugin["speaks"]),
        depends_on=tuple(plugin["depends_on"]),
        consumes=tuple(plugin["consumes"]),
        produces=tuple(plugin["produces"]),
        priority=int(plugin["priority"]),
        options_schema=schema,
        secret_options=frozenset(secrets),
        requires=tuple(_requirement(name, table) for name, table in filled["requires"].items()),
        limits=Limits(
            total_s=float(limits["total_s"]),
            idle_s=float(limits["idle_s"]),
            grace_s=float(limits["grace_s"]),
            memory_mb=int(limits["memory_mb"]),
            output_mb=int(limits["output_mb"]),
            batch=int(limits["batch"]),
        ),
        sandbox=SandboxAsk(
            network=sandbox["network"],
            read=tuple(sandbox["read"]),
            env=tuple(sandbox["env"]),
            caps=tuple(sandbox["caps"]),
        ),
        digest=digest,
        origin=origin,
    )


def _requirement(name: str, table: JsonObject) -> Requirement:
    return Requirement(
        name=name,
        probe=tuple(table["probe"]),
        match=table.get("match"),
        min=table.get("min"),
        install=table["install"],
    )
