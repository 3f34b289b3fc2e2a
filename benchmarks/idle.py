"""Idle: the CPU that the runner itself uses while 8 jobs sleep, in per cent of one core.

Read from the kernel's own account of its threads (Linux) at two moments of one run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import rounds
import stage

JOB_S, FROM_S, TO_S = 8, 2.0, 7.0


def main() -> None:
    """xargs and parallel wait, too."""
    options = rounds.arguments(__doc__, rounds=3)
    with stage.stage() as on:
        program = on.build("sleep", "sleep", arguments=[str(JOB_S)])
        words = [str(JOB_S)] * stage.WORKERS
        found: dict[str, rounds.Measure] = {
            "xargs -P8 -n1": lambda: share(["xargs", "-P8", "-n1", str(program)], on.folder, words)
        }
        if shutil.which("parallel"):
            parallel = ["parallel", "--will-cite", "-j8", "--joblog", "joblog", str(program)]
            found["parallel -j8 --joblog"] = lambda: share(parallel, on.folder, words)
        profile = on.profile("sleep", stage.WORKERS)
        found["kastrun"] = lambda: _kastrun(on, profile)
        goals = ["kastrun ≤ 1 % of a core"]
        table = rounds.compare("CPU while 8 jobs sleep", "% of a core", found, options.rounds, goals)
    rounds.show([table], as_json=options.json)


def _kastrun(on: stage.Stage, profile: Path) -> float:
    out = on.folder / "idle"
    percent = share([sys.executable, "-m", "kastrun", str(profile), "-o", str(out)], on.folder, [])
    shutil.rmtree(out)
    return percent


def share(command: list[str], folder: Path, words: list[str]) -> float:
    """The CPU of a program itself, without its children, between two moments of its life."""
    process = subprocess.Popen(
        command, cwd=folder, env=stage.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    if process.stdin is None:
        raise AssertionError("it was asked for")
    process.stdin.write("".join(f"{word}\n" for word in words))
    process.stdin.close()
    time.sleep(FROM_S)
    before = _nanoseconds(process.pid)
    time.sleep(TO_S - FROM_S)
    used = _nanoseconds(process.pid) - before
    if process.wait(timeout=stage.LIMIT_S):
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}")
    return used / 1e9 / (TO_S - FROM_S) * 100


def _nanoseconds(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks)


if __name__ == "__main__":
    main()
