"""The files of a run: those beside its journal, and the journal read back.

Floor 4. `files` writes what belongs to a run folder, `soundness` says which lines of a
journal count, `replay` folds them: into a tally, or into what a resume has to know.
"""

from kastrun.record.acceptance import acceptances, in_force, witnessed
from kastrun.record.durations import read_history, write_history
from kastrun.record.files import (
    JOURNAL,
    PROFILE,
    SUMMARY,
    clear_unfinished,
    digest,
    point_latest,
    reports,
    run_folders,
    write,
    write_profile,
    write_summary,
)
from kastrun.record.replay import Earlier, Fold, Replayed, assets, earlier, exit_of, replay
from kastrun.record.results import results
from kastrun.record.reuse import Reusable, reusable
from kastrun.record.soundness import Flaws, entries, examine, lines

__all__ = [
    "JOURNAL",
    "PROFILE",
    "SUMMARY",
    "Earlier",
    "Flaws",
    "Fold",
    "Replayed",
    "Reusable",
    "acceptances",
    "assets",
    "clear_unfinished",
    "digest",
    "earlier",
    "entries",
    "examine",
    "exit_of",
    "in_force",
    "lines",
    "point_latest",
    "read_history",
    "replay",
    "reports",
    "results",
    "reusable",
    "run_folders",
    "witnessed",
    "write",
    "write_history",
    "write_profile",
    "write_summary",
]
