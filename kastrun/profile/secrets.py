"""Secrets by reference: `{ env = … }` and `{ file = … }`, never a value.

Floor 2, pure: whether a variable is set or a file readable is asked of the Surroundings.
No message here may hold what a secret option was set to.
"""

from __future__ import annotations

from typing import Any, Final

from kastrun import resources
from kastrun.model import JsonObject, SecretRef
from kastrun.places import Notes
from kastrun.profile.layers import is_reference
from kastrun.profile.surroundings import Surroundings
from kastrun.schema import KeyPath, check

_TELLING: Final = frozenset(("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"))


def reference(value: JsonObject) -> SecretRef:
    """The reference that a table of one key stands for."""
    source, name = next(iter(value.items()))
    return SecretRef(source="env" if source == "env" else "file", name=str(name))


def reference_schema() -> JsonObject:
    """The profile schema's own rule for a secret."""
    rule: JsonObject = resources.schema("profile")["$defs"]["secret"]
    return rule


def check_secret(value: Any, path: KeyPath, notes: Notes, around: Surroundings, *, used: bool) -> None:
    """Note it where `value` is no reference, or (if it is `used`) one to nothing."""
    if not isinstance(value, dict):
        name = str(path[-1])
        variable = name.upper().replace("-", "_")
        hint = f'{name} = {{ env = "{variable}" }} or {name} = {{ file = "path" }}'
        message = "a secret may not be written here, only where it is"
        notes.add(path, "literal_secret", message, hint=hint, secret=True)
    elif misfits := check(reference_schema(), value):
        notes.add_misfits(misfits, path)
    elif used:
        check_reference(value, path, notes, around)


def check_reference(value: JsonObject, path: KeyPath, notes: Notes, around: Surroundings) -> None:
    """Note it where a well-formed reference leads to nothing."""
    found = reference(value)
    if (why := around.secret(found)) is not None:
        hint = (
            f"set it before the run: export {found.name}=…"
            if found.source == "env"
            else "a secret's file holds the secret and nothing else"
        )
        notes.add((*path, found.source), "undefined_secret", why, hint=hint)


def read_headers(headers: JsonObject, notes: Notes, around: Surroundings) -> dict[str, str | SecretRef]:
    """The headers of `[http]`, secret ones as references."""
    result: dict[str, str | SecretRef] = {}
    for name, value in headers.items():
        path = ("http", "headers", name)
        if is_reference(value):
            check_reference(value, path, notes, around)
            result[name] = reference(value)
        elif isinstance(value, str):
            result[name] = value
            if name.lower() in _TELLING:
                message = "this looks like a secret, and profiles live in git"
                hint = f'"{name}" = {{ env = "SCAN_SECRET" }}'
                notes.add(path, "literal_secret", message, hint=hint, level="warning", secret=True)
    return result
