"""What a schema check gives back, and the near word for a hint.

Floor 1, pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

KeyPath = tuple[str | int, ...]


class SchemaProblem(Struct, frozen=True, kw_only=True):
    """One misfit: where (key path, and whether the key or its value is wrong), what, and a hint."""

    path: KeyPath
    rule: str
    message: str
    hint: str | None = None
    at: Literal["key", "value"] = "value"


def near(word: str, known: Iterable[str]) -> str | None:
    """``did you mean `x`?`` where a known word is close to `word`."""
    from difflib import get_close_matches

    by_small = {each.lower(): each for each in known}
    found = get_close_matches(word.lower(), list(by_small), n=1, cutoff=0.6)
    return f"did you mean `{by_small[found[0]]}`?" if found else None
