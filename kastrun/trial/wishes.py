"""What to try: a plugin, a target, options, and the surroundings. Values only; nothing starts here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from kastrun.errors import UsageError
from kastrun.model import Http, JsonObject, Plugin, Target
from kastrun.profile import toml_or_text
from kastrun.schema import check, fill_defaults
from kastrun.targets import TargetError, convert, parse

HTTP: Final = Http(user_agent="kastrun/trial", headers={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to try: one job, and the surroundings it is tried in.

    `others` are further targets that share its process. `options` are complete (see `complete`),
    secret ones by value. `folders` are those of its programs (`requires.probe`), put behind the
    system's own; `path` replaces all of PATH. `environment` is laid over the job's own variables,
    None takes one away; `bare` begins with PATH alone. `cwd` is another working directory than
    the job's folder. `total_s` bounds `[limits] total_s`. `document`, where given, is the job
    line as it stands: `artifacts` and `inputs` are put in, every `{home}` in its strings is the
    job's folder, nothing else. `extra` members are added to an ordinary line. `inputs` is the
    text of the inputs file. `more_stdin` follows the line, which no run does. `watch` collects
    command lines.
    """

    plugin: Plugin
    target: Target
    others: tuple[Target, ...] = ()
    options: JsonObject = field(default_factory=dict)
    http: Http = HTTP
    folders: tuple[str, ...] = ()
    path: tuple[str, ...] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    bare: bool = False
    cwd: str | None = None
    total_s: float | None = None
    document: JsonObject | None = None
    extra: JsonObject = field(default_factory=dict)
    inputs: str = ""
    more_stdin: bytes = b""
    watch: bool = False


def complete(plugin: Plugin, options: JsonObject) -> JsonObject:
    """`options` with the schema's defaults. Raises UsageError, which names all that does not fit."""
    filled = fill_defaults(plugin.options_schema, options)
    misfits = check(plugin.options_schema, filled)
    if misfits:
        told = "; ".join(
            f"{'.'.join(map(str, misfit.path)) or 'options'}: {misfit.message}" for misfit in misfits
        )
        raise UsageError(f"the options do not fit {plugin.name}: {told}", hint=misfits[0].hint)
    return filled


def read_options(plugin: Plugin, texts: Sequence[str]) -> JsonObject:
    """Options from `NAME=VALUE` texts: TOML, as with `--set`, where the option is no string.

    Raises UsageError for a text without `=`.
    """
    properties: JsonObject = plugin.options_schema.get("properties", {})
    found: JsonObject = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {text} is not NAME=VALUE", hint="for example --option ports=[80,443]")
        schema = properties.get(name)
        plain = isinstance(schema, dict) and schema.get("type") == "string"
        found[name] = value if plain else _value(value)
    return found


def target_for(plugin: Plugin, text: str) -> Target:
    """What the plugin is given for `text`, turned into a kind that it takes. Raises UsageError.

    A file's path is made absolute: the plugin has another working directory.
    """
    try:
        declared = parse(text)
    except TargetError as error:
        raise UsageError(str(error), hint=getattr(error, "hint", None)) from error
    if declared.kind == "file":
        declared = replace(declared, value=os.path.abspath(os.path.expanduser(declared.value)))
    given = next(convert(declared, plugin.targets), None)
    if given is None:
        kinds = " ".join(plugin.targets)
        raise UsageError(f"{plugin.name} takes no target of kind {declared.kind}", hint=f"it takes: {kinds}")
    return given


def _value(text: str) -> Any:
    """The TOML value that the text is, where a job line can carry it (no dates, no NaN)."""
    value = toml_or_text(text)
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return text
    return value
