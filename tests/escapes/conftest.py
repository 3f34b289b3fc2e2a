"""The arena of each attack, in every cell."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from arena import Arena, Cell, cells


@pytest.fixture(params=cells(), ids=str)
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    # Not pytest's own folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="kastrun-arena-"))
    cell: Cell = request.param
    yield Arena(folder, cell)
    shutil.rmtree(folder)
