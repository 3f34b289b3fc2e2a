"""From a key path to the place where it was written: a file's line, or a flag.

Floor 1, pure. `Notes` collects Problems with their places; what a problem is, the
rooms above decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from kastrun.model import Problem
from kastrun.schema import KeyPath, SchemaProblem
from kastrun.toml_tree import Tree

Of = Literal["key", "value"]


class Place(Struct, frozen=True, kw_only=True):
    """Where something stands; like the fields of the same names of a Problem."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    width: int = 1
    text: str | None = None


class Source(Protocol):
    """Whatever knows where its keys and values stand."""

    def at(self, path: KeyPath, of: Of) -> Place:
        """The place of a key or value, or of what is nearest above it."""
        ...


class TomlSource:
    """A TOML file; its syntax tree is built when the first place is asked for."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        self._content = content

    @cached_property
    def _tree(self) -> Tree:
        return Tree(self._content)

    def at(self, path: KeyPath, of: Of) -> Place:
        """See `Tree.at`."""
        found = self._tree.at(path, of)
        return Place(file=self.file, line=found.line, column=found.column, width=found.width, text=found.text)


class FlagSource:
    """One flag of the command line: `--mode pasive`, or `--set limits.job_timeout=soon` with a key."""

    def __init__(self, flag: str, value: str, key: str = "") -> None:
        self._flag, self._key, self._value = flag, key, value

    def at(self, path: KeyPath, of: Of) -> Place:
        """The key's part that `path` ends in, or the value."""
        before = f"{self._flag} {self._key}=" if self._key else f"{self._flag} "
        column, width = len(before) + 1, max(1, len(self._value))
        if self._key and of == "key":
            found = Tree(f"{self._key}=0".encode()).at(path, "key")
            column, width = len(self._flag) + 1 + found.column, found.width
        return Place(file="command line", column=column, width=width, text=before + self._value)


class Nowhere:
    """The source of a document that nobody wrote down."""

    def at(self, path: KeyPath, of: Of) -> Place:
        """An empty place."""
        return Place()


class Notes:
    """The problems found so far, each with its place."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._problems: list[Problem] = []
        self._secrets: list[Place] = []

    @property
    def problems(self) -> list[Problem]:
        """All of them, in the order in which they were found, no secret in any quoted line."""
        return [self._without_secrets(problem) for problem in self._problems]

    @property
    def failed(self) -> bool:
        """Whether one of them is an error."""
        return any(problem.level == "error" for problem in self._problems)

    def add(
        self,
        path: KeyPath,
        rule: str,
        message: str,
        *,
        hint: str | None = None,
        at: Of = "value",
        level: Literal["error", "warning"] = "error",
        secret: bool = False,
        source: Source | None = None,
    ) -> None:
        """Note a problem of `path`; with `secret`, what is under the caret is never quoted (CWE-532)."""
        place = (source or self.source).at(path, at)
        if secret:
            self._secrets.append(place)
        self._problems.append(
            Problem(
                message=message,
                rule=rule,
                level=level,
                file=place.file,
                line=place.line,
                column=place.column,
                width=place.width,
                text=place.text,
                path=dotted(path),
                hint=hint,
            )
        )

    def add_misfits(self, misfits: Iterable[SchemaProblem], prefix: KeyPath = ()) -> None:
        """Note what a schema check found, below `prefix`."""
        for misfit in misfits:
            path = (*prefix, *misfit.path)
            self.add(path, misfit.rule, misfit.message, hint=misfit.hint, at=misfit.at)

    def _without_secrets(self, problem: Problem) -> Problem:
        for place in self._secrets:
            same_line = (place.file, place.line) == (problem.file, problem.line)
            if same_line and place.column is not None and problem.text is not None:
                start, end = place.column - 1, place.column - 1 + place.width
                text = problem.text
                problem = replace(problem, text=text[:start] + "*" * len(text[start:end]) + text[end:])
        return problem


def dotted(path: KeyPath) -> str:
    """A key path as one text: ``plugins.nmap.options``, ``targets[2].url``, ``a."b c"``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part.isascii() and part.replace("-", "").replace("_", "").isalnum()
            text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """As one reads: file by file in the order of their first problem, each from top to bottom."""
    listed = list(problems)
    files: dict[str | None, int] = {}
    for problem in listed:
        files.setdefault(problem.file, len(files))
    return sorted(listed, key=lambda each: (files[each.file], each.line or 0, each.column or 0))
