"""What reading a profile may ask of the machine, as functions handed in.

Floor 2, pure: the functions come from `files`, or from a test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from kastrun.model import Plugin, SecretRef


def _fine(*_: object) -> None:
    return None


class Surroundings(Struct, frozen=True, kw_only=True):
    """The plugins found, the folders searched, and two questions.

    `secret` and `path` answer None where a reference or path is good, else why not, in
    words (``the variable is not set``). `broken` are folders whose manifest is wrong.
    """

    plugins: Mapping[str, Plugin] = {}
    searched: Sequence[str] = ()
    broken: Collection[str] = ()
    secret: Callable[[SecretRef], str | None] = _fine
    path: Callable[[str, Literal["file", "folder"]], str | None] = _fine


class Pick(Struct, frozen=True, kw_only=True):
    """`--only`, `--skip` and `--tag`: which plugins and targets of the profile are meant this time."""

    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    tags: Sequence[str] = ()
