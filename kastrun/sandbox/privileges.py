"""Taking away, for good: resource limits, capabilities, groups, and the gaining of any.

Each is allowed to anybody who does it to itself; none can be undone by whoever comes after.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterable
from typing import Final

from kastrun.sandbox import kernel

_CAP_SETGID: Final = 6
_CAP_SETPCAP: Final = 8


def leave_groups() -> None:
    """Out of every supplementary group, where we may; `docker` or `disk` would be a way out."""
    if os.getgroups() and kernel.capabilities() >> _CAP_SETGID & 1:
        os.setgroups(())


def limit(rlimits: Iterable[tuple[int, int]]) -> None:
    """Soft and hard; a hard limit that is lower already stays."""
    for which, value in rlimits:
        _, hard = resource.getrlimit(which)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (least, least))


def drop(kept: int) -> None:
    """Every capability but those of `kept`, from the bounding set too. Raises OSError."""
    if kernel.capabilities() >> _CAP_SETPCAP & 1:
        _bound(kept)
    kernel.set_capabilities(kept)
    for number in range(kept.bit_length()):
        if kept >> number & 1:
            kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_RAISE, number)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _bound(kept: int) -> None:
    """Nothing but `kept` can ever be gained, by whatever program. Goes on to the last that there is."""
    for number in range(64):
        if kept >> number & 1:
            continue
        try:
            kernel.prctl(kernel.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return  # one past the last
            raise
