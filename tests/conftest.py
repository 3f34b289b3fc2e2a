"""What every test shares: programs it needs, and proof that it left nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import offspring
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
PATIENCE_S = 20.0


def pytest_configure() -> None:
    offspring.adopt()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`needs("nmap")`: skipped, with the reason, where the program is not there."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=PLACES) is None:
                pytest.skip(f"needs the program {program}, which is not installed here (make tools)")


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    """Fails the test that left one; it is killed, so that the next test is not to blame."""
    offspring.begin()
    yield
    deadline = time.monotonic() + PATIENCE_S  # what was killed together with kastrun takes a moment
    while (left := offspring.living()) and time.monotonic() < deadline:
        time.sleep(0.005)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    offspring.reap()
    assert left == {}


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails where the test leaves a process for a moment only, or a descriptor."""
    fds = len(os.listdir("/proc/self/fd"))
    yield
    assert offspring.living() == {}
    assert len(os.listdir("/proc/self/fd")) == fds
