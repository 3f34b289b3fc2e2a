"""Rule 2, and that the fast way never says otherwise than the exact reader."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from fuzz_oracle import certain_is_exact, exact_is_json
from hypothesis import example, given
from hypothesis import strategies as st
from protocol_examples import BAD, GOOD, json_values, messages

from kastrun.protocol import certain, exact
from kastrun.protocol.explain import Refused
from kastrun.protocol.strict_json import BadJson, read

# --- the exact reader -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":1,"a":1}', 'the key "a" is there twice'),
        (b'{"o":{"\\u0061":1,"a":2}}', 'the key "a" is there twice'),
        (b'{"\\u0000":1,"\\ufffd":2}', 'the key "\ufffd" is there twice'),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "the number 1e999 is too large"),
        (b'{"a":-1e999}', "the number -1e999 is too large"),
        (b'{"a":9007199254740992}', "the integer 9007199254740992 is beyond ±(2^53-1)"),
        (b'{"a":-9007199254740992}', "the integer -9007199254740992 is beyond ±(2^53-1)"),
        (b'{"a":' + b"1" * 5000 + b"}", "the integer 11111111111111111111… is beyond ±(2^53-1)"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "nested deeper than 32 at character 37"),
        (b'{"a":' + b"[" * 500_000, "nested deeper than 32 at character 37"),
        (b"[1]", "a message is a JSON object, this is a list"),
        (b'"a"', "a message is a JSON object, this is a string"),
        (b"12", "a message is a JSON object, this is a number"),
        (b"true", "a message is a JSON object, this is true or false"),
        (b"null", "a message is a JSON object, this is null"),
        (b'{"a":"\x01"}', "Invalid control character at character 7"),
        (b'{"a":1} {"b":2}', "Extra data at character 9"),
        (b"{'a':1}", "Expecting property name enclosed in double quotes at character 2"),
        (b"\x0c{}", "Expecting value at character 1"),
        (b"\0{}", "Expecting value at character 1"),
        (b'{"a":"\\x"}', "Invalid \\escape at character 7"),
        (b'{"a":01}', "Expecting ',' delimiter at character 7"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else "",
)
def test_what_is_not_json(line: bytes, why: str) -> None:
    with pytest.raises(BadJson) as caught:
        read(line)
    assert str(caught.value) == why


def test_thirty_two_deep_is_deep_enough() -> None:
    line = b'{"a":' + b"[" * 31 + b'"[[[[{{{{"' + b"]" * 31 + b"}"
    document, _ = read(line)
    assert json.dumps(document).count("]") == 31


@pytest.mark.parametrize(
    ("line", "document"),
    [
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (b'{"\xff":1}', {"\ufffd": 1}),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
        (b'{"a":["\\udc00\\ud800"]}', {"a": ["\ufffd\ufffd"]}),
        (b'{"a":"x\\u0000y"}', {"a": "x\ufffdy"}),
        (b'{"a":"x\0y"}', {"a": "x\ufffdy"}),
        (b'{"\\u0000":{"\\ud800":1}}', {"\ufffd": {"\ufffd": 1}}),
    ],
)
def test_hostile_text_is_replaced_and_said(line: bytes, document: object) -> None:
    assert read(line) == (document, True)


@pytest.mark.parametrize(
    "line", [b'{"a":"\\ud83d\\ude00"}', '{"a":"😀\x7f"}'.encode(), b'{"a":"\xef\xbf\xbd"}']
)
def test_unusual_text_is_kept(line: bytes) -> None:
    document, replaced = read(line)
    assert not replaced
    assert document == json.loads(line)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    exact_is_json(line)


# --- the fast way -----------------------------------------------------------------------

SPACE = st.sampled_from(["", "", "", " ", "\t", " \r "])
ODD = st.sampled_from(
    [
        "1e5", "1.0", "-0", "-0.0", "1e-999", "1e999", "01", "NaN", "9007199254740991", "9007199254740992",
        "-9007199254740993", "1" * 30, "1.00000000000000000001", "0.1234567890123456789", "123456789012345e1",
        '"\\u0022"', '"\\""', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\/"', '"\\\\u0022"', '"\x7f"',
        '"\x01"', "[" * 31 + "]" * 31, "[" * 33 + "]" * 33, '"attrs\\":"', "true", "nul", "",
    ]
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "rule", "title", "type", "attrs", "severity", "location", "x_y", "zz", "at", "target", "evidence",
        "refs", "\\u0061t", "rul\\u0065", 'a\\"', "level", "message", "kind", "value", "done", "",
    ]
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn, value: Any) -> str:
    """JSON text for `value` as a plugin might print it, with members it should not have."""
    if isinstance(value, dict):
        members = [(json.dumps(key), draw(texts(item))) for key, item in value.items()]
        if draw(st.integers(0, 9)) == 9:
            rest = draw(st.one_of(ODD, json_values.map(json.dumps)))
            members.insert(draw(st.integers(0, len(members))), (f'"{draw(KEYS)}"', rest))
        if members and draw(st.integers(0, 9)) == 9:
            members.append(draw(st.sampled_from(members)))
        inside = ",".join(f"{draw(SPACE)}{key}{draw(SPACE)}:{draw(SPACE)}{text}" for key, text in members)
        return f"{{{inside}{draw(SPACE)}}}"
    if draw(st.integers(0, 29)) == 29:
        return draw(ODD)
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line, near to a message, perhaps with a byte damaged."""
    attrs = st.dictionaries(KEYS.filter(lambda key: "\\" not in key), json_values, max_size=3)
    assets = attrs.map(lambda attrs: {"type": "asset", "kind": "a", "value": "b", "attrs": attrs})
    whole = st.one_of(st.sampled_from(GOOD), assets, messages())
    line = draw(whole.flatmap(texts)).encode(errors="surrogatepass").replace(b"\n", b" ")
    if draw(st.integers(0, 3)) == 3:
        place = draw(st.integers(0, len(line)))
        damage = draw(st.sampled_from([b'"', b"\\", b"\xff", b"{", b"}", b"\0", b",", b"1", b"e", b" ", b""]))
        line = line[:place] + damage + line[place + draw(st.integers(0, 1)) :]
    return line


