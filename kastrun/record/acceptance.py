"""What a run's baseline accepts, as its journal has it: that of the last start counts, for the whole run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from kastrun.baseline import Baseline
from kastrun.facts import Accepted, RunStarted
from kastrun.journal import reader


def acceptances(journal: Path) -> dict[str, Accepted]:
    """Every acceptance by fingerprint, those too that had ended when the run began."""
    found: dict[str, Accepted] = {}
    for entry in reader.pick(journal, RunStarted, Accepted):
        if isinstance(entry.fact, Accepted):
            found[entry.fact.fingerprint] = entry.fact
        else:
            found = {}
    return found


def witnessed(baseline: Baseline, began: str) -> list[Accepted]:
    """What the journal says of a baseline where a run begins at that moment (RFC 3339 UTC)."""
    day = date.fromisoformat(began[:10])
    return [
        Accepted(
            fingerprint=each.fingerprint,
            reason=each.reason,
            until=each.until.isoformat() if each.until else None,
            ended=not each.holds(day),
        )
        for each in baseline.accepted.values()
    ]


def in_force(accepted: Iterable[Accepted]) -> frozenset[str]:
    """The fingerprints of those that hold."""
    return frozenset(each.fingerprint for each in accepted if not each.ended)
