"""Makespan: 200 jobs that sleep 0.1 s, 8 at once; at best 2.5 s. How much does the runner add?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import rounds
import stage

JOBS = 200
KAST = Path(__file__).parent / "peers" / "kast_shape.py"


def main() -> None:
    """Jobs a second, so that a ratio reads as everywhere: more is better."""
    options = rounds.arguments(__doc__)
    with stage.stage() as on:
        program = on.build("sleep", "sleep", arguments=["0.1"])
        profile = on.profile("sleep", JOBS)
        numbers = f"yes 0.1 | head -{JOBS}"
        xargs = f"{numbers} | xargs -P8 -n1 {program}"
        parallel = f"{numbers} | parallel --will-cite -j8 --joblog joblog {program}"
        found: dict[str, rounds.Measure] = {
            "xargs -P8 -n1": lambda: JOBS / stage.shell(xargs, on.folder).seconds
        }
        if shutil.which("parallel"):
            found["parallel -j8 --joblog"] = lambda: JOBS / stage.shell(parallel, on.folder).seconds
        kast = [sys.executable, KAST, str(stage.WORKERS), str(JOBS), program, "0.1"]
        found["KAST 3's shape"] = lambda: JOBS / stage.timed(kast, on.folder).seconds
        found["kastrun"] = lambda: JOBS / on.scan(profile).seconds
        title = f"{JOBS} jobs of 0.1 s, 8 at once"
        table = rounds.compare(title, "jobs/s", found, options.rounds, ["kastrun ≥ 0.95 × xargs"])
    rounds.show([table], as_json=options.json)


if __name__ == "__main__":
    main()
