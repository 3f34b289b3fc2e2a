"""A plugin's options against the plugin's own schema.

Floor 2, pure. Secrets are taken out before the schema sees the rest: a reference has
not the type of the value that it stands for.
"""

from __future__ import annotations

from kastrun.model import JsonObject, Plugin
from kastrun.places import Notes
from kastrun.profile.layers import is_reference
from kastrun.profile.secrets import check_secret
from kastrun.profile.surroundings import Surroundings
from kastrun.schema import KeyPath, SchemaProblem, check, fill_defaults


def default_options(plugin: Plugin) -> JsonObject:
    """The options of a plugin of which the profile says nothing."""
    return fill_defaults(plugin.options_schema, {})


def read_options(
    plugin: Plugin,
    options: JsonObject,
    path: KeyPath,
    notes: Notes,
    around: Surroundings,
    *,
    used: bool,
    given_elsewhere: frozenset[str] = frozenset(),
) -> JsonObject:
    """The options complete with defaults; what is wrong is noted below `path`.

    `used` is false for a plugin that is switched off: then nothing has to be complete.
    `given_elsewhere` are options that need not be here.
    """
    secrets = {key: value for key, value in options.items() if key in plugin.secret_options}
    for key, value in secrets.items():
        check_secret(value, (*path, key), notes, around, used=used)
    plain = {key: value for key, value in options.items() if key not in secrets}
    missing_is_fine = frozenset(secrets) | given_elsewhere
    misfits = check(_without(plugin.options_schema, missing_is_fine), plain)
    notes.add_misfits(_in_context(plugin, options, misfits, used=used), path)
    return fill_defaults(plugin.options_schema, options)


def _without(schema: JsonObject, keys: frozenset[str]) -> JsonObject:
    """The schema with nothing of `keys` required."""
    required = [key for key in schema.get("required", ()) if key not in keys]
    return {**schema, "required": required}


def _in_context(
    plugin: Plugin, options: JsonObject, misfits: list[SchemaProblem], *, used: bool
) -> list[SchemaProblem]:
    """The misfits in the words of options rather than keys."""
    result: list[SchemaProblem] = []
    for misfit in misfits:
        if misfit.rule == "missing_key" and not misfit.path:
            if not used:
                continue
            message = misfit.message.replace("is missing here", f"is a required option of `{plugin.name}`")
            misfit = _changed(misfit, "missing_option", message, misfit.hint)
        elif misfit.rule == "unknown_key" and len(misfit.path) == 1:
            hint = misfit.hint or f"`{plugin.name}` takes no options"
            misfit = _changed(misfit, "unknown_option", f"unknown option of `{plugin.name}`", hint)
        elif len(misfit.path) == 1 and is_reference(options.get(str(misfit.path[0]))):
            hint = "only options that the plugin declares secret (writeOnly) take a reference"
            misfit = _changed(misfit, misfit.rule, misfit.message, hint)
        result.append(misfit)
    return result


def _changed(misfit: SchemaProblem, rule: str, message: str, hint: str | None) -> SchemaProblem:
    return SchemaProblem(path=misfit.path, rule=rule, message=message, hint=hint, at=misfit.at)
