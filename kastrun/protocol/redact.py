"""Secrets out of whatever a plugin prints: each known value becomes `[redacted]`.

Knows values, never where they came from. Pure text and bytes: who keeps a stream's head and
tail must redact before cutting, or a value that straddles the cut is half kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from kastrun.protocol.messages import Asset, Custom, Done, ErrorInfo, Finding, Log

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

MASK: Final = "[redacted]"

SHORTEST: Final = 4
"""Shorter secrets are left alone, in characters: hiding every `a` would say more than it hides."""

# Members from a closed list, or that name a target of the profile: a mask there would only break them.
_CLOSED: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    Finding: ("target", "severity", "confidence"),
    Asset: ("target",),
    Log: ("target", "level"),
    Done: ("status", "failed_targets"),
    ErrorInfo: ("kind",),
    Custom: ("target",),
}


class Redactor:
    """Replaces the given values; false where there are none to replace."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        raw = {_bytes(secret) for secret in secrets if len(secret) >= SHORTEST}
        values = sorted(map(_fit, raw), key=len, reverse=True)
        forms = sorted(raw.union(*map(_forms, values)), key=len, reverse=True)
        self._encoded = tuple(msgspec.json.encode(value)[1:-1] for value in values)
        self._text = re.compile("|".join(map(re.escape, values))) if values else None
        self._data = re.compile(b"|".join(map(re.escape, forms))) if values else None

    @classmethod
    @lru_cache(64)
    def of(cls, secrets: tuple[str, ...]) -> Redactor:
        """One for all jobs of the same secrets: making it costs more than most jobs use it."""
        return cls(secrets)

    def __bool__(self) -> bool:
        return self._text is not None

    def text(self, text: str) -> str:
        """`text` without the secrets."""
        return self._text.sub(MASK, text) if self._text else text

    def data(self, data: bytes) -> bytes:
        """`data` (a raw line, a piece of stderr) without the secrets, also where JSON escapes them."""
        return self._data.sub(MASK.encode(), data) if self._data else data

    def occurs(self, encoded: bytes) -> bool:
        """Whether a secret may be in JSON that msgspec encoded. May be wrong about yes, never about no."""
        return any(secret in encoded for secret in self._encoded)

    def value(self, value: Any) -> Any:
        """A free JSON value without the secrets: strings, keys, and numbers written like a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if self.text(str(value)) != str(value) else value
        return value

    def message(self, message: _Struct) -> _Struct:
        """A message without the secrets. Bounds are not checked again: the mask may be longer."""
        closed = _CLOSED.get(type(message), ())
        return msgspec.structs.replace(
            message,
            **{
                name: self._member(getattr(message, name))
                for name in message.__struct_fields__
                if name not in closed
            },
        )

    def _member(self, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return self.message(value)
        if isinstance(value, tuple):
            return tuple(map(self.text, value))
        return self.value(value) if isinstance(value, str | dict) else value


def _bytes(secret: str) -> bytes:
    """A secret as a program has it: a variable need not be UTF-8, and Python has it as surrogates then."""
    return secret.encode(errors="surrogateescape")


def _fit(secret: bytes) -> str:
    """A secret as it looks in a message, where what is not text has become U+FFFD."""
    return secret.decode(errors="replace").replace("\0", "\ufffd")


def _forms(value: str) -> set[bytes]:
    """The value as bytes: plain, and inside JSON with and without non-ASCII escaped."""
    return {value.encode(), msgspec.json.encode(value)[1:-1], json.dumps(value)[1:-1].encode()}
