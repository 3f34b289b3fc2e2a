"""`--since`: what an earlier run has found out lately is taken over, marked as such, and not run again."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import trio

from kastrun import record
from kastrun.engine import Control
from kastrun.errors import JournalError, UsageError
from kastrun.facts import JobEnded
from kastrun.intent import Intent
from kastrun.jobids import JobIds
from kastrun.journal import Journal
from kastrun.leads import Followed, Leads
from kastrun.record import Reusable, reusable
from kastrun.scan.following import derive
from kastrun.tally import Tally
from kastrun.terminal import Screen
from kastrun.terminal.wording import counted, span

_AT_ONCE = 500
"""Lines that are taken over in one write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The journal of the earlier run, and for how many seconds its results hold."""

    journal: Path
    max_age_s: float


def check_same_http(since: Since, intent: Intent) -> None:
    """A job's id does not cover `[http]`: with another one the results are others. Raises UsageError."""
    path = since.journal.parent / record.PROFILE
    try:
        http = tomllib.loads(path.read_text(encoding="utf-8")).get("http")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read, so nobody knows what that run asked for: {error}"
        ) from error
    if http != intent.profile.document.get("http"):
        raise UsageError(
            f"the [http] table of {path} is another than this profile's: its results would be others",
            hint="leave `--since` out, or name a run with the same [http]",
        )


async def take_over(
    since: Since,
    planned: JobIds,
    journal: Journal,
    fold: record.Fold,
    screen: Screen,
    control: Control,
    leads: Leads | None,
    at: str,
) -> tuple[record.Earlier, list[Followed]]:
    """Write what can be used again into `journal`, and `fold` it; what is finished thereby, and
    what follows from it, which is planned from now on and may be used again too.

    Stopped in the middle, a resume runs the rest. Raises JournalError.
    """
    finished, tally = JobIds(), fold.tally
    followed: list[Followed] = []
    with trio.CancelScope() as scope:
        control.attach(scope)
        try:
            found, followed, lost = await trio.to_thread.run_sync(
                _ready, since, planned, journal.path.parent, leads, at, abandon_on_cancel=True
            )
        except OSError as error:
            raise JournalError(
                f"files of the run {since.journal.parent} cannot be copied: {error}",
                hint="make room, or run without --since",
            ) from error
        await _copy_lines(found, planned, journal, fold, finished)
        _tell(since, tally, lost, screen)
    assets = record.assets(journal.path, finished)
    return record.Earlier(tally=tally, finished=finished, assets=assets), followed


def _ready(
    since: Since, planned: JobIds, folder: Path, leads: Leads | None, at: str
) -> tuple[Reusable, list[Followed], int]:
    found = reusable(since.journal, time.time() - since.max_age_s)
    followed = derive(leads, lambda: found.lines(planned), planned, at) if leads else []
    return found, followed, found.copy_artifacts(folder, planned)


async def _copy_lines(
    found: Reusable, planned: JobIds, journal: Journal, fold: record.Fold, finished: JobIds
) -> None:
    lines = found.lines(planned)
    while batch := list(islice(lines, _AT_ONCE)):
        journal.append(line for _, line in batch)
        for fact, _ in batch:
            fold.take(fact)
            if isinstance(fact, JobEnded):
                finished.add(fact.job)
        await trio.lowlevel.checkpoint()


def _tell(since: Since, tally: Tally, lost: int, screen: Screen) -> None:
    run = since.journal.parent.name
    jobs = counted(tally.reused, "job") if tally.reused else "no job"
    screen.note(f"{jobs} of {run} reused: same work, at most {span(since.max_age_s)} old", time.time())
    if lost:
        screen.note(
            f"{counted(lost, 'job')} of it run again: files that they handed over are missing or changed",
            time.time(),
        )
