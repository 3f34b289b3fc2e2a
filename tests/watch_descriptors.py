"""`python watch_descriptors.py FILE ARGUMENTS…`: kastrun in this very process, its descriptors counted.

Into FILE goes what they were before and after, as JSON. Everything is imported first, and a
small run is made (`kastrun settings`), so that what a library opens for good is there before.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout

from kastrun.cli import main


def held() -> list[str]:
    """What each descriptor of this process is, without its number."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}").partition(":[")[0])
        except FileNotFoundError:
            continue  # the one that listed them
    return sorted(found)


def run(arguments: list[str]) -> int:
    """kastrun's exit code."""
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    file, *rest = sys.argv[1:]
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        run(["settings"])
    before = held()
    code = run(rest)
    after = held()
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"before": before, "after": after}, out)
    sys.exit(code)
