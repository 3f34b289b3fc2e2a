"""Programs that tests need: where they are looked for, and what is said where one is absent.

`.ci/run` knows the words: a test that was skipped with them fails a run that has every program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from glob import glob
from pathlib import Path

PLACES = os.pathsep.join(
    [
        os.environ.get("PATH", ""),
        str(Path(sys.executable).parent),
        *("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"),
    ]
)


def find(program: str) -> str | None:
    """Where a program is, an ordinary user's PATH or not; for `/FILE*` the first that is there."""
    return (
        next(iter(sorted(glob(program))), None)
        if program.startswith("/")
        else shutil.which(program, path=PLACES)
    )


NO_NAMESPACES = "no user namespace can be made here"


@cache
def makes_namespaces() -> bool:
    """Whether level `strict` can be had, tried with a program that is not ours."""
    unshare = find("unshare")
    return unshare is not None and not subprocess.run(
        [unshare, "--user", "--mount", "--pid", "--fork", "--map-root-user", "true"],
        stderr=subprocess.DEVNULL, check=False,
    ).returncode  # fmt: skip


def absent(program: str) -> str:
    """Why a test that needs it is skipped."""
    return f"needs {program}, which is not installed here (make tools)"
