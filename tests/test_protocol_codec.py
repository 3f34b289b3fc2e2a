"""The rules of section 4 that belong to the codec: framing, counts, order, and each reason it can give."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from protocol_examples import GOOD

from kastrun.protocol import Decoder, Item
from kastrun.protocol.codec import MAX_LINE, MAX_RECORDS
from kastrun.protocol.messages import Artifact, Asset, Custom, Done, Finding, Log, Progress
from kastrun.protocol.reasons import FAILURES

FINDING = {"type": "finding", "rule": "r", "title": "t", "severity": "low"}
OK = b'{"type":"done","status":"ok"}\n'
ONE = frozenset({"https://a.example/"})
TWO = frozenset({"https://a.example/", "https://b.example/"})


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def decoder(targets: frozenset[str] = ONE, output_bytes: int = 1 << 28, **more: Any) -> Decoder:
    return Decoder(known_targets=targets, output_bytes=output_bytes, **more)


def said(*chunks: bytes, of: Decoder | None = None) -> tuple[Decoder, list[Item]]:
    """All that these chunks give, the end of output included."""
    of = of or decoder()
    items = [item for chunk in chunks for item in of.feed(chunk, 0.0)]
    return of, [*items, *of.close(0.0)]


def body(item: Item) -> dict[str, Any]:
    """The item's body, put behind an envelope as the engine does."""
    whole: dict[str, Any] = json.loads(b'{"seq":1' + item[1])
    del whole["seq"]
    return whole


def breach(*chunks: bytes, of: Decoder | None = None) -> tuple[str, int, int]:
    """Reason, line number, and how many items came before it."""
    of, items = said(*chunks, of=of)
    assert of.breach is not None
    assert of.breach.hint and of.breach.message
    return of.breach.reason, of.breach.line_number, len(items)


# --- rule 1: framing --------------------------------------------------------------------

PIECES = [
    b"\xef\xbb\xbf", b"\n", b"\r\n", b" \t\r\n", b"\r\r\n", line(FINDING), line(FINDING)[:-1] + b"\r\n",
    line({"type": "asset", "kind": "host", "value": "é\U0001f600", "attrs": {"a": [1]}}),
    line({"type": "log", "level": "info", "message": "m"}), b'{"type":"progress"}\n', line({"type": "x-a"}),
    line(FINDING | {"more": 1}), b'{"type":"log","level":"info","message":"\xff"}\n', OK, b"oops\n",
    line(FINDING | {"severity": "x"}), line(FINDING | {"target": "elsewhere"}),
    line(FINDING | {"target": "https://a.example/"}),
    line(FINDING | {"at": "now", "key": '\n{"type":"finding"'}), b'{"type":"fin', b"\0",
]  # fmt: skip


