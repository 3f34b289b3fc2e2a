"""What every test shares: programs it needs, and proof that it left nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A machine that does much else at the moment is slow, and proves nothing.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

PLACES = os.pathsep.join(
    [
        os.environ.get("PATH", ""),
        str(Path(sys.executable).parent),
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
        "/usr/sbin",
    ]
)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`needs("nmap")`: skipped, with the reason, where the program is not there."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=PLACES) is None:
                pytest.skip(f"needs the program {program}, which is not installed here (make tools)")


def descendants() -> set[int]:
    """Every process below this one that is not a zombie of the test's own making."""
    found: set[int] = set()
    pending = [os.getpid()]
    while pending:
        pid = pending.pop()
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                below = {int(child) for child in (task / "children").read_text().split()}
            except OSError:
                continue
            pending += below - found
            found |= below
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails where the test leaves a process or a descriptor behind."""
    before, fds = descendants(), len(os.listdir("/proc/self/fd"))
    yield
    assert descendants() - before == set()
    assert len(os.listdir("/proc/self/fd")) == fds
