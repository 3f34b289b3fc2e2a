"""Going on with an earlier start: what it had done is read back, and what of it counts no more is said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from kastrun import record
from kastrun.engine import Control
from kastrun.errors import Interrupted, JournalError
from kastrun.inputs import Inputs
from kastrun.jobids import JobIds
from kastrun.journal import Damage
from kastrun.leads import Followed, Leads
from kastrun.scan.following import derive
from kastrun.scan.sinks import Sinks, void_line
from kastrun.terminal import Screen
from kastrun.terminal.wording import counted

MOST_DAMAGE = 5
"""Damaged lines that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The run goes on with what its journal has; with `retry_failed`, what failed runs again too."""

    retry_failed: bool = False


async def read_back(
    journal: Path,
    planned: JobIds,
    resume: Resume,
    accepted: frozenset[str],
    control: Control,
    leads: Leads | None,
    at: str,
) -> tuple[record.Earlier, list[Followed]]:
    """What the journal has of the planned jobs, and what follows from it, which is planned from now on.

    In a thread, for Ctrl-C to be heard. Raises Interrupted.
    """

    def read() -> tuple[record.Earlier, list[Followed]]:
        followed = derive(leads, lambda: record.lines(journal), planned, at) if leads else []
        again = resume.retry_failed
        return record.earlier(journal, planned, retry_failed=again, accepted=accepted), followed

    with trio.CancelScope() as scope:
        control.attach(scope)
        return await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    raise Interrupted("stopped before anything was run", hint="start it again")


def take_back(earlier: record.Earlier, sinks: Sinks, screen: Screen, at: str) -> None:
    """Of jobs that damage took, or that are not planned any more, nothing counts that was said before."""
    _tell_damage(earlier.damage, screen)
    for job in earlier.lost:
        sinks(void_line(job, "damaged", at))
    dropped = 0
    for job in earlier.dropped:
        sinks(void_line(job, "not_planned", at))
        dropped += 1
    if dropped:
        jobs = "1 job is" if dropped == 1 else f"{dropped:,} jobs are"
        screen.note(
            f"{jobs} not planned any more, since the profile or a plugin has changed: what an earlier start "
            "found there does not count",
            time.time(),
        )


def _tell_damage(damage: Sequence[Damage], screen: Screen) -> None:
    for each in damage[:MOST_DAMAGE]:
        what = "lines are missing" if each.missing else "a line cannot be read"
        screen.note(f"journal, byte {each.offset}: {what}; the jobs that this touches run again", time.time())
    if len(damage) > MOST_DAMAGE:
        screen.note(f"and {counted(len(damage) - MOST_DAMAGE, 'more line')}", time.time())


def keep_assets(earlier: record.Earlier, inputs: Inputs) -> None:
    """What an earlier start found, for jobs that consume it. Raises JournalError where the disk is full."""
    try:
        for job, line in earlier.assets:
            if line is None:
                inputs.forget(job)
            else:
                inputs.keep(job, [line])
    except OSError as error:
        raise JournalError(
            f"what an earlier start found cannot be kept for those that consume it: {error}",
            hint="make room, then resume the run again; what its journal holds is safe",
        ) from error
