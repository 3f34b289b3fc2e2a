"""What starting costs: import times and whole commands, as ratios to `python -c pass`.

Interleaved runs, medians: the machine's mood falls on all rows alike. `python imports.py [RUNS]`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PASS = ["-c", "pass"]
IMPORTS = (
    *("trio", "jsonschema", "msgspec", "pydantic_settings", "tomli_w", "tree_sitter_toml", "rich.console"),
    *("yarl", "idna", "shtab", "argparse", "kastrun.cli.parser", "kastrun.scan"),
)
PROFILE = 'schema = 1\ntargets = ["127.0.0.1"]\n\n[plugins.http-headers]\n'


def commands(folder: Path) -> dict[str, list[str]]:
    """Name to the arguments of python."""
    profile = folder / "scan.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    return {
        "python -c pass": PASS,
        **{f"import {name}": ["-c", f"import {name}"] for name in IMPORTS},
        "kastrun --version": ["-m", "kastrun", "--version"],
        "kastrun check": ["-m", "kastrun", "check", str(profile)],
    }


def seconds(arguments: list[str], folder: Path) -> float:
    """Wall-clock time of one start of python, which must succeed."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def measure(runs: int) -> dict[str, float]:
    """The median of each command in seconds; the first round fills the caches and is not counted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = commands(folder)
        rounds = [
            {row: seconds(arguments, folder) for row, arguments in rows.items()} for _ in range(runs + 1)
        ]
    return {row: statistics.median(each[row] for each in rounds[1:]) for row in rows}


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    medians = measure(runs)
    bare = medians["python -c pass"]
    print(f"{'':<26} {'ratio':>6} {'ms':>6}   (median of {runs}, interleaved)")
    for row, took in medians.items():
        print(f"{row:<26} {took / bare:>6.1f} {took * 1000:>6.0f}")


if __name__ == "__main__":
    main()
