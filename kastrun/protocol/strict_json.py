"""The exact reader: one line of bytes to one JSON object, by rule 2 of the protocol.

Slow and unforgiving; it decides wherever the fast path of the codec is in doubt. Nothing
here knows what a message is. Python's own `json` takes NaN and duplicate keys and fails on
hostile input with RecursionError or the 4,300-digit ValueError: each is closed off before.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn

from kastrun.model import JsonObject
from kastrun.protocol.messages import MAX_INTEGER

MAX_DEPTH: Final = 32
REPLACEMENT: Final = "\ufffd"

# A whole string, or one bracket. Possessive, so that no input makes it slow.
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")


class BadJson(ValueError):
    """The line is not JSON as the protocol wants it; the text says why, for people."""


def read(line: bytes) -> tuple[JsonObject, bool]:
    """The object on `line`, and whether any of its text had to be replaced by U+FFFD.

    Invalid UTF-8, lone surrogates and U+0000 (raw or escaped) are replaced. Raises BadJson
    on all else that rule 2 forbids, and on what is not an object.
    """
    text, replaced = _decode(line)
    _check_depth(text)
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BadJson(f"{error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    if not isinstance(value, dict):
        raise BadJson(f"a message is a JSON object, this is {_NAMES[type(value)]}")
    if "\\u" in text:
        fitting = _fit(value)
        return fitting, replaced or fitting != value
    return value, replaced


def _decode(line: bytes) -> tuple[str, bool]:
    try:
        text, replaced = line.decode(), False
    except UnicodeDecodeError:
        text, replaced = line.decode(errors="replace"), True
    if "\0" in text:
        return text.replace("\0", REPLACEMENT), True
    return text, replaced


def _check_depth(text: str) -> None:
    """Raises BadJson past 32 brackets in one another, strings left out; a flat pass, no recursion."""
    depth = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadJson(f"nested deeper than {MAX_DEPTH} at character {token.start() + 1}")
        elif first in "]}":
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        counted = Counter(key for key, _ in pairs)
        twice = counted.most_common(1)[0][0]
        raise BadJson(f"the key {json.dumps(twice[:40], ensure_ascii=False)} is there twice")
    return members


def _integer(digits: str) -> int:
    # Length first: int() of thousands of digits is slow, past 4,300 an error of its own.
    if len(digits) > len(str(-MAX_INTEGER)) or abs(value := int(digits)) > MAX_INTEGER:
        shown = digits if len(digits) <= 24 else digits[:20] + "…"
        raise BadJson(f"the integer {shown} is beyond ±(2^53-1)")
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadJson(f"the number {digits[:24]} is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise BadJson(f"{name} is not JSON")


def _fit(value: Any) -> Any:
    """`value` with U+0000 and lone surrogates replaced, in keys too."""
    if isinstance(value, str):
        return _UNFIT.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_fit(item) for item in value]
    if isinstance(value, dict):
        return _members([(_fit(key), _fit(item)) for key, item in value.items()])
    return value


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
_NAMES: Final[dict[type, str]] = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