@given(lines())
@example(b'{"type":"log","level":"info","message":"a","message":"a"}')
@example(b'{"type":"log","level":"info","message":"a","\\u006dessage":"a"}')
@example(b'{"type":"log","level":"info","message":"\\u0022\\u0022","zz":1}')
@example(b'{"type":"log","level":"info","message":"\\u0000"}')
@example(b'{"type":"asset","kind":"a","value":"b","attrs":{"a":1,"a":2}}')
@example(b'{"type":"asset","kind":"a","value":"b","\\u0061ttrs":{"a":' + b"1" * 16 + b"}}")
@example(b'{"type":"asset","kind":"a","value":"b","attrs":{"a":' + b"[" * 31 + b"]" * 31 + b"}}")
@example(b'{"type":"progress","type":"progress"}')
def test_what_is_certain_is_what_the_exact_reader_says(line: bytes) -> None:
    certain_is_exact(line, [line])


findings = messages().filter(lambda message: message.get("type") == "finding")


@given(findings.flatmap(texts).map(lambda text: text.encode(errors="surrogatepass")), st.booleans())
@example(b'{"type":"finding","rule":"r","title":"\\u0001\\n\x7f/","severity":"low","rule":"r"}', False)
@example(b'{"type":"finding","rule":"r","title":"t","severity":"low","location":{"port":-0}}', False)
def test_no_finding_is_longer_in_its_encoding(line: bytes, compact: bool) -> None:
    if compact:
        line = line.replace(b" ", b"").replace(b"\t", b"").replace(b"\r", b"")
    try:
        message = msgspec.json.decode(line, type=certain.Known)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert len(certain.encode(message)) <= len(line)
    certain_is_exact(line, [line])


@given(st.lists(lines(), min_size=1, max_size=4))
@example([b'{"type":"progress","message":"\\u0022"}', b'{"type":"progress","zz":1}'])
def test_the_same_for_a_block(several: list[bytes]) -> None:
    certain_is_exact(b"\n".join(several), several)


@pytest.mark.parametrize("message", GOOD, ids=lambda message: json.dumps(message)[:60])
def test_ordinary_lines_are_certain(message: dict[str, Any]) -> None:
    line = json.dumps(message).encode()
    unknown = {"x_mine", "more"} & set(json.dumps(message).replace('"', " ").split())
    fast = certain.read(line, [line])
    if message["type"].startswith("x-") or unknown or message.get("location", {}).get("port"):
        assert fast is None
    else:
        assert fast is not None


