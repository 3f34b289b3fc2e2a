"""Where things stand in a TOML file: key path → line, column, width, by a real syntax tree.

Floor 1, pure: bytes in, positions out. tomllib reads the values; this is built only
when there is a problem to show, because tree-sitter is the slower start. Lines and
columns count from 1, columns in characters (not bytes).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from kastrun.schema import KeyPath

if TYPE_CHECKING:
    from tree_sitter import Node

_HEADERS: Final = ("table", "table_array_element")
_KEYS: Final = ("bare_key", "quoted_key", "dotted_key")
_BOM: Final = b"\xef\xbb\xbf"


class Position(Struct, frozen=True, kw_only=True):
    """A stretch of one line: `text` is the whole line without its end, `width` at least 1."""

    line: int
    column: int
    width: int
    text: str


class _Spot(Struct):
    """One key or element: its nodes, and what is below it by name or index."""

    key: Node
    value: Node
    inner: dict[str | int, _Spot] = {}


class Tree:
    """The syntax tree of one file; a leading byte-order mark is not counted."""

    def __init__(self, source: bytes) -> None:
        from tree_sitter import Language, Parser
        from tree_sitter_toml import language

        self._source = source.removeprefix(_BOM)
        # tree-sitter-toml sees the last pair's end only at a line's end
        self._root = Parser(Language(language())).parse(self._source + b"\n").root_node
        self._lines = self._source.split(b"\n")
        self._spots: dict[str | int, _Spot] | None = None

    def at(self, path: KeyPath, of: Literal["key", "value"]) -> Position:
        """The position of a key or its value; where the path leads too far, of its last known part.

        The value of a table written with a header is that header; an element of a list
        has no key of its own, so both mean the element.
        """
        spot, inner = None, self._index()
        for part in path:
            if part not in inner:
                of = "key"
                break
            spot = inner[part]
            inner = spot.inner
        if spot is None:
            return self.line(1)
        return self._position(spot.key if of == "key" else spot.value)

    def line(self, number: int) -> Position:
        """The whole of a line (the last one where the file has fewer), without its indentation."""
        number = min(number, len(self._lines))
        text = self._text(number)
        column = len(text) - len(text.lstrip()) + 1
        return Position(line=number, column=column, width=max(1, len(text.strip())), text=text)

    def key_before(self, line: int, column: int) -> Position:
        """The key or header of the last statement that begins before a place; line 1 where none does."""
        found = None
        for node in _descend(self._root):
            if node.start_point >= (line - 1, column - 1):
                break
            if node.type == "pair" or node.type in _HEADERS:
                found = next((child for child in node.children if child.type in _KEYS), found)
        return self._position(found) if found else self.line(1)

    def syntax_error(self) -> Position | None:
        """Where the syntax tree first breaks, None where it does not."""
        if not self._root.has_error:
            return None
        for node in _descend(self._root):
            if node.is_error or node.is_missing:
                return self._position(node)
        return None

    def point(self, line: int, column: int, width: int = 1) -> Position:
        """A position by numbers, kept inside the file."""
        line = max(1, min(line, len(self._lines)))
        text = self._text(line)
        column = max(1, min(column, len(text) + 1))
        return Position(line=line, column=column, width=max(1, min(width, len(text) + 1 - column)), text=text)

    def _text(self, number: int) -> str:
        return self._lines[number - 1].removesuffix(b"\r").decode("utf-8", "replace")

    def _position(self, node: Node) -> Position:
        row, start = node.start_point
        end_row, end = node.end_point
        line = self._lines[row] if row < len(self._lines) else b""
        before = line[:start].decode("utf-8", "replace")
        covered = line[start : end if end_row == row else len(line)].removesuffix(b"\r")
        width = len(covered.decode("utf-8", "replace").rstrip())
        row = min(row, len(self._lines) - 1)
        return Position(line=row + 1, column=len(before) + 1, width=max(1, width), text=self._text(row + 1))

    def _index(self) -> dict[str | int, _Spot]:
        if self._spots is None:
            self._spots = {}
            for node in self._root.children:
                self._statement(node, self._spots)
        return self._spots

    def _statement(self, node: Node, scope: dict[str | int, _Spot]) -> None:
        if node.type == "pair":
            self._pair(node, scope)
        elif node.type in _HEADERS:
            self._table(node, scope)

    def _table(self, node: Node, scope: dict[str | int, _Spot]) -> None:
        header = next((child for child in node.children if child.type in _KEYS), None)
        if header is None:
            return
        spot = _reach(header, header, scope)
        if node.type == "table_array_element":
            index = sum(isinstance(part, int) for part in spot.inner)
            spot = spot.inner.setdefault(index, _Spot(header, header))
        for child in node.children:
            if child.type == "pair":
                self._pair(child, spot.inner)

    def _pair(self, node: Node, scope: dict[str | int, _Spot]) -> None:
        parts = [child for child in node.children if child.type != "comment"]
        if len(parts) < 3 or parts[0].type not in _KEYS:
            return
        spot = _reach(parts[0], parts[2], scope)
        self._value(parts[2], spot)

    def _value(self, node: Node, spot: _Spot) -> None:
        if node.type == "inline_table":
            for child in node.children:
                self._statement(child, spot.inner)
        elif node.type == "array":
            elements = [child for child in node.children if child.is_named and child.type != "comment"]
            for index, element in enumerate(elements):
                spot.inner[index] = inner = _Spot(element, element)
                self._value(element, inner)


def _reach(key: Node, value: Node, scope: dict[str | int, _Spot]) -> _Spot:
    """The spot that a (dotted) key names, made on the way; a table array means its last element."""
    names = list(_names(key))
    spot = _Spot(key, value)
    for number, (name, node) in enumerate(names):
        last = number == len(names) - 1
        spot = scope.setdefault(name, _Spot(node, value if last else node))
        indices = [part for part in spot.inner if isinstance(part, int)]
        scope = spot.inner[indices[-1]].inner if indices and not last else spot.inner
    return spot


def _names(node: Node) -> Iterator[tuple[str, Node]]:
    """The parts of a key, unquoted, each with its node."""
    if node.type == "dotted_key":
        for child in node.children:
            yield from _names(child)
    elif node.type in _KEYS:
        raw = (node.text or b"").decode("utf-8", "replace")
        yield (_unquoted(raw) if node.type == "quoted_key" else raw), node


def _unquoted(raw: str) -> str:
    try:
        return next(iter(tomllib.loads(f"{raw} = 0")))
    except tomllib.TOMLDecodeError:
        return raw


def _descend(node: Node) -> Iterator[Node]:
    """Every node, in the order of the file; without recursion, for nesting may be hostile."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))
