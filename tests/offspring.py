"""Every process that a test begot, wherever it went: found below this one, named, reaped.

This process adopts orphans, so that whatever its tests start stays below it, daemons too. Nothing
is told by its name: what runs beside these tests, another worker or suite, is never seen.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kastrun.warden import tree

_there: set[int] = set()


def adopt() -> None:
    """Once in each worker, before any test."""
    tree.become_subreaper()


def begin() -> None:
    """A test begins: what is here by now (a site that a module shares) is not its doing."""
    _there.clear()
    _there.update(tree.descendants(os.getpid()))


def living() -> dict[int, str]:
    """The processes that this test begot and that still live, each with its command line."""
    found = {}
    for pid in tree.descendants(os.getpid()):
        with suppress(OSError):  # gone while we looked
            if pid not in _there and not _zombie(pid):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return found


def reap() -> None:
    """Collect the dead among those that this test orphaned."""
    for pid in set(tree.children(os.getpid())) - _there:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def environment(pid: int) -> list[str]:
    """What a process was started with, as NAME=VALUE; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
