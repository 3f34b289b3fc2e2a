"""A baseline on disk. Floor 3: what it means is `kastrun.baseline`'s."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kastrun.baseline import Baseline, parse
from kastrun.files.toml import read_toml
from kastrun.model import Problem


def read_baseline(path: str, today: date | None = None) -> tuple[Baseline | None, list[Problem]]:
    """The baseline in a file, empty where there is none yet (a warning); None, and why, where it is wrong.

    With `today`, what has ended is a warning.
    """
    shown = _shown(path)
    if not Path(path).exists():
        return Baseline(), [
            Problem(
                message="there is no such baseline yet, so every finding counts",
                rule="missing_file",
                level="warning",
                file=shown,
                path="output.baseline",
                hint="`kastrun baseline RUN` makes it from a run",
            )
        ]
    file = read_toml(Path(path), shown)
    return (None, file.problems) if file.document is None else parse(file.document, file.source, today)


def _shown(path: str) -> str:
    """As short as the user would type it: a profile's is absolute by now."""
    whole, here = Path(path), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
