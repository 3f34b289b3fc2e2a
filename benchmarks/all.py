"""Every benchmark, one after the other: tables, or with `--json` one document of all.

`all.py --rounds 1` is a quick look of a few minutes; without it each takes its own number.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "start_up",
    "jobs",
    "makespan",
    "schedule",
    "records",
    "memory",
    "resume",
    "idle",
    "broker",
    "sandbox",
)


def main() -> None:
    """Run them in the order of the README."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", help="counted rounds of each")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    options = parser.parse_args()
    rounds = ["--rounds", options.rounds] if options.rounds else []
    found = {}
    for name in BENCHMARKS:
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *rounds]
        if options.json:
            found[name] = json.loads(subprocess.check_output([*command, "--json"]))
        else:
            print(f"## {name}\n", flush=True)
            subprocess.run(command, check=True)
            print(flush=True)
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
