"""What is wrong with bad TOML, in words that help, and the stretch of source that is to blame.

Floor 1, pure. tomllib finds the error; its message is a closed set of phrases, each
turned here into what a person would say. A phrase of another Python version that is
not in the table is passed on as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from kastrun.toml_tree import Position, Tree

_WHERE: Final = re.compile(
    r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL
)
_TOKEN: Final = re.compile(r"[^\s,#\]\}=]+")


class SyntaxProblem(Struct, frozen=True, kw_only=True):
    """Why a file is not TOML, and where."""

    position: Position
    message: str
    hint: str | None


def explain(error: tomllib.TOMLDecodeError, source: bytes) -> SyntaxProblem:
    """`error`, as tomllib raised it for `source`, in words and with its place."""
    tree = Tree(source)
    found = _WHERE.match(str(error))
    what = found["what"] if found else str(error)
    if found is None or found["line"] is None:
        position = _end(tree)
    else:
        position = tree.point(int(found["line"]), int(found["column"]))
    for phrase, words in _PHRASES.items():
        if what.startswith(phrase):
            return words(tree, position)
    return SyntaxProblem(position=position, message=f"not TOML: {what}", hint=None)


def _end(tree: Tree) -> Position:
    """What is still open at the end is blamed where the syntax tree breaks, else on the last line."""
    return tree.syntax_error() or tree.line(10**9)


_Words = Callable[[Tree, Position], SyntaxProblem]


def _here(message: str, hint: str | None = None) -> _Words:
    return lambda _tree, position: SyntaxProblem(position=position, message=message, hint=hint)


def _statement(message: str, hint: str) -> _Words:
    """Blames the key of the statement, for tomllib notices only at its end."""

    def words(tree: Tree, position: Position) -> SyntaxProblem:
        key = tree.key_before(position.line, position.column)
        return SyntaxProblem(position=key, message=message, hint=hint)

    return words


def _token(message: str, hint: str) -> _Words:
    """Blames the whole word that begins here."""

    def words(tree: Tree, position: Position) -> SyntaxProblem:
        token = _TOKEN.match(position.text, position.column - 1)
        width = len(token.group()) if token else 1
        return SyntaxProblem(
            position=tree.point(position.line, position.column, width), message=message, hint=hint
        )

    return words


def _value(tree: Tree, position: Position) -> SyntaxProblem:
    token = _TOKEN.match(position.text, position.column - 1)
    if token is None:
        return SyntaxProblem(position=position, message="a value is missing here", hint=None)
    word = token.group()
    position = tree.point(position.line, position.column, len(word))
    if word.lower() in ("true", "false"):
        hint = f"write `{word.lower()}`"
    elif word.lower() in ("none", "null", "nil"):
        hint = "TOML has no such value: leave the key out"
    else:
        hint = f'text needs quotes: "{word}"'
    return SyntaxProblem(position=position, message=f"`{word}` is not a value", hint=hint)


_ESCAPE: Final = "for a plain \\ write it twice, or put the text in single quotes: '…'"
_CONTROL: Final = _here(
    "a control character may not stand here",
    "remove it; in text write it as \\u and its four hexadecimal digits",
)
_PHRASES: Final[dict[str, _Words]] = {
    "Invalid value": _value,
    "Cannot overwrite a value": _statement("set a second time", "a key can be set once in a table"),
    "Duplicate inline table key": _statement("set a second time", "a key can be set once in a table"),
    "Cannot declare": _statement("this table was begun before", "put its keys together under one header"),
    "Cannot mutate immutable namespace": _statement(
        "this table was closed before", "a table in braces { … } must hold all its keys"
    ),
    "Cannot redefine": _statement("this table was begun before", "put its keys together under one header"),
    "Expected '=' after a key": _here("`=` and a value are missing here", 'a line is: key = "value"'),
    "Expected newline or end of document": _here(
        "expected the end of the line", "one key a line; numbers have no leading zeros, text needs quotes"
    ),
    "Invalid statement": _here("this is no key", 'a line is: key = "value", [table] or # comment'),
    "Invalid initial character for a key part": _here(
        "a key is missing here",
        "keys are letters, digits, `_` and `-`, others in quotes; { … } takes no last comma",
    ),
    "Expected ']' at the end of a table": _here("`]` is missing here", "a table begins with [name]"),
    "Expected ']]' at the end of an array": _here("`]]` is missing here", "an element begins with [[name]]"),
    "Unclosed array": _here("expected `,` or `]`", "a list is [ … ], its elements separated by commas"),
    "Unclosed inline table": _here(
        "expected `,` or `}`", "{ … } stays on one line, its keys separated by commas"
    ),
    "Unterminated string": _here("this text never ends", "close it with the quotes that it began with"),
    "Illegal character '\\n'": _here(
        "this text does not end on its line", 'close it with a quote, or use """…"""'
    ),
    "Illegal character": _CONTROL,
    "Found invalid character": _CONTROL,
    "Unescaped '\\'": _here("unknown escape after \\", _ESCAPE),
    "Invalid hex value": _here("\\u needs four and \\U eight hexadecimal digits", _ESCAPE),
    "Escaped character is not": _here("this escape is no Unicode character", _ESCAPE),
    "Invalid date or datetime": _token("there is no such date", "a date is 2026-11-23, a time 19:05:00"),
}
