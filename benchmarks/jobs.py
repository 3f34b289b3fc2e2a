"""Jobs a second: plugins that do nothing, one process each, 8 at once.

kastrun does everything it does in a scan: job line, three pipes, deadline, tree kill,
validation, a folder a job, result, journal. The peers start the same program as often and
throw its output away. Figures include each contender's own start-up.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import rounds
import stage

PEERS = Path(__file__).parent / "peers"
XARGS, PARALLEL, KASTRUN = "xargs -P8 -n1", "parallel -j8 --joblog", "kastrun"


def contenders(on: stage.Stage, program: Path, count: int) -> dict[str, rounds.Measure]:
    """Each gives jobs a second. The slow ones get fewer jobs: theirs is a rate too."""
    few = max(40, count // 8)
    found: dict[str, rounds.Measure] = {
        XARGS: lambda: count / stage.shell(f"seq {count} | xargs -P8 -n1 {program}", on.folder).seconds
    }
    if shutil.which("parallel"):
        script = f"seq {few} | parallel --will-cite -j8 --joblog joblog {program}"
        found[PARALLEL] = lambda: few / stage.shell(script, on.folder).seconds
    if shutil.which("ninja"):
        ninja = _ninja(on.folder, program, few * 2)
        found["ninja -j8"] = lambda: few * 2 / _build(ninja)
    naive = [sys.executable, PEERS / "trio_run_process.py", str(stage.WORKERS), str(few * 2), program]
    found["trio.run_process"] = lambda: few * 2 / stage.timed(naive, on.folder).seconds
    kast = [sys.executable, PEERS / "kast_shape.py", str(stage.WORKERS), str(few), program]
    found["KAST 3's shape"] = lambda: few / stage.timed(kast, on.folder).seconds
    profile = on.profile(program.name, count)
    found[KASTRUN] = lambda: count / on.scan(profile).seconds
    return found


def _ninja(folder: Path, program: Path, count: int) -> Path:
    build = folder / f"ninja-{program.name}"
    build.mkdir()
    edges = "\n".join(f"build {number}: job" for number in range(count))
    (build / "build.ninja").write_text(f"rule job\n  command = {program}\n{edges}\n", encoding="ascii")
    return build


def _build(folder: Path) -> float:
    for name in (".ninja_log", ".ninja_deps"):
        (folder / name).unlink(missing_ok=True)
    return stage.timed(["ninja", "--quiet", "-j8"], folder).seconds


def main() -> None:
    """Three plugins, six contenders."""
    options = rounds.arguments(__doc__)
    with stage.stage() as on:
        python = f"{Path(sys.executable).resolve()} -IS"
        programs = {
            "dynamic C": (on.build("dynamic", "noop"), 4000),
            "static C": (on.build("static", "noop", "-static"), 6000),
            "python3 -I -S": (on.script("python", "noop.py", python), 320),
        }
        goals = ["kastrun ≥ 0.70 × xargs", "≥ 3.5 × GNU parallel", "≥ 5 × KAST 3"]
        tables = [
            rounds.compare(
                f"{name} plugin, {count:,} jobs",
                "jobs/s",
                contenders(on, program, count),
                options.rounds,
                goals if name == "dynamic C" else [],
            )
            for name, (program, count) in programs.items()
        ]
    rounds.show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
