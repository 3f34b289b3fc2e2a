"""Why a line was refused, in words for whoever wrote the plugin: what is wrong, what to do.

Text only: a breach is found elsewhere, here it is put into a sentence and a hint.
"""

from __future__ import annotations

import difflib
import re
from typing import Final, NamedTuple

import msgspec

from kastrun.protocol.messages import ENUMS, RESERVED, TYPES
from kastrun.protocol.reasons import FAILURES

_STDERR: Final = "stdout is reserved for the protocol: print everything else to stderr"
_PATH: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_ENUM_VALUE: Final = re.compile(r"[Ii]nvalid enum value '(.*)'", re.DOTALL)
_JSON_NAMES: Final = {
    "`str`": "a string",
    "`int`": "an integer",
    "`float`": "a number",
    "`int | float`": "a number",
    "`bool`": "true or false",
    "`null`": "null",
    "`array`": "a list",
    "`object`": "an object",
}
_CODE_NAMES: Final = re.compile("|".join(map(re.escape, sorted(_JSON_NAMES, key=len, reverse=True))))
_PASTED: Final = "build messages with a JSON encoder (json.dumps, jq), never by pasting text into one"
_BEGINNINGS: Final = {
    b"{'": "JSON wants double quotes: print json.dumps(message), not the dict itself",
    b"{\0": "print UTF-8: this looks like UTF-16",
    b"[{": "print each message on a line of its own, not a list of them",
    b"\xef\xbb\xbf": "a byte order mark may open the output, and stand nowhere else: print without one",
}
_PRETTY: Final = frozenset({b"{", b"[", b"}", b"]", b"},", b"],"})


class Refused(NamedTuple):
    """A line that ends the job: a reason of section 5, a sentence, and what to do about it."""

    reason: str
    message: str
    hint: str


def plain(reason: str, message: str) -> Refused:
    """A breach that has nothing to say beyond its reason's own hint."""
    return Refused(reason, message, FAILURES[reason].hint)


def bad_json(line: bytes, why: str) -> Refused:
    """`line` could not be read as one JSON object, for the cause `why`."""
    return Refused("bad_json", f"this line is not a message: {why}", _json_hint(line.strip(), why))


def _json_hint(line: bytes, why: str) -> str:
    """What whoever printed such a line most likely did; beginnings tell."""
    if line in _PRETTY or (line.startswith(b'"') and line.endswith(b",")):
        return "a message is one line: print compact JSON (json.dumps without indent, jq -c)"
    for start, hint in _BEGINNINGS.items():
        if line.startswith(start):
            return hint
    if not line.startswith(b"{"):
        return _STDERR
    return _PASTED if why.startswith("Invalid ") else FAILURES["bad_json"].hint


def unknown_type(name: str) -> Refused:
    """The line is an object, but no message of this version has the type `name`."""
    shown = name[:40]
    if name in RESERVED:
        return Refused(
            "unknown_message",
            f"the type `{shown}` is reserved for a later version of the protocol",
            "choose a name that begins with `x-` for messages of your own",
        )
    near = difflib.get_close_matches(shown, TYPES, n=1)
    hint = f"did you mean `{near[0]}`?" if near else FAILURES["unknown_message"].hint
    return Refused("unknown_message", f"`{shown}` is not a type of message", hint)


def no_type(found: object) -> Refused:
    """The line is an object without a `type` that is a string."""
    what = "has no `type`" if found is None else "has a `type` that is not a string"
    return Refused("bad_message", f"this message {what}", f"`type` is one of: {', '.join(TYPES)}")


def bad_message(kind: str, error: msgspec.ValidationError) -> Refused:
    """A message of type `kind` does not fit its schema."""
    match = _PATH.fullmatch(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    if missing := _MISSING.search(what):
        path, what = f"{path}.{missing[1]}".lstrip("."), "is required, and absent"
    what = _CODE_NAMES.sub(lambda name: _JSON_NAMES[name[0]], what)
    place = f"`{path}` " if missing else f"`{path}`: " if path else ""
    return Refused("bad_message", f"{kind}: {place}{what[:1].lower()}{what[1:]}", _hint(path, what))


def _hint(path: str, what: str) -> str:
    if allowed := ENUMS.get(path):
        found = _ENUM_VALUE.search(what)
        near = difflib.get_close_matches(found[1][:40].lower(), allowed, n=1) if found else []
        return f"did you mean `{near[0]}`?" if near else f"`{path}` is one of: {', '.join(allowed)}"
    if path == "evidence" and "length" in what:
        return "keep the telling part (at most 16,384 characters), and hand over the rest as an artifact"
    if "got null" in what:
        return "leave out what is not known: null is a value"
    return FAILURES["bad_message"].hint


def foreign_target(kind: str, target: str, known: frozenset[str]) -> Refused:
    """The message names a target that the job was not given."""
    near = difflib.get_close_matches(target[:200], sorted(known)[:1000], n=1, cutoff=0.5)
    hint = f"this job has {_some(sorted(known))}: use a target's `value` as the job line has it"
    if near and len(known) > 1:
        hint = f"did you mean {near[0]!r}? Use a target's `value` as the job line has it"
    return Refused("bad_message", f"{kind}: {target[:200]!r} is not a target of this job", hint)


def no_target(known: frozenset[str]) -> Refused:
    """A finding of a job with several targets says not which one it is about."""
    hint = f"add `target`, the `value` of one of this job's: {_some(sorted(known))}"
    return Refused("bad_message", "finding: `target` is required where a job has several targets", hint)


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
