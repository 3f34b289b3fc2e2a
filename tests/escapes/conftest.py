"""The arena of each attack, in every cell."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from arena import Arena, Cell, Garrison, cells


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """As an ordinary user what only the superuser can try is not there, rather than skipped.

    Where no namespace can be made there is no `strict`, and controls that a container refuses prove nothing.
    """
    for item in items:
        cells = [each for each in getattr(item, "callspec", _Bare).params.values() if isinstance(each, Cell)]
        if any(cell.level == "strict" or (cell.level == "none" and _refused(item.name)) for cell in cells):
            item.add_marker("namespaces")
    if os.geteuid() == 0:
        return
    others = [item for item in items if "root_arena" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def garrisons() -> Iterator[Callable[[Cell], Garrison]]:
    """The garrison of a cell. All are there before the first test, which owns only what it begets itself."""
    with ExitStack() as stack:
        people = {cell.who for cell in cells()}
        there = {who: stack.enter_context(Garrison(_folder(stack), who)) for who in people}
        yield lambda cell: there[cell.who]


class _Bare:
    params: ClassVar[dict[str, object]] = {}


def _refused(test: str) -> bool:
    return test.startswith(tuple(f"test_{number}" for number in ("07", 31, 32, *range(36, 44), 47)))


def params(cells: Iterable[Cell]) -> list[Any]:
    return [
        pytest.param(cell, id=str(cell), marks=[pytest.mark.namespaces] if cell.level == "strict" else [])
        for cell in cells
    ]


@pytest.fixture(params=params(cells()))
def arena(request: pytest.FixtureRequest, garrisons: Callable[[Cell], Garrison]) -> Iterator[Arena]:
    with ExitStack() as stack:
        yield Arena(_folder(stack), request.param, garrisons(request.param))


@pytest.fixture(params=params(cell for cell in cells() if cell.who == "root"))
def root_arena(request: pytest.FixtureRequest, garrisons: Callable[[Cell], Garrison]) -> Iterator[Arena]:
    """For attacks that only the superuser can make at all: others have no control to succeed."""
    with ExitStack() as stack:
        yield Arena(_folder(stack), request.param, garrisons(request.param))


def _folder(stack: ExitStack) -> Path:
    """Not pytest's own, which no other user may enter."""
    folder = tempfile.mkdtemp(prefix="kastrun-arena-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    Path(folder).chmod(0o755)
    return Path(folder)
