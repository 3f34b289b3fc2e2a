"""Records a second: 10 jobs that print 100,000 findings of 200 bytes each as fast as they are taken.

kastrun checks every record, gives it a fingerprint and an envelope and writes it to the
journal; `wc -l` counts lines.
"""

from __future__ import annotations

import shutil

import rounds
import stage

JOBS, EACH = 10, 100_000


def main() -> None:
    """One pipe into `wc`, eight at once into `wc`, and kastrun."""
    options = rounds.arguments(__doc__)
    total = JOBS * EACH
    with stage.stage() as on:
        program = on.build("emit", "emit", arguments=[str(EACH)])
        profile = on.profile("emit", JOBS)
        numbers = f"yes {EACH} | head -{JOBS}"
        found: dict[str, rounds.Measure] = {
            "emit | wc -l": lambda: total / stage.shell(f"{program} {total} | wc -l", on.folder).seconds,
            "xargs -P8 -n1 emit | wc -l": lambda: (
                total / stage.shell(f"{numbers} | xargs -P8 -n1 {program} | wc -l", on.folder).seconds
            ),
        }
        if shutil.which("parallel"):
            script = f"{numbers} | parallel --will-cite -j8 --joblog joblog {program} | wc -l"
            found["parallel -j8 emit | wc -l"] = lambda: total / stage.shell(script, on.folder).seconds
        found["kastrun"] = lambda: total / on.scan(profile).seconds
        title = f"{total:,} records of 200 bytes over {JOBS} jobs"
        table = rounds.compare(title, "records/s", found, options.rounds, ["kastrun ≥ 0.25 × `wc -l`"])
    rounds.show([table], as_json=options.json)


if __name__ == "__main__":
    main()
