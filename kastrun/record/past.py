"""Earlier runs of a profile: those that lie in the same folder as a run, and began before it.

Of each only the head of its `run.json` is read, so that a report of a year's runs costs little.
A run that was killed has none, and is not among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kastrun.facts import RunStarted
from kastrun.record.files import SUMMARY
from kastrun.report.past import Past, read

MOST: Final = 29
"""So many, the newest: with the run itself a trend of thirty."""
_HEAD: Final = 1 << 20


def past(folder: Path, run: RunStarted) -> list[tuple[Path, Past]]:
    """Their folders and what they were, the oldest first; the same as long as the same runs lie there."""
    found = [
        (beside, each)
        for beside in folder.parent.iterdir()
        if beside != folder and not beside.is_symlink() and (each := _read(beside / SUMMARY)) is not None
    ]
    earlier = [pair for pair in found if pair[1].name == run.name and pair[1].started_at < run.started_at]
    return sorted(earlier, key=lambda pair: (pair[1].started_at, pair[0].name))[-MOST:]


def _read(summary: Path) -> Past | None:
    try:
        with summary.open("rb") as file:
            return read(file.read(_HEAD))
    except OSError:
        return None  # no run, or not ours to read: there are such things beside a run