# --- why a line was refused -------------------------------------------------------------


def refusal(line: bytes | dict[str, Any]) -> Refused:
    refused = exact.read(json.dumps(line).encode() if isinstance(line, dict) else line)
    assert isinstance(refused, Refused)
    return refused


@pytest.mark.parametrize("message", BAD, ids=lambda message: json.dumps(message)[:60])
def test_every_refusal_says_what_and_what_to_do(message: dict[str, Any]) -> None:
    refused = refusal(message)
    assert refused.reason in {"bad_message", "unknown_message"}
    assert refused.message and refused.hint


FINDING = {"type": "finding", "rule": "r", "title": "t", "severity": "low"}


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            b"Starting scan",
            "this line is not a message: Expecting value at character 1",
            "stdout is reserved",
        ),
        (b"{", "this line is not a message: Expecting property name", "a message is one line"),
        (b'  "type": "finding",', "this line is not a message: Extra data", "a message is one line"),
        (b"{'type': 'done'}", "this line is not a message: Expecting property name", "double quotes"),
        (b'{"a":NaN}', "this line is not a message: NaN is not JSON", "no NaN"),
        ("{}".encode("utf-16-le"), "this line is not a message: Expecting property name", "UTF-16"),
        (b"\xef\xbb\xbf{}", "this line is not a message: Expecting value", "a byte order mark"),
        (
            b'[{"type":"done"}]',
            "this line is not a message: a message is a JSON object, this is a list",
            "own",
        ),
        (b'{"a":"\t"}', "this line is not a message: Invalid control character", "a JSON encoder"),
        (b'{"a":"\\x41"}', "this line is not a message: Invalid \\escape", "a JSON encoder"),
        ({"rule": "r"}, "this message has no `type`", "`type` is one of: finding, asset"),
        ({"type": 7}, "this message has a `type` that is not a string", "`type` is one of: finding, asset"),
        ({"type": "findng"}, "`findng` is not a type of message", "did you mean `finding`?"),
        ({"type": "zzz"}, "`zzz` is not a type of message", "begins with `x-`"),
        ({"type": "state"}, "the type `state` is reserved", "begins with `x-`"),
        ({"type": "hello"}, "the type `hello` is reserved", "begins with `x-`"),
        ({"type": "cancel"}, "the type `cancel` is reserved", "begins with `x-`"),
        ({"type": "asset", "kind": "a"}, "asset: `value` is required, and absent", "kastrun schema message"),
        ({"type": "log", "message": "m"}, "log: `level` is required, and absent", "debug, info, warn, error"),
        (
            FINDING | {"severity": "hgh"},
            "finding: `severity`: invalid enum value 'hgh'",
            "did you mean `high`?",
        ),
        (FINDING | {"severity": "9.8"}, "finding: `severity`: invalid enum value '9.8'", "info, low, medium"),
        (
            FINDING | {"key": None},
            "finding: `key`: expected a string, got null",
            "leave out what is not known",
        ),
        (
            FINDING | {"evidence": "e" * 17000},
            "finding: `evidence`: expected a string of length <=",
            "artifact",
        ),
        (
            FINDING | {"location": {"port": "1"}},
            "finding: `location.port`: expected an integer",
            "schema message",
        ),
        ({"type": "done", "status": "error"}, "done: status `error` needs `error`", "schema message"),
        (
            {"type": "done", "status": "error", "error": {"kind": "Target", "message": ""}},
            "done: `error.kind`: invalid enum value 'Target'",
            "did you mean `target`?",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_words(line: bytes | dict[str, Any], message: str, hint: str) -> None:
    refused = refusal(line)
    assert message in refused.message
    assert hint in refused.hint


def test_unknown_fields_are_kept_apart_and_named() -> None:
    message = FINDING | {"sevrity": 1, "x_own": 2, "location": {"url": "u", "col": 3, "x_c": 4}}
    reading = exact.read(json.dumps(message).encode())
    assert not isinstance(reading, Refused)
    assert reading.extra == {"sevrity": 1, "x_own": 2, "location": {"col": 3, "x_c": 4}}
    assert sorted(reading.unknown) == ["location.col", "sevrity"]
