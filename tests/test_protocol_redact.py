"""A secret's value never comes out: not in a record, not in a breach, not from stderr."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.protocol import Decoder, Redactor
from kastrun.protocol.messages import Done

SECRET = 'hün"ter\\22'
FINDING = {"type": "finding", "rule": "r", "title": "t", "severity": "high"}


def said(
    *messages: dict[str, Any], secrets: tuple[str, ...] = (SECRET,)
) -> tuple[Decoder, list[dict[str, Any]]]:
    of = Decoder(known_targets=frozenset({"high"}), output_bytes=1 << 20, secrets=secrets)
    stream = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    return of, [json.loads(b'{"type":""' + body) for _, body in of.feed(stream, 0.0)]


@pytest.mark.parametrize(
    "where",
    [
        {"title": f"got {SECRET}!"},
        {"refs": ["CWE-1", SECRET]},
        {"location": {"url": f"https://a.example/?t={SECRET}"}},
        {"unknown": {SECRET: [SECRET]}},
        {"location": {"unknown": SECRET}},
    ],
)
def test_in_a_finding(where: dict[str, Any]) -> None:
    of, bodies = said(FINDING, FINDING | where, FINDING)
    assert of.breach is None and len(bodies) == 3
    assert "ter" not in json.dumps(bodies)
    assert json.dumps(bodies).count("[redacted]") == json.dumps(where).count("ter")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "asset", "kind": SECRET, "value": SECRET, "attrs": {SECRET: {"deep": [SECRET]}}},
        {"type": "progress", "message": SECRET},
        {"type": "log", "level": "info", "message": SECRET},
        {"type": "artifact", "path": "a", "title": SECRET},
        {"type": "x-own", "anything": [{SECRET: SECRET}]},
    ],
)
def test_in_any_other_message(message: dict[str, Any]) -> None:
    of, bodies = said(message)
    assert of.breach is None
    assert "ter" not in json.dumps(bodies)
    assert "[redacted]" in json.dumps(bodies)


def test_in_the_message_itself_too() -> None:
    of = Decoder(known_targets=frozenset({"t"}), output_bytes=1 << 20, secrets=[SECRET])
    items = of.feed(json.dumps(FINDING | {"title": SECRET}).encode() + b"\n", 0.0)
    assert len(items) == 1 and "ter" not in repr(items.messages)


def test_in_done() -> None:
    of, _ = said({"type": "done", "status": "ok", "message": f"used {SECRET}"})
    assert of.done == Done(status="ok", message="used [redacted]")


def test_numbers_where_anything_may_be() -> None:
    asset = {"type": "asset", "kind": "a", "value": "v", "attrs": {"pin": 44951234, "on": True, "port": 80}}
    _, bodies = said(asset, secrets=("44951234",))
    assert bodies[0]["attrs"] == {"pin": "[redacted]", "on": True, "port": 80}


def test_words_of_the_protocol_and_targets_stay() -> None:
    of, bodies = said(FINDING | {"target": "high", "title": "high"}, secrets=("high",))
    assert of.breach is None
    assert (bodies[0]["severity"], bodies[0]["title"]) == ("high", "[redacted]")


def test_a_mask_may_be_longer_than_the_bound() -> None:
    of, bodies = said(FINDING | {"evidence": "abcd" * 4096}, secrets=("abcd",))
    assert of.breach is None and bodies[0]["evidence"] == "[redacted]" * 4096


def test_the_longer_secret_goes_first() -> None:
    assert Redactor(["hunter", "hunter22"]).text("hunter22 hunter") == "[redacted] [redacted]"


def test_very_short_secrets_are_left_alone() -> None:
    redactor = Redactor(["", "abc"])
    assert not redactor
    assert (redactor.text("abc"), redactor.data(b"abc")) == ("abc", b"abc")


@pytest.mark.parametrize(
    "wrong",
    [
        f"token is {SECRET}".encode(),
        json.dumps({"type": SECRET}).encode(),
        json.dumps(FINDING | {"severity": SECRET}, ensure_ascii=False).encode(),
        json.dumps(FINDING | {"target": SECRET}).encode(),
        b"x" * 506 + SECRET.encode(),
    ],
)
def test_in_a_breach(wrong: bytes) -> None:
    of = Decoder(known_targets=frozenset({"t"}), output_bytes=1 << 20, secrets=[SECRET])
    of.feed(wrong + b"\n", 0.0)
    assert of.breach is not None
    shown = repr(of.breach)
    assert "hün" not in shown and "ter\\" not in shown
    assert "[reda" in of.breach.line


def test_in_the_name_of_an_unknown_field() -> None:
    of, _ = said(FINDING | {SECRET: 1})
    assert of.unknown_fields == ["[redacted]"]


def test_on_stderr_as_it_is_and_as_json() -> None:
    redactor = Redactor([SECRET])
    for form in (SECRET, json.dumps(SECRET)[1:-1], json.dumps(SECRET, ensure_ascii=False)[1:-1]):
        assert redactor.data(b"a " + form.encode() + b" \xff") == b"a [redacted] \xff"


def test_a_secret_that_is_no_text() -> None:
    """A variable's bytes need not be UTF-8; Python then has them as surrogates."""
    redactor = Redactor(["pa\udcffss\0"])
    assert redactor.text("pa\ufffdss\ufffd") == "[redacted]"
    assert redactor.data("pa\ufffdss\ufffd".encode()) == b"[redacted]"
    assert redactor.data(b"pa\xffss\0") == b"[redacted]"


@given(
    st.text(st.characters(codec="utf-8"), min_size=4, max_size=6), st.text(max_size=4), st.text(max_size=4)
)
def test_no_escaping_hides_one(secret: str, before: str, after: str) -> None:
    of, bodies = said(FINDING | {"evidence": before + secret + after}, secrets=(secret,))
    fit = Redactor([secret])
    assert of.breach is None
    assert fit.text(bodies[0]["evidence"]) == bodies[0]["evidence"] or "[redacted]" in bodies[0]["evidence"]
