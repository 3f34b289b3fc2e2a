"""What every test shares: programs it needs, and proof that it left nothing behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import hypothesis
import offspring
import programs
import pytest

# A machine that does much else at the moment is slow, and proves nothing.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

PATIENCE_S = 20.0


def pytest_configure() -> None:
    offspring.adopt()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`needs("nmap", "/usr/share/it-*")`: skipped, with the reason, where one of them is not there.

    `namespaces`: skipped where no user namespace can be made, as in most containers.
    """
    if item.get_closest_marker("namespaces") and not programs.makes_namespaces():
        pytest.skip(programs.NO_NAMESPACES)
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if programs.find(program) is None:
                pytest.skip(programs.absent(program))


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
