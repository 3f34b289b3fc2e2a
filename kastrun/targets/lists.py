"""A file of targets, one a line, read as a stream: a million lines cost no more than one.

Holds the format of the file and no file: the lines come from above, decoded. A bad line
is a Problem among the entries, so that all of them are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kastrun.model import Problem, TargetEntry
from kastrun.targets.reading import parse
from kastrun.targets.refusal import TargetError, masked

_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)


def read_lines(lines: Iterable[str], where: str) -> Iterator[TargetEntry | Problem]:
    r"""Each target of the file called `where`, in order; a Problem (`bad_target`) for each bad line.

    Blank lines are passed over; a comment is a ``#`` at the line's start or after white space,
    to the line's end, so that a URL keeps its fragment's ``#``. A byte order mark before the
    first line and ``\r\n`` are taken off.
    """
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        if number == 1:
            line = line.removeprefix("\ufeff")
        text = (_COMMENT.sub("", line) if "#" in line else line).strip(" \t")
        if text:
            yield _entry(text, line, where, number)


def _entry(text: str, line: str, where: str, number: int) -> TargetEntry | Problem:
    try:
        return TargetEntry(target=parse(text), where=f"{where}:{number}")
    except TargetError as error:
        return Problem(
            message=error.message,
            rule="bad_target",
            file=where,
            line=number,
            column=line.index(text) + 1,
            width=len(text),
            text=masked(line),
            hint=error.hint,
        )
