"""Nothing hostile gets through `clean`, and numbers read as people say them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_facts import T0

from kastrun.terminal.wording import about, at, by_severity, clean, clean_lines, clock, counted, span


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ünïcode 東京", "plain – ünïcode 東京"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;https://evil.example\x1b\\y", "xy"),
        ("\x1b]52;c;aGk=\x07clip", "clip"),
        ("\x1bPq\x1b\\sixel", "sixel"),
        ("a\x00b\x7fc\x9bd\u202egnp.exe\u2066!\u200b", "abcdgnp.exe!"),
        ("two\r\nlines\ttab\u2028sep", "two lines tab sep"),
        ("\ud800lone", "lone"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("\x1b]unfinished", "]unfinished"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_clean_cuts_what_is_long() -> None:
    assert clean("x" * 1_000_000, 10) == "x" * 9 + "…"


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=80) | st.text("\x1b[]0;m\x07\\P\u202e a", max_size=40))
def test_nothing_a_terminal_obeys_gets_through(text: str) -> None:
    shown = clean(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
    assert len(shown) <= 500


def test_clean_lines_keeps_the_last_ones_and_their_indentation_as_one_block() -> None:
    assert clean_lines("a\n\nb\x1b[1m\r\n\tc\n", 2) == ["b", "c"]


@pytest.mark.parametrize(
    ("seconds", "as_clock", "as_span"),
    [(0, "0:00", "0.0 s"), (0.44, "0:00", "0.4 s"), (32, "0:32", "32 s"), (59.7, "0:59", "1 min 0 s"),
     (252, "4:12", "4 min 12 s"), (3723, "1:02:03", "1 h 2 min"), (-5, "0:00", "0.0 s")],
)  # fmt: skip
def test_times(seconds: float, as_clock: str, as_span: str) -> None:
    assert (clock(seconds), span(seconds)) == (as_clock, as_span)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "about 5 s left"), (42, "about 40 s left"), (57, "about 1 min left"), (240, "about 4 min left"),
     (3600, "about 1 h left"), (4300, "about 1 h 10 min left")],
)  # fmt: skip
def test_a_guess_is_said_as_one(seconds: float, said: str) -> None:
    assert about(seconds) == said


def test_small_words() -> None:
    assert (counted(1, "job"), counted(1200, "job")) == ("1 job", "1,200 jobs")
    assert by_severity({"high": 2, "low": 5}) == "2 high 5 low"
    assert by_severity({}) == "none"
    assert at(T0) == "16:00:00Z"
