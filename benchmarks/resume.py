"""Resume: how long until the first job that is left starts, where all others have their results.

The journal is made up: a small run's lines, again for every job but one of a large plan. A
resume reads it, counts the plan, and goes through it to the job that is left; `show` reads
the journal only. `--results 1000000` is the goal's size.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import rounds
import stage


def arguments() -> argparse.Namespace:
    """The usual ones, and how many results."""
    parser = rounds.parser(__doc__, rounds=3)
    parser.add_argument("--results", type=int, default=100_000, help="in the journal (default: 10^5)")
    return parser.parse_args()


def main() -> None:
    """Seconds, and peak memory, beside `wc -l` of the same journal."""
    options = arguments()
    with stage.stage() as on:
        on.build("static", "noop", "-static")
        journal = make_run(on, options.results)
        run = journal.parent
        plan = on.profile("static", options.results + 1, first=stage.NAMED)
        found: dict[str, rounds.Measure] = {
            "wc -l journal.jsonl": lambda: stage.timed(["wc", "-l", journal], on.folder).seconds,
            "kastrun plan, as many targets": lambda: on.kastrun("plan", plan).seconds,
            "kastrun show": lambda: on.kastrun("show", run).seconds,
            "kastrun resume, to its first job": lambda: resumed(on, journal)[0],
        }
        peaks: dict[str, rounds.Measure] = {
            "kastrun plan, 1 target": lambda: on.kastrun("plan", on.profile("static", 1)).peak_mb,
            "kastrun show": lambda: on.kastrun("show", run).peak_mb,
            "kastrun resume": lambda: resumed(on, journal)[1],
        }
        title = f"a journal of {options.results:,} results"
        tables = [
            rounds.compare(f"{title}, time", "s", found, options.rounds, ["≤ 2 s at 10^6 results"]),
            rounds.compare(f"{title}, peak memory", "MB", peaks, 1, ["≤ 60 MB at 10^6 results"]),
        ]
    rounds.show(tables, as_json=options.json)


def make_run(on: stage.Stage, results: int) -> Path:
    """The journal of a run that was killed when one job was left."""
    folder = on.folder / "resumed"
    profile = on.profile("static", results + 1, first=stage.NAMED)
    on.kastrun(on.profile("static", 1, first=stage.NAMED), "-q", "-o", folder)
    journal = folder / "journal.jsonl"
    begun, *job, _ = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    one, all_ = (on.targets(count, stage.NAMED).name for count in (1, results + 1))
    text = (folder / "profile.toml").read_text(encoding="utf-8")
    (folder / "profile.toml").write_text(text.replace(one, all_), "utf-8")
    with journal.open("w", encoding="utf-8") as file:
        file.write(compact(begun | {"planned": results + 1}) + "\n")
        seq = begun["seq"]
        for each in planned(on, profile, results):
            for event in job:
                seq += 1
                file.write(compact({**event, "seq": seq, **named(event, each)}) + "\n")
    return journal


def compact(event: dict[str, Any]) -> str:
    """As kastrun writes it."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def planned(on: stage.Stage, profile: Path, most: int) -> Iterator[dict[str, Any]]:
    """The first jobs of a plan, as `plan --json` has them: one a line."""
    command = [sys.executable, "-m", "kastrun", "plan", "--json", str(profile)]
    with subprocess.Popen(
        command, cwd=on.folder, env=stage.environment(), stdout=subprocess.PIPE, text=True
    ) as plan:
        for line in plan.stdout or ():
            if most and line.startswith('    {"order":'):
                most -= 1
                yield json.loads(line.rstrip(",\n"))


def named(event: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """The members of an event that name its job."""
    target = job["target"]["value"]
    return {"job": job["job"]} | ({"targets": [target]} if event["type"] == "start" else {"target": target})


def resumed(on: stage.Stage, journal: Path) -> tuple[float, float]:
    """Seconds from the command to the `start` of the one job left, and the peak in MB; on a copy."""
    copy = on.folder / "again"
    shutil.copytree(journal.parent, copy)
    size = (copy / journal.name).stat().st_size
    began = time.time()
    ran = on.kastrun("resume", copy, "-q")
    with (copy / journal.name).open("rb") as file:
        file.seek(size)
        events = map(json.loads, file)
        start = next(event for event in events if event["type"] == "start")
    shutil.rmtree(copy)
    return datetime.fromisoformat(start["at"]).timestamp() - began, ran.peak_mb


if __name__ == "__main__":
    main()
