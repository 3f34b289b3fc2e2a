"""A run as its reports see it: everything folded, and findings and results as streams.

Each stream may be asked for again and again, and is read anew each time, so that a report of a
million findings needs no more memory than one of ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kastrun.facts import JobEnded, RunStarted
from kastrun.report.finding import Finding
from kastrun.report.past import Past
from kastrun.tally import Coverage, ExitCode, Tally, coverage

if TYPE_CHECKING:
    from kastrun.report.comparison import Comparison


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`findings` are the distinct ones, in the journal's order; `results` the last of each job."""

    tally: Tally
    exit: ExitCode
    findings: Callable[[], Iterator[Finding]]
    results: Callable[[], Iterator[JobEnded]]
    profile: str
    """`profile.toml`, as it stands beside the journal; empty where it is not there."""
    past: Callable[[], Sequence[Past]] = tuple
    """Earlier runs of the profile that lie beside it, the oldest first."""
    since: Callable[[], Comparison | None] = _nothing
    """What has changed since the newest of them that came to its end."""

    @property
    def run(self) -> RunStarted:
        """How the run began."""
        if self.tally.run is None:
            raise ValueError("a journal without a run has no reports")
        return self.tally.run

    @property
    def coverage(self) -> Coverage:
        """How much of the plan was done."""
        return coverage(self.tally)
