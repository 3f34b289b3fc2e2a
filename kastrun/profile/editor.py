"""The profile's schema with every found plugin's options folded in, for editors.

Floor 2, pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from kastrun import resources
from kastrun.model import JsonObject, Plugin


def editor_schema(known_plugins: Mapping[str, Plugin]) -> JsonObject:
    """A JSON Schema 2020-12 that completes and checks `plugins.NAME.options` too.

    Each plugin's options become a resource of their own (`$id`), so that their
    references keep their meaning.
    """
    schema = deepcopy(resources.schema("profile"))
    schema.pop("$id", None)
    definitions = schema["$defs"]
    entry = definitions["target"]["anyOf"][1]["properties"]["plugins"]
    entry["properties"], schema["properties"]["plugins"]["properties"] = {}, {}
    for name, plugin in sorted(known_plugins.items()):
        definitions[f"options-{name}"] = _options(plugin)
        reference = {"$ref": f"#/$defs/options-{name}"}
        choice = deepcopy(definitions["choice"])
        choice["description"] = plugin.summary
        choice["properties"]["options"] = {
            **reference,
            "required": list(plugin.options_schema.get("required", ())),
        }
        schema["properties"]["plugins"]["properties"][name] = choice
        entry["properties"][name] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {"options": reference},
        }
    return schema


def _options(plugin: Plugin) -> JsonObject:
    options = deepcopy(plugin.options_schema)
    options.pop("required", None)
    options.pop("$schema", None)
    options["$id"] = f"urn:kastrun:options:{plugin.name}"
    secret = resources.schema("profile")["$defs"]["secret"]
    for name in plugin.secret_options:
        told = options["properties"][name].get("description")
        options["properties"][name] = {**deepcopy(secret), **({"description": told} if told else {})}
    return options
