"""How problems are printed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.model import Problem
from kastrun.problems import WIDTH, closing, render, to_json, visible

KEY = Problem(
    message="unknown key", rule="unknown_key", file="scan.toml", line=14, column=1, width=10,
    text="max_worker = 5", path="max_worker", hint="did you mean `max_workers`?",
)  # fmt: skip
WARNING = Problem(message="odd", rule="odd", level="warning")


def at(text: str, column: int, width: int = 1, line: int | None = 3, message: str = "here") -> list[str]:
    problem = Problem(message=message, rule="x", file="f", line=line, column=column, width=width, text=text)
    return render([problem]).splitlines()[2:4]


def test_the_contracts_example() -> None:
    assert render([KEY]) == (
        "error: scan.toml:14:1\n"
        "   |\n"
        "14 | max_worker = 5\n"
        "   | ^^^^^^^^^^ unknown key\n"
        "   = hint: did you mean `max_workers`?\n"
        "\n"
        "1 error; nothing was run\n"
    )


def test_nothing_is_printed_of_nothing() -> None:
    assert render([]) == ""


@pytest.mark.parametrize(
    ("problems", "line"),
    [
        ([KEY], "1 error; nothing was run"),
        ([KEY, KEY, WARNING], "2 errors, 1 warning; nothing was run"),
        ([WARNING, WARNING], "2 warnings"),
    ],
)
def test_the_closing_line(problems: list[Problem], line: str) -> None:
    assert closing(problems) == line
    assert render(problems).endswith(f"\n\n{line}\n")


def test_problems_without_a_line() -> None:
    problem = Problem(message="no such file", rule="x", file="scan.toml", hint="first\nsecond")
    assert render([problem]).startswith("error: scan.toml: no such file\n  = hint: first\n          second\n")
    assert render([WARNING]).startswith("warning: odd\n")


def test_a_flag_has_a_caret_and_no_line() -> None:
    assert at("--mode pasive", 8, 6, line=None) == ["  | --mode pasive", "  |        ^^^^^^ here"]


def test_tabs_are_widened_before_and_under_the_caret() -> None:
    assert at("\ta\t= 1", 4) == ["3 |     a   = 1", "  |         ^ here"]


def test_wide_and_combining_characters_keep_the_caret_right() -> None:
    assert at('a = ["é😀界e\u0301", 1]', 15)[1] == "  | " + " " * 15 + "^ here"


def test_an_empty_line_has_a_caret() -> None:
    assert at("", 1) == ["3 |", "  | ^ here"]


def test_what_a_terminal_would_obey_is_made_visible() -> None:
    text = "a = '\x1b[31m\x7f\x9b\u202e\udc80'"
    assert at(text, 6) == ["3 | a = '␛[31m␡\ufffd\ufffd\ufffd'", "  |      ^ here"]
    shown = render([Problem(message="m\x1b]", rule="x", file="f\r", hint="h\x07")])
    assert shown.startswith("error: f␍: m␛]\n  = hint: h␇\n")


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = "x" * 200 + "BAD" + "y" * 200
    line, caret = at(text, 201, 3)
    assert len(line.removeprefix("3 | ")) == WIDTH
    start = caret.index("^")
    assert line[start : start + 3] == "BAD"
    assert line.startswith("3 | …x")
    assert line.endswith("y…")


def test_a_caret_wider_than_the_page_is_cut_too() -> None:
    line, caret = at("z" * 500, 1, 500)
    assert line.endswith("z…")
    assert caret.count("^") == WIDTH


@given(
    text=st.text("ab\té😀\x1b\u0301界", max_size=160), column=st.integers(1, 160), width=st.integers(1, 200)
)
def test_the_quote_never_outgrows_the_page(text: str, column: int, width: int) -> None:
    line, caret = at(text, min(column, len(text) + 1), width)
    assert len(line.removeprefix("3 | ").replace("\u0301", "")) <= WIDTH
    assert 1 <= caret.count("^") <= WIDTH


@given(st.text())
def test_making_visible_keeps_every_column(text: str) -> None:
    assert len(visible(text)) == len(text)


def test_colour_only_where_asked_for() -> None:
    assert "\x1b" not in render([KEY, WARNING])
    painted = render([KEY, WARNING], colour=True)
    assert "\x1b[1;31merror:\x1b[0m" in painted
    assert "\x1b[1;33mwarning:\x1b[0m" in painted


def test_json() -> None:
    (found,) = json.loads(json.dumps(to_json([KEY])))
    assert found == {
        "level": "error", "rule": "unknown_key", "message": "unknown key", "path": "max_worker",
        "hint": "did you mean `max_workers`?", "file": "scan.toml", "line": 14, "column": 1, "width": 10,
        "text": "max_worker = 5",
    }  # fmt: skip
