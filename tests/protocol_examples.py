"""One set of messages, good and bad, that the schema and the code must judge alike; and how to make more."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

FINDING = {"type": "finding", "rule": "r", "title": "t", "severity": "low"}
ASSET = {"type": "asset", "kind": "service", "value": "a.example:443/tcp"}
DONE = {"type": "done", "status": "ok"}
ERROR = {"kind": "target", "message": "refused"}

GOOD: list[dict[str, Any]] = [
    FINDING,
    FINDING | {"location": {}},
    FINDING | {"location": {"port": 443.0, "line": 2**53 - 1}},
    FINDING | {"evidence": "é" * 16384, "refs": [], "x_mine": None, "unknown": [1]},
    FINDING | {"at": "yesterday", "confidence": "high", "tags": ["a"], "artifacts": ["b"], "key": ""},
    ASSET,
    ASSET | {"attrs": {"a": [None, True, 1.5, {"b": {}}]}},
    {"type": "progress"},
    {"type": "progress", "done": 0, "total": 2.5, "message": "", "slow_down": True},
    {"type": "log", "level": "warn", "message": ""},
    {"type": "artifact", "path": "a/b.xml", "media_type": "text/xml", "title": "b"},
    DONE,
    DONE | {"failed_targets": []},
    {"type": "done", "status": "partial", "failed_targets": ["t"], "error": ERROR},
    {"type": "done", "status": "skipped", "message": "nothing here"},
    {"type": "done", "status": "error", "error": ERROR | {"retry_after_s": 1.5, "more": 1}},
    {"type": "x-", "severity": 1},
    {"type": "x-mine", "target": ["no target of the job's"]},
]

BAD: list[dict[str, Any]] = [
    {},
    {"type": None},
    {"type": 1},
    {"type": "findings"},
    {"type": "X-mine"},
    {"type": "state"},
    {"type": "finding"},
    FINDING | {"rule": ""},
    FINDING | {"title": None},
    FINDING | {"severity": "High"},
    FINDING | {"severity": 3},
    FINDING | {"description": None},
    FINDING | {"evidence": "e" * 16385},
    FINDING | {"confidence": "certain"},
    FINDING | {"refs": "CWE-79"},
    FINDING | {"refs": [79]},
    FINDING | {"location": "https://a.example/"},
    FINDING | {"location": {"port": "443"}},
    FINDING | {"location": {"port": 65536}},
    FINDING | {"location": {"port": 443.5}},
    FINDING | {"location": {"port": True}},
    FINDING | {"location": {"line": -1}},
    FINDING | {"at": 1700000000},
    ASSET | {"value": ""},
    ASSET | {"attrs": []},
    {"type": "asset", "value": "v"},
    {"type": "progress", "done": -1},
    {"type": "progress", "total": "10"},
    {"type": "progress", "done": True},
    {"type": "progress", "done": 2.0**60},
    {"type": "progress", "slow_down": 1},
    {"type": "log", "message": "m"},
    {"type": "log", "level": "warning", "message": "m"},
    {"type": "artifact", "path": ""},
    {"type": "done"},
    {"type": "done", "status": "failed"},
    {"type": "done", "status": "error"},
    {"type": "done", "status": "error", "error": {"kind": "target"}},
    {"type": "done", "status": "error", "error": {"kind": "network", "message": ""}},
    DONE | {"error": ERROR},
    DONE | {"failed_targets": ["t"]},
    {"type": "done", "status": "error", "error": ERROR, "failed_targets": ["t"]},
    DONE | {"error": None},
]

NAMES = sorted({name for message in GOOD for name in message} | set(GOOD[2]["location"]))
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "low", "high", "ok", "error", "partial", "warn", "debug", "internal", 'é\n"\\']),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
json_values = st.recursive(
    _values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "x_own", "other"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message near the border: one of the examples with a few members set anew or taken away."""
    message = dict(draw(st.sampled_from(GOOD + BAD)))
    message |= draw(st.dictionaries(st.sampled_from([*NAMES, "x_own", "other"]), json_values, max_size=2))
    for name in draw(st.lists(st.sampled_from(sorted(message) or ["type"]), max_size=1)):
        message.pop(name, None)
    return message
