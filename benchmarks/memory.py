"""Peak memory: of a plan of a million targets, and of runs of ten times as many jobs.

A peak hardly varies, so there are fewer rounds than elsewhere. `--targets` makes it quicker.
"""

from __future__ import annotations

import argparse

import rounds
import stage

RUNS = (2000, 20_000)


def arguments() -> argparse.Namespace:
    """The usual ones, and how many targets."""
    parser = rounds.parser(__doc__, rounds=1)
    parser.add_argument("--targets", type=int, default=1_000_000, help="of the large plan (default: 10^6)")
    return parser.parse_args()


def main() -> None:
    """`plan` of one target is the base of both tables."""
    options = arguments()
    with stage.stage() as on:
        on.build("static", "noop", "-static")
        one, many = (on.profile("static", count, first=stage.NAMED) for count in (1, options.targets))
        base = {"kastrun plan, 1 target": lambda: on.kastrun("plan", one).peak_mb}
        plans = base | {
            f"kastrun plan, {options.targets:,} targets": lambda: on.kastrun("plan", many).peak_mb
        }
        runs = {f"kastrun, {count:,} jobs": _run(on, count) for count in RUNS}
        tables = [
            rounds.compare(
                "peak memory of a plan", "MB", plans, options.rounds, ["≤ the base + 20 MB at 10^6 targets"]
            ),
            rounds.compare(
                "peak memory of a run", "MB", runs, options.rounds, ["no growth with the number of jobs"]
            ),
        ]
    rounds.show(tables, as_json=options.json)


def _run(on: stage.Stage, count: int) -> rounds.Measure:
    profile = on.profile("static", count, first=stage.NAMED)
    return lambda: on.scan(profile).peak_mb


if __name__ == "__main__":
    main()
