"""Reading one TOML file, with a problem in words for every way in which it cannot be.

Floor 3. Values are tomllib's; nothing here knows what they mean.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from kastrun.model import JsonObject, Problem
from kastrun.places import TomlSource

LIMIT_BYTES: Final = 4 * 2**20
"""A larger file is refused; lists of targets belong in files of their own, which are streamed."""

DEPTH: Final = 32
_BOM: Final = b"\xef\xbb\xbf"


class TomlFile(Struct, frozen=True, kw_only=True):
    """What was read: a document (None where it could not be), its source for places, and the problems."""

    document: JsonObject | None
    source: TomlSource
    problems: list[Problem] = []


def why_unreadable(error: OSError) -> str:
    """An OSError of opening or reading a file, in a few words."""
    known = {
        FileNotFoundError: "no such file",
        IsADirectoryError: "this is a folder",
        NotADirectoryError: "no such file (a part of the path is no folder)",
        PermissionError: "no permission to read it",
    }
    return known.get(type(error), (error.strerror or "cannot be read").lower())


def read_toml(path: Path, shown: str | None = None) -> TomlFile:
    """The TOML of a file; `shown` is what problems call it. Raises nothing for a bad file."""
    shown = shown or str(path)
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        hint = f"look for it with: ls {path.parent}" if isinstance(error, FileNotFoundError) else None
        return _refused(shown, b"", "unreadable", why_unreadable(error), hint)
    except ValueError:
        return _refused(shown, b"", "unreadable", "this is no file name", None)
    return read_content(content, shown)


def read_content(content: bytes, shown: str) -> TomlFile:
    """The same for bytes that were read already."""
    if len(content) > LIMIT_BYTES:
        hint = 'a long list of targets goes into a file of its own: targets_from = ["hosts.txt"]'
        message = f"larger than {LIMIT_BYTES // 2**20} MiB, so it is not read"
        return _refused(shown, b"", "too_large", message, hint)
    content = content.removeprefix(_BOM)
    if b"\0" in content:
        return _refused(shown, b"", "not_text", "this is binary, not a text file", "a profile is a TOML file")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _not_utf8(shown, content, error)
    return _parsed(shown, content, text)


def _parsed(shown: str, content: bytes, text: str) -> TomlFile:
    try:
        # a last newline makes tomllib name a line where it would say "at end of document"
        document = tomllib.loads(text + "\n")
    except tomllib.TOMLDecodeError as error:
        from kastrun.toml_words import explain

        found = explain(error, content)
        at = found.position
        problem = Problem(
            message=found.message,
            rule="bad_toml",
            file=shown,
            line=at.line,
            column=at.column,
            width=at.width,
            text=at.text,
            hint=found.hint,
        )
        return TomlFile(document=None, source=TomlSource(shown, content), problems=[problem])
    except (RecursionError, ValueError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else "a number in it is too long"
        return _refused(shown, content, "bad_toml", what, None)
    if _depth_exceeds(document, DEPTH):
        return _refused(shown, content, "bad_toml", f"nested more than {DEPTH} deep", None)
    return TomlFile(document=document, source=TomlSource(shown, content))


def _refused(shown: str, content: bytes, rule: str, message: str, hint: str | None) -> TomlFile:
    problem = Problem(message=message, rule=rule, file=shown, hint=hint)
    return TomlFile(document=None, source=TomlSource(shown, content), problems=[problem])


def _not_utf8(shown: str, content: bytes, error: UnicodeDecodeError) -> TomlFile:
    before = content[: error.start]
    start = before.rfind(b"\n") + 1
    end = content.find(b"\n", start)
    line = content[start : end if end >= 0 else len(content)].removesuffix(b"\r")
    problem = Problem(
        message=f"byte 0x{content[error.start]:02x} is not UTF-8",
        rule="not_utf8",
        file=shown,
        line=before.count(b"\n") + 1,
        column=len(content[start : error.start].decode()) + 1,
        text=line.decode("utf-8", "replace"),
        hint="save the file as UTF-8",
    )
    return TomlFile(document=None, source=TomlSource(shown, content), problems=[problem])


def _depth_exceeds(document: Any, limit: int) -> bool:
    level = [document]
    for _ in range(limit + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
