"""Positions in TOML, and bad TOML in words."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from kastrun.toml_tree import Tree
from kastrun.toml_words import explain

SOURCE = '''\
# comment
a = 1
b.c."d e" = [1, {x = "é😀", y = [1, 2]}] # é
\tt = "tab"

[t2.u]
k = """
long
"""
'l i' = {}
[[arr]]
q = 1
[arr.sub]
z = 1
[[arr]]
q = [ # one
  "é", "b",
]
[arr.sub]
z = 2
'''


@pytest.mark.parametrize(
    ("path", "of", "line", "column", "width"),
    [
        (("a",), "key", 2, 1, 1),
        (("a",), "value", 2, 5, 1),
        (("b",), "key", 3, 1, 1),
        (("b", "c"), "key", 3, 3, 1),
        (("b", "c", "d e"), "key", 3, 5, 5),
        (("b", "c", "d e"), "value", 3, 13, 27),
        (("b", "c", "d e", 1, "x"), "value", 3, 22, 4),
        (("b", "c", "d e", 1, "y"), "key", 3, 28, 1),
        (("b", "c", "d e", 1, "y", 1), "value", 3, 36, 1),
        (("t",), "key", 4, 2, 1),
        (("t2",), "key", 6, 2, 2),
        (("t2", "u"), "key", 6, 5, 1),
        (("t2", "u"), "value", 6, 2, 4),
        (("t2", "u", "k"), "value", 7, 5, 3),
        (("t2", "u", "l i"), "key", 10, 1, 5),
        (("arr",), "key", 11, 3, 3),
        (("arr", 0, "q"), "value", 12, 5, 1),
        (("arr", 0, "sub", "z"), "key", 14, 1, 1),
        (("arr", 1), "value", 15, 3, 3),
        (("arr", 1, "q", 1), "value", 17, 8, 3),
        (("arr", 1, "sub", "z"), "value", 20, 5, 1),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_positions(path: Any, of: Any, line: int, column: int, width: int, ending: str) -> None:
    found = Tree(SOURCE.replace("\n", ending).encode()).at(path, of)
    assert (found.line, found.column, found.width) == (line, column, width)
    assert found.text == SOURCE.splitlines()[line - 1]


def test_what_is_not_there_is_shown_at_what_is_nearest_above() -> None:
    tree = Tree(SOURCE.encode())
    assert tree.at(("t2", "u", "nope"), "value") == tree.at(("t2", "u"), "key")
    assert tree.at(("nope",), "key").line == 1


@pytest.mark.parametrize("source", [b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_files_with_nothing_in_them_have_a_first_line(source: bytes) -> None:
    found = Tree(source).at(("a", 0), "value")
    assert (found.line, found.column, found.width) == (1, 1, max(1, len(found.text)))


def test_a_byte_order_mark_is_no_column() -> None:
    assert Tree(b"\xef\xbb\xbfa = 1").at(("a",), "value").column == 5


def test_deep_nesting_has_a_place() -> None:
    assert Tree(b"a = " + b"[" * 200 + b"]" * 200).at(("a", *(0,) * 150), "value").column == 155


LEAVES = (
    st.booleans() | st.integers(-9, 99) | st.text('aé😀"\\ \t#=[', max_size=6) | st.just(date(2026, 11, 23))
)
NAMES = st.text("abé. \"'-", min_size=1, max_size=4)
TABLES = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=150)
@given(document=TABLES)
def test_every_leaf_is_found_where_it_stands(document: dict[str, Any]) -> None:
    tree = Tree(tomli_w.dumps(document).encode())
    for path, value in leaves(document, ()):
        at = tree.at(path, "value")
        text = at.text[at.column - 1 : at.column - 1 + at.width]
        assert tomllib.loads(f"x = {text}")["x"] == value
        key = path if isinstance(path[-1], str) else None
        if key is not None:
            at = tree.at(key, "key")
            text = at.text[at.column - 1 : at.column - 1 + at.width]
            assert next(iter(tomllib.loads(f"{text} = 0"))) == path[-1]


def leaves(value: Any, path: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


BAD = [
    ("mode = passive", 1, 8, 7, "`passive` is not a value", 'text needs quotes: "passive"'),
    ("a = True", 1, 5, 4, "`True` is not a value", "write `true`"),
    ("a = null", 1, 5, 4, "`null` is not a value", "TOML has no such value: leave the key out"),
    ("a = ", 1, 5, 1, "a value is missing here", None),
    ("a = 1\nb = 2\na = [\n3]\n", 3, 1, 1, "set a second time", "a key can be set once in a table"),
    ("a.b = 1\na = 2", 2, 1, 1, "set a second time", "a key can be set once in a table"),
    ("a = { x = 1, x = 2 }", 1, 14, 1, "set a second time", "a key can be set once in a table"),
    ("[a]\n[a]", 2, 2, 1, "this table was begun before", "put its keys together under one header"),
    ("a = { b = 1 }\n[a.c]", 2, 2, 3, "this table was begun before",
     "put its keys together under one header"),
    ("a", 1, 2, 1, "`=` and a value are missing here", 'a line is: key = "value"'),
    ("a=1 b=2", 1, 5, 1, "expected the end of the line",
     "one key a line; numbers have no leading zeros, text needs quotes"),
    ("= 3", 1, 1, 1, "this is no key", 'a line is: key = "value", [table] or # comment'),
    ("a = {x=1,}", 1, 10, 1, "a key is missing here",
     "keys are letters, digits, `_` and `-`, others in quotes; { … } takes no last comma"),
    ("[a\nb=1", 1, 3, 1, "`]` is missing here", "a table begins with [name]"),
    ("[[a]\nb=1", 1, 4, 1, "`]]` is missing here", "an element begins with [[name]]"),
    ('t = [\n "a",\n "b"\nmode = "x"', 4, 1, 1, "expected `,` or `]`",
     "a list is [ … ], its elements separated by commas"),
    ("a = {x=1\n}", 1, 9, 1, "expected `,` or `}`", "{ … } stays on one line, its keys separated by commas"),
    ('é = "x', 1, 1, 1, "this is no key", 'a line is: key = "value", [table] or # comment'),
    ('a = "é', 1, 7, 1, "this text does not end on its line", 'close it with a quote, or use """…"""'),
    ('a = "x\x01"', 1, 7, 1, "a control character may not stand here",
     "remove it; in text write it as \\u and its four hexadecimal digits"),
    ('a = "\\q"', 1, 8, 1, "unknown escape after \\",
     "for a plain \\ write it twice, or put the text in single quotes: '…'"),
    ('a = "\\u12"', 1, 8, 1, "\\u needs four and \\U eight hexadecimal digits",
     "for a plain \\ write it twice, or put the text in single quotes: '…'"),
    ('a = "\\ud800"', 1, 12, 1, "this escape is no Unicode character",
     "for a plain \\ write it twice, or put the text in single quotes: '…'"),
    ("a = 2026-02-31", 1, 5, 10, "there is no such date", "a date is 2026-11-23, a time 19:05:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "line", "column", "width", "message", "hint"), BAD, ids=[b[0] for b in BAD]
)
def test_bad_toml(source: str, line: int, column: int, width: int, message: str, hint: str | None) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(source + "\n")
    found = explain(caught.value, source.encode())
    at = found.position
    assert (at.line, at.column, at.width, found.message, found.hint) == (line, column, width, message, hint)


@pytest.mark.parametrize(
    ("source", "line"), [('x = 1\na = """y\nz', 2), ("a = [1, 2", 1), ("x = 1\na = [\n 1,\n", 2)]
)
def test_what_is_open_at_the_end_is_shown_in_the_file(source: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(source + "\n")
    assert explain(caught.value, source.encode()).position.line >= line


def test_a_phrase_of_another_python_is_passed_on() -> None:
    found = explain(tomllib.TOMLDecodeError("Something new (at line 1, column 2)"), b"abc")
    assert (found.message, found.position.column) == ("not TOML: Something new", 2)


def test_the_tree_of_good_toml_has_no_syntax_error() -> None:
    assert Tree(SOURCE.encode()).syntax_error() is None
