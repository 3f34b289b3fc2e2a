"""Start-up: `kastrun --version` and `check` of a small profile, beside `python3 -c pass`."""

from __future__ import annotations

import shutil
import sys

import rounds
import stage


def main() -> None:
    """Milliseconds; here less is better."""
    options = rounds.arguments(__doc__, rounds=15)
    with stage.stage() as on:
        on.build("static", "noop", "-static")
        profile = on.profile("static", 1)

        def milliseconds(*command: str) -> rounds.Measure:
            return lambda: stage.timed(command, on.folder).seconds * 1000

        kastrun = (sys.executable, "-m", "kastrun")
        found = {"python3 -c pass": milliseconds(sys.executable, "-c", "pass")}
        found["xargs --version"] = milliseconds("xargs", "--version")
        if shutil.which("parallel"):
            found["parallel --version"] = milliseconds("parallel", "--version")
        found["kastrun --version"] = milliseconds(*kastrun, "--version")
        found["kastrun check"] = milliseconds(*kastrun, "check", str(profile))
        goals = ["`--version` ≤ 3 ×", "`check` ≤ 8 × `python3 -c pass`"]
        table = rounds.compare("start-up", "ms", found, options.rounds, goals)
    rounds.show([table], as_json=options.json)


if __name__ == "__main__":
    main()