def state(chunks: list[bytes]) -> tuple[Any, ...]:
    of, items = said(*chunks, of=decoder(output_bytes=600, max_records=4))
    return items, of.breach, of.done, of.counts, of.records, of.warnings, of.unknown_fields


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.data())
def test_chunks_make_no_difference(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert state(chunks) == state([stream])


def test_split_at_every_byte() -> None:
    short = [message for message in GOOD if message["type"] != "done" and len(line(message)) < 1000]
    stream = b"\xef\xbb\xbf" + b"".join(map(line, short)) + b"\r\n" + OK[:-1]
    targets = frozenset({"t"})
    whole, items = said(stream, of=decoder(targets))
    assert whole.breach is None and whole.done == Done(status="ok")
    for cut in range(len(stream) + 1):
        of, again = said(stream[:cut], stream[cut:], of=decoder(targets))
        assert (again, of.breach, of.done) == (items, None, whole.done)
    _, single = said(*(stream[at : at + 1] for at in range(len(stream))), of=decoder(targets))
    assert single == items


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_bytes_make_it_raise(chunks: list[bytes]) -> None:
    of, items = said(*chunks)
    for item in items:
        body(item)
    assert of.breach is None or of.breach.reason in FAILURES


def test_blank_lines_carriage_returns_and_a_byte_order_mark() -> None:
    of, items = said(b"\xef\xbb\xbf\r\n\n \t\n" + line(FINDING)[:-1] + b"\r\n\n" + OK + b"\n \r\n")
    assert (len(items), of.breach, of.done) == (1, None, Done(status="ok"))


def test_a_byte_order_mark_is_stripped_at_the_start_only() -> None:
    assert breach(b'{"type":"progress"}\n\xef\xbb\xbf{"type":"progress"}\n') == ("bad_json", 2, 1)


def test_an_empty_output_is_no_breach() -> None:
    for nothing in (b"", b"\n", b"\xef\xbb\xbf"):
        of, items = said(nothing)
        assert (items, of.breach, of.done) == ([], None, None)


def test_a_last_line_without_newline_counts() -> None:
    of, items = said(line(FINDING) + OK[:-1])
    assert (len(items), of.breach, of.done) == (1, None, Done(status="ok"))


@pytest.mark.parametrize("end", [OK[:-3], b"Segmentation fault", b'{"type":"log","type":"log"}', b"12"])
def test_a_torn_last_line(end: bytes) -> None:
    assert breach(line(FINDING) + end) == ("truncated_line", 2, 1)


def test_a_whole_last_line_has_its_own_reason() -> None:
    assert breach(b'{"type":"finding"}') == ("bad_message", 1, 0)


def test_closing_twice_says_nothing_new() -> None:
    of, _ = said(b'{"type":"progress"}')
    assert not of.close(0.0)


def padded(size: int) -> bytes:
    start = b'{"type":"log","level":"info","message":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


def test_a_line_of_one_mebibyte() -> None:
    of, items = said(padded(MAX_LINE) + b"\n" + line(FINDING))
    assert len(items) == 2 and of.breach is None
    of, items = said(padded(MAX_LINE))
    assert len(items) == 1 and of.breach is None


@pytest.mark.parametrize("end", [b"\n", b"", b"\n" + OK])
def test_a_line_that_is_too_long(end: bytes) -> None:
    assert breach(line(FINDING) + padded(MAX_LINE + 1) + end) == ("line_too_long", 2, 1)


def test_too_long_is_known_before_the_line_ends() -> None:
    of = decoder()
    for _ in range(MAX_LINE // 65536):
        of.feed(b"x" * 65536, 0.0)
    assert of.breach is None
    of.feed(b"x", 0.0)
    assert of.breach is not None and of.breach.reason == "line_too_long"


def test_blanks_that_are_too_long() -> None:
    assert breach(b" " * (MAX_LINE + 1) + b"\n") == ("line_too_long", 1, 0)


# --- rules 2 and 3: what lines say ------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"Starting scan of a.example\n", "bad_json"),
        (b'{"type":"log","level":"info","message":"a","message":"b"}\n', "bad_json"),
        (line(FINDING | {"x_n": float("nan")}), "bad_json"),
        (b"[" * 100_000 + b"\n", "bad_json"),
        (line({"type": "findings"}), "unknown_message"),
        (line({"type": "state"}), "unknown_message"),
        (line({"type": "done", "status": "error"}), "bad_message"),
        (line(FINDING | {"evidence": "e" * 16385}), "bad_message"),
        (line(FINDING | {"target": "https://b.example/"}), "bad_message"),
        (line({"type": "asset", "kind": "a", "value": "b", "target": "c"}), "bad_message"),
        (line({"type": "log", "level": "info", "message": "b", "target": "c"}), "bad_message"),
        (line({"type": "done", "status": "partial", "failed_targets": ["c"]}), "bad_message"),
        (OK + line(FINDING), "after_done"),
        (OK + OK, "after_done"),
        (OK + line({"type": "x-a"}), "after_done"),
        (OK + b"\xff", "after_done"),
        (OK + b"x" * (MAX_LINE + 1), "after_done"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_first_breach_ends_it_and_what_came_before_is_kept(wrong: bytes, reason: str) -> None:
    number = 2 + wrong.startswith(OK)
    after = line(FINDING) * 3
    assert breach(line(FINDING) + wrong + b"\n" + after) == (reason, number, 1)
    assert breach(line(FINDING), wrong + b"\n", after) == (reason, number, 1)


def test_fifty_thousand_records_then_a_breach() -> None:
    stream = line(FINDING) * 50_000 + b"boom\n" + line(FINDING)
    chunks = [stream[at : at + 65536] for at in range(0, len(stream), 65536)]
    of = decoder()
    assert breach(*chunks, of=of) == ("bad_json", 50_001, 50_000)
    assert (of.records, of.counts.finding) == (50_000, 50_000)


def test_a_breach_shows_the_line() -> None:
    of, _ = said(b"caf\xc3\xa9 \xff" + b"x" * 600 + b"\n")
    assert of.breach is not None
    assert of.breach.line.startswith("café \ufffdxxx")
    assert len(of.breach.line.encode()) <= 512
    of, _ = said(b"\xc3\xa9" * 600 + b"\n")
    assert of.breach is not None and of.breach.line == "é" * 256


def test_nothing_is_taken_after_a_breach() -> None:
    of, _ = said(b"boom\n")
    first = of.breach
    assert not of.feed(b"bang\n" + line(FINDING), 0.0)
    assert not of.close(0.0)
    assert of.breach is first


def test_hostile_text_is_replaced_and_warned_about() -> None:
    of, items = said(b'{"type":"log","level":"info","message":"\xff\\ud800\\u0000"}\n' + line(FINDING) + OK)
    assert isinstance(items[0][0], Log) and items[0][0].message == "\ufffd\ufffd\ufffd"
    assert of.warnings == {"utf8_replaced": 1} and of.breach is None


def test_unknown_fields_are_kept_and_said_once() -> None:
    odd = FINDING | {"sevrity": "low", "x_own": {"a": 1}, "location": {"url": "u", "column": 3}}
    of, items = said(line(odd) * 2)
    assert body(items[0])["extra"] == {"sevrity": "low", "x_own": {"a": 1}, "location": {"column": 3}}
    assert of.warnings == {"unknown_field": 4}
    assert of.unknown_fields == ["sevrity", "location.column"]


def test_own_fields_are_kept_silently() -> None:
    of, items = said(line({"type": "log", "level": "info", "message": "m", "x_own": None}))
    assert body(items[0]) == {"level": "info", "message": "m", "extra": {"x_own": None}}
    assert of.warnings == {}


def test_so_many_unknown_fields_are_remembered_and_no_more() -> None:
    of, _ = said(line(FINDING | {f"{number}" * 99: 1 for number in range(40)}))
    assert len(of.unknown_fields) == 20 and max(map(len, of.unknown_fields)) == 64
    assert of.warnings == {"unknown_field": 40}


def test_own_types_are_stored_unread() -> None:
    own = {"type": "x-a", "target": 7, "at": "now", "severity": None}
    known = {"type": "x-a", "target": "https://a.example/"}
    of, items = said(line(own) + line(known))
    assert items[0][0] == Custom(type="x-a", data=own)
    assert items[1][0] == Custom(type="x-a", data=known, target="https://a.example/")
    assert body(items[0]) == {"data": own}
    assert of.records == 2


# --- bodies -----------------------------------------------------------------------------


@pytest.mark.parametrize("message", GOOD[:11], ids=lambda message: json.dumps(message)[:60])
@pytest.mark.parametrize("target", [{}, {"target": 'https://a.example/"é'}], ids=["", "target"])
@pytest.mark.parametrize("at", [{}, {"at": "2026-11-23T19:05:00Z"}], ids=["", "at"])
def test_the_body_is_what_was_said(
    message: dict[str, Any], target: dict[str, Any], at: dict[str, Any]
) -> None:
    if message["type"] in {"finding", "asset"}:
        message = message | target | at
    elif message["type"] == "log":
        message = message | target
    of, items = said(line(message), of=decoder(frozenset({'https://a.example/"é'})))
    assert of.breach is None
    found = body(items[0])
    found |= found.pop("extra", {})
    if "observed_at" in found:
        found["at"] = found.pop("observed_at")
    assert found == {name: value for name, value in message.items() if name not in {"type", "target"}}


def test_a_body_continues_an_object_or_ends_it() -> None:
    of, items = said(b'{"type":"progress"}\n' + line(FINDING))
    assert items[0] == (Progress(), b"}")
    assert items[1][1].startswith(b',"rule":"r"')
    assert of.records == 1


# --- targets ----------------------------------------------------------------------------


def test_a_finding_names_its_target_where_there_are_several() -> None:
    first = line(FINDING | {"target": "https://b.example/"})
    of, items = said(first + line({"type": "asset", "kind": "a", "value": "b"}), of=decoder(TWO))
    assert of.breach is None and len(items) == 2
    assert isinstance(items[0][0], Finding) and items[0][0].target == "https://b.example/"
    of = decoder(TWO)
    assert breach(first + line(FINDING), of=of) == ("bad_message", 2, 1)
    assert of.breach is not None
    assert of.breach.message == "finding: `target` is required where a job has several targets"
    assert "'https://a.example/', 'https://b.example/'" in of.breach.hint


def test_a_target_that_is_not_the_jobs_is_told_with_those_that_are() -> None:
    for targets, target, hint in (
        (ONE, "https://a.example", "this job has 'https://a.example/'"),
        (TWO, "https://b.example", "did you mean 'https://b.example/'?"),
        (frozenset(f"h{n}" for n in range(9)), "zzz", "'h0', 'h1', 'h2' and 6 more"),
    ):
        of, _ = said(line(FINDING | {"target": target}), of=decoder(targets))
        assert of.breach is not None
        assert of.breach.message == f"finding: {target!r} is not a target of this job"
        assert hint in of.breach.hint


# --- rule 4: counts ---------------------------------------------------------------------


def test_one_record_too_many() -> None:
    stream = line({"type": "artifact", "path": "p"}) * 3 + line({"type": "x-a"})
    assert breach(stream, of=decoder(max_records=3)) == ("too_many_records", 4, 3)
    of, items = said(stream, of=decoder(max_records=4))
    assert (len(items), of.breach, of.counts.artifact) == (4, None, 3)


def test_the_limit_is_a_hundred_thousand() -> None:
    record = line({"type": "asset", "kind": "a", "value": "b"})
    of, items = said(record * MAX_RECORDS + OK)
    assert (len(items), of.breach, of.counts.asset) == (100_000, None, 100_000)
    assert breach(record * (MAX_RECORDS + 1)) == ("too_many_records", 100_001, 100_000)


def test_one_byte_too_much() -> None:
    stream = line(FINDING) * 3
    of, items = said(stream, of=decoder(output_bytes=len(stream)))
    assert len(items) == 3 and of.breach is None
    assert breach(stream, of=decoder(output_bytes=len(stream) - 1)) == ("too_much_output", 3, 2)
    assert breach(stream, b"\n", of=decoder(output_bytes=len(stream))) == ("too_much_output", 4, 3)


def test_past_ten_a_second_messages_are_dropped_and_counted() -> None:
    of = decoder()
    log = line({"type": "log", "level": "info", "message": "m"})
    assert len(of.feed(log * 6 + b'{"type":"progress"}\n' * 6 + line(FINDING), 5.0)) == 11
    assert len(of.feed(log + line(FINDING), 5.9)) == 1
    assert len(of.feed(log * 11, 6.0)) == 10
    assert len(of.feed(log, 100.0)) == 1
    assert of.counts.dropped == 4
    assert of.warnings == {"dropped_messages": 4}
    assert (of.counts.log, of.records, of.breach) == (17, 2, None)


def test_a_dropped_message_must_fit_all_the_same() -> None:
    log = {"type": "log", "level": "info", "message": "m"}
    assert breach(line(log) * 20 + line(log | {"target": "elsewhere"})) == ("bad_message", 21, 10)


def test_each_type_is_counted() -> None:
    of, items = said(b"".join(map(line, GOOD[:11])), of=decoder(frozenset({"t"})))
    kinds = [type(message) for message, _ in items]
    assert (of.counts.finding, of.counts.asset) == (kinds.count(Finding), kinds.count(Asset))
    assert (of.counts.log, of.counts.artifact) == (kinds.count(Log), kinds.count(Artifact))
    assert of.records == len(items) - kinds.count(Log) - kinds.count(Progress)


# --- rule 6: done -----------------------------------------------------------------------


def test_done_is_kept_whole_and_is_no_item() -> None:
    last = {
        "type": "done",
        "status": "error",
        "error": {"kind": "transient", "message": "busy", "retry_after_s": 3},
    }
    of, items = said(line(last))
    assert items == [] and of.done is not None
    assert msgspec.json.decode(msgspec.json.encode(of.done)) == last
    of, _ = said(
        line({"type": "done", "status": "partial", "failed_targets": ["https://a.example/"], "more": 1})
    )
    assert of.done is not None and of.done.failed_targets == ("https://a.example/",)
