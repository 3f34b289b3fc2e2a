"""Taking away, for good: resource limits, capabilities, groups, and the gaining of any.

Each is allowed to anybody who does it to itself; none can be undone by whoever comes after.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from typing import Final

from kastrun.sandbox import kernel

_CAP_SETGID: Final = 6
_CAP_SETPCAP: Final = 8


def leave_groups() -> None:
    """Out of every supplementary group, where we may; `docker` or `disk` would be a way out."""
    if kernel.capabilities() >> _CAP_SETGID & 1:
        os.setgroups(())


def limit(rlimits: Iterable[tuple[int, int]]) -> None:
    """Soft and hard; a hard limit that is lower already stays."""
    for which, value in rlimits:
        _, hard = resource.getrlimit(which)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (least, least))


def drop(kept: int) -> None:
    """Every capability but those of `kept`, from the bounding set too. Raises OSError."""
    held = kernel.capabilities()
    if held >> _CAP_SETPCAP & 1:
        for number in _known():
            if not kept >> number & 1:
                kernel.prctl(kernel.PR_CAPBSET_DROP, number)
    kernel.set_capabilities(kept)
    for number in _known():
        if kept >> number & 1:
            kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_RAISE, number)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _known() -> Iterable[int]:
    """The numbers of all capabilities that this kernel has."""
    number = 0
    try:
        while kernel.prctl(kernel.PR_CAPBSET_READ, number) >= 0:
            yield number
            number += 1
    except OSError:
        return  # one past the last
