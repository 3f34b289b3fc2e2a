"""What a tally is made of: groups of findings, outcomes, jobs under way, times. Values only."""

from __future__ import annotations

from msgspec import Struct, field

from kastrun.model import Severity, Status


class Finding(Struct, kw_only=True, eq=False):
    """All findings of one plugin, rule and severity; `rule` empty: the others, past GROUPS.

    `accepted` ones are in the baseline: shown, but they never reach `fail_on`.
    """

    plugin: str
    rule: str
    severity: Severity
    accepted: bool
    title: str
    count: int = 0
    targets: list[str] = field(default_factory=list)


Found = dict[Finding, int]
"""How many findings of each group one job gave."""


Counted = dict[tuple[str, str], int]
"""How much one attempt added to a table of the tally: by the table's name and the key in it."""


class Outcome(Struct, kw_only=True, eq=False):
    """How many jobs of one plugin ended in one way."""

    plugin: str
    status: Status
    reason: str | None
    count: int = 0


class Running(Struct, kw_only=True, gc=False):
    """A job under way, with what it last said of itself. `at` is RFC 3339 UTC; `process` its own id, or
    what it has in common with the others of its batch.
    """

    job: str
    plugin: str
    target: str
    attempt: int
    at: str
    deadline_s: float
    done: int | None = None
    total: int | None = None
    message: str = ""
    process: str
    batch: int
    found: Found = field(default_factory=dict)
    counted: Counted = field(default_factory=dict)


class PluginTimes(Struct, kw_only=True):
    """Seconds that a plugin's processes ran, added up, and the moments between which they did."""

    busy_s: float = 0.0
    first_start: str = ""
    last_end: str = ""


class Slow(Struct, frozen=True, order=True):
    """One of the slowest jobs; of a batch each has its even share of the time."""

    duration_s: float
    job: str
    plugin: str
    target: str
    status: Status
