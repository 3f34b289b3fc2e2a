"""Where the shipped schemas, plugins and example are: in the wheel, or in a checkout.

Floor 0, and its one door to the file system: it reads what was shipped, nothing of
the user's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from kastrun.model import JsonObject

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The path of a shipped file or folder (`schemas`, `plugins`, `kast.toml.example`).

    Raises FileNotFoundError where the installation lacks it.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (path := root / name).exists():
            return path
    raise FileNotFoundError(f"{name} is missing from this installation of kastrun: install it again")


@cache
def schema(kind: str) -> JsonObject:
    """The JSON Schema called `kind` (profile, plugin, message, job, journal). Do not change it."""
    document: JsonObject = msgspec.json.decode((shipped("schemas") / f"{kind}.schema.json").read_bytes())
    return document
