"""Problems as text for people and as JSON for machines.

Floor 2, pure. The source line is quoted as it stands, but what a terminal would obey
(control characters, direction marks) is made visible, and a long line is cut around
the caret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kastrun.model import JsonObject, Problem

WIDTH: Final = 100
"""Columns of source that are shown at most."""

_FIELDS: Final = ("level", "rule", "message", "hint", "path", "file", "line", "column", "width", "text")
_TAB: Final = 4
_INVISIBLE: Final = frozenset("\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff\u061c") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_RED, _YELLOW, _CYAN, _BLUE, _BOLD, _PLAIN = (
    f"\x1b[{code}m" for code in ("1;31", "1;33", "36", "34", "1", "0")
)


def render(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """All problems and a closing count, each line ended; an empty text where there is none."""
    if not problems:
        return ""
    blocks = [_block(problem, _Pen(colour)) for problem in problems]
    return "\n".join([*blocks, closing(problems)]) + "\n"


def closing(problems: Sequence[Problem]) -> str:
    """``2 errors, 1 warning; nothing was run``."""
    errors = sum(problem.level == "error" for problem in problems)
    counts = [_counted(errors, "error"), _counted(len(problems) - errors, "warning")]
    text = ", ".join(count for count in counts if count)
    return f"{text}; nothing was run" if errors else text


def to_json(problems: Sequence[Problem]) -> list[JsonObject]:
    """One object a problem, with the fields of `Problem`; what is absent is null."""
    return [{name: getattr(problem, name) for name in _FIELDS} for problem in problems]


def visible(text: str) -> str:
    """`text` with every character that a terminal would obey replaced by one that it shows.

    Each character stays one character, so columns keep their meaning; tabs stay tabs.
    """
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20 and char != "\t":
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or char in _INVISIBLE:
        return "\ufffd"
    return char


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""


class _Pen:
    """Colours text, or leaves it."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._colour and text else text


def _block(problem: Problem, pen: _Pen) -> str:
    tone = _RED if problem.level == "error" else _YELLOW
    head = pen(tone, f"{problem.level}:") + " "
    quoted = problem.text is not None and problem.column is not None
    place = _place(problem)
    if quoted:
        lines = [head + pen(_BOLD, place), *_quote(problem, pen, tone)]
    else:
        message = visible(problem.message)
        lines = [head + (f"{pen(_BOLD, place)}: {message}" if place else message)]
    if problem.hint:
        margin = " " * (_gutter(problem) if quoted else 1)
        first, *others = map(visible, problem.hint.split("\n"))
        lines.append(f"{margin} {pen(_BLUE, '=')} {pen(_CYAN, 'hint:')} {first}")
        lines += [f"{margin}         {other}" for other in others]
    return "\n".join(lines) + "\n"


def _place(problem: Problem) -> str:
    parts = [problem.file, problem.line, problem.column if problem.line is not None else None]
    return visible(":".join(str(part) for part in parts if part is not None))


def _gutter(problem: Problem) -> int:
    return len(str(problem.line)) if problem.line is not None else 1


def _quote(problem: Problem, pen: _Pen, tone: str) -> list[str]:
    """The empty gutter line, the source line, and the caret line with the message."""
    text = visible(problem.text or "")
    start = (problem.column or 1) - 1
    cells, before, covered = _cut(text, start, problem.width)
    number = "" if problem.line is None else str(problem.line)
    width = _gutter(problem)
    bar, empty = pen(_BLUE, f"{number:>{width}} |"), pen(_BLUE, f"{'':>{width}} |")
    caret = pen(tone, f"{'^' * covered} {visible(problem.message)}")
    return [empty, f"{bar} {cells}".rstrip(), f"{empty} {' ' * before}{caret}"]


def _cut(text: str, start: int, width: int) -> tuple[str, int, int]:
    """The part of a line to show; cells before the caret; cells under it."""
    cells = _cells(text)
    before = sum(len(cell) + wide for cell, wide in cells[:start])
    covered = sum(len(cell) + wide for cell, wide in cells[start : start + width])
    total = sum(len(cell) + wide for cell, wide in cells)
    if total <= WIDTH:
        return "".join(cell for cell, _ in cells), before, max(1, covered)
    first = 0
    while first < start and before - _span(cells[:first]) > WIDTH // 2:
        first += 1
    left = "…" if first else ""
    shown, used = left, len(left)
    for cell, wide in cells[first:]:
        if used + len(cell) + wide > WIDTH - 1:
            shown += "…"
            break
        shown, used = shown + cell, used + len(cell) + wide
    before = before - _span(cells[:first]) + len(left)
    return shown, before, max(1, min(covered, WIDTH - before))


def _span(cells: Sequence[tuple[str, int]]) -> int:
    return sum(len(cell) + wide for cell, wide in cells)


def _cells(text: str) -> list[tuple[str, int]]:
    """Each character as it is shown, and by how many columns more (or fewer) than its length."""
    cells: list[tuple[str, int]] = []
    column = 0
    for char in text:
        cell = (" " * (_TAB - column % _TAB), 0) if char == "\t" else (char, _extra(char))
        column += len(cell[0]) + cell[1]
        cells.append(cell)
    return cells


def _extra(char: str) -> int:
    if char.isascii():
        return 0
    from unicodedata import combining, east_asian_width

    if combining(char) or char in "\ufe0e\ufe0f":
        return -1
    return 1 if east_asian_width(char) in "WF" else 0
