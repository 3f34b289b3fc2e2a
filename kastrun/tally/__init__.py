"""Everything the screen, the summary and the exit code need, folded from facts and records.

Floor 2, pure: no clock, no file, no terminal. `fold` counts, `verdict` judges what was
counted. A live run and the replay of its journal call the same methods in the same order,
so both end with equal tallies.
"""

from kastrun.tally.counts import Finding, Outcome, PluginTimes, Running, Slow
from kastrun.tally.fold import Tally, moment
from kastrun.tally.network import Contacts
from kastrun.tally.verdict import Coverage, ExitCode, coverage, exit_code

__all__ = [
    "Contacts",
    "Coverage",
    "ExitCode",
    "Finding",
    "Outcome",
    "PluginTimes",
    "Running",
    "Slow",
    "Tally",
    "coverage",
    "exit_code",
    "moment",
]
