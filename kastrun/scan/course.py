"""The course of a run: from its first event to its last, with all that goes on beside the jobs."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import trio
from msgspec import UNSET

from kastrun import __version__, record
from kastrun.engine import Batch, Control, Engine
from kastrun.engine.clock import Clock
from kastrun.errors import JournalError
from kastrun.facts import RunEnded, RunStarted
from kastrun.history import History
from kastrun.inputs import Inputs
from kastrun.intent import Intent
from kastrun.jobids import JobIds
from kastrun.journal import Journal
from kastrun.leads import Followed, Leads
from kastrun.model import Job
from kastrun.names import Names
from kastrun.process import Family
from kastrun.profile.window import window
from kastrun.ready import Followers
from kastrun.scan.following import Following, leads_of
from kastrun.scan.opening import Opening
from kastrun.scan.outside import Outside
from kastrun.scan.prepare import Prepared, caps_of, jobs_of, prepare
from kastrun.scan.resume import Resume, keep_assets, read_back, take_back
from kastrun.scan.reuse import Since, take_over
from kastrun.scan.sinks import Sinks, fact_line
from kastrun.scan.stations import Gate, confinements, stations
from kastrun.scan.steering import Steering
from kastrun.tally import ExitCode, Tally, coverage, exit_code
from kastrun.terminal import Screen
from kastrun.terminal.hand import Hand

TICK_S = 0.2
SYNC_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: everything that was counted, and the exit code."""

    tally: Tally
    exit: ExitCode
    folder: Path
    history: History
    """What was known of earlier runs when it began."""


async def run(
    intent: Intent,
    journal: Journal,
    screen: Screen,
    arguments: list[str],
    *,
    resume: Resume | None = None,
    since: Since | None = None,
    hand: Hand | None = None,
) -> Ended:
    """Run an intent into the folder of `journal`; in a `resume` no job that is finished runs again,
    and `since` an earlier run none that ended well in it. With the keys of `hand` single jobs can
    be given up.

    Raises KastError where nothing could be run; otherwise every job that began has its
    result, and the exit code says what they are worth.
    """
    try:
        return await _Run(intent, journal, screen, arguments, resume, since, hand).go()
    except BaseExceptionGroup as group:  # not `except*`: what is raised in one is wrapped again
        raise _only(group) from None


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Nurseries raise groups; here there is one error in it, or it is a bug."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class _Run:
    """One run under way: what its parts share."""

    def __init__(
        self,
        intent: Intent,
        journal: Journal,
        screen: Screen,
        arguments: list[str],
        resume: Resume | None,
        since: Since | None,
        hand: Hand | None,
    ) -> None:
        self.intent, self.journal, self.screen, self.arguments = intent, journal, screen, arguments
        self.folder, self.resume, self.since, self.hand = journal.path.parent, resume, since, hand
        self.control, self.family, self.clock = Control(), Family(), Clock()
        self.earlier, self.tally = record.Earlier(), Tally()
        self.accepts = record.witnessed(intent.baseline, self.clock.stamp(self.clock.began))
        self.accepted = record.in_force(self.accepts)
        self.inputs = Inputs(str(self.folder))
        self.leads: Leads | None = None
        self.followed: list[Followed] = []
        self.began_at = self.clock.stamp(self.clock.began)
        self.failure: JournalError | None = None

    async def go(self) -> Ended:
        with self.family:
            return await self._go()

    async def _go(self) -> Ended:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._hear_signals)
            planned = JobIds()
            noting = planned if self.resume or self.since else None
            prepared = await prepare(self.intent, self.family, self.control, noting)
            if prepared.planner is not None:
                self.leads = leads_of(self.intent, prepared.choice.selection, prepared.planner)
            if self.resume:
                self.earlier, self.followed = await read_back(
                    self.journal.path,
                    planned,
                    self.resume,
                    self.accepted,
                    self.control,
                    self.leads,
                    self.began_at,
                )
                self.tally, planned = self.earlier.tally, JobIds(0)  # 12 MB of a million jobs
            await self._journaled(prepared, planned)
            nursery.cancel_scope.cancel()
        return self._ended()

    async def _journaled(self, prepared: Prepared, planned: JobIds) -> None:
        """From the `run` event to the `end` event. A journal that fails ends the jobs, not the program."""
        sinks = Sinks(self.journal, self.tally, self.screen, self.accepted)
        try:
            async with trio.open_nursery() as beside:
                begun = self._begun(prepared)
                sinks(Batch(lines=[*map(msgspec.json.encode, (begun, *self.accepts))], facts=(begun,)))
                beside.start_soon(self._sync, self.journal)
                beside.start_soon(self._tick)
                if self.hand:
                    beside.start_soon(self._hear_keys, self.hand)
                take_back(self.earlier, sinks, self.screen, self.began_at)
                if self.since:
                    self.earlier, self.followed = await take_over(
                        self.since,
                        planned,
                        self.journal,
                        record.Fold(self.tally, self.accepted),
                        self.screen,
                        self.control,
                        self.leads,
                        self.began_at,
                    )
                if any(chosen.plugin.consumes for chosen in prepared.choice.selection.chosen):
                    keep_assets(self.earlier, self.inputs)
                steering = self._steering(sinks)
                if steering is not None:
                    beside.start_soon(steering.steer)
                engine = self._engine(prepared, sinks, steering, self._following(sinks), beside)
                self.failure = await engine.run() or self.failure
                if self.failure is None:
                    sinks(fact_line(self._over()))
                beside.cancel_scope.cancel()
        except* JournalError as group:
            error = _only(group)
            self.failure = error if isinstance(error, JournalError) else None
        finally:
            self.screen.stop(self.tally, time.time())

    def _ended(self) -> Ended:
        failure = self.failure
        exit_ = exit_code(
            self.tally,
            self.intent.profile.fail_on,
            interrupted=self.control.stopping and failure is None,
            journal_error=failure.message if failure else None,
        )
        return Ended(tally=self.tally, exit=exit_, folder=self.folder, history=self.intent.history)

    def _steering(self, sinks: Sinks) -> Steering | None:
        """What adapts the workers, where the profile wants that."""
        profile = self.intent.profile
        if profile.min_workers is None:
            return None
        steering = Steering(profile.min_workers, profile.max_workers, self.clock, sinks)
        sinks.hears.append(steering.hear)
        return steering

    def _following(self, sinks: Sinks) -> Followers:
        """The jobs of discovered targets, those of an earlier start first."""
        if self.leads is None:
            return Followers()
        following = Following(self.leads, sinks, self.clock, self.screen)
        following.begin(self.followed, self.earlier.finished)
        sinks.hears.append(following.hear)
        sinks.finds = following.finds
        return following.followers

    def _engine(
        self,
        prepared: Prepared,
        sinks: Sinks,
        steering: Steering | None,
        followers: Followers,
        beside: trio.Nursery,
    ) -> Engine:
        intent, finished = self.intent, self.earlier.finished
        items = jobs_of(intent, prepared.choice.selection)
        posts = stations(intent, prepared)
        names = Names()
        return Engine(
            jobs=(item for item in items if isinstance(item, Job) and item.id not in finished),
            stations=posts,
            confinements=confinements(prepared, posts),
            outside=Outside(intent.scope, names, prepared.choice.policies, beside),
            allowed=Gate(intent, names, self._opening(), steering).look,
            sink=sinks,
            folder=str(self.folder),
            max_workers=steering.workers.count if steering else intent.profile.max_workers,
            levers=steering.levers if steering else None,
            timeout_s=intent.profile.run_timeout_s,
            clock=self.clock,
            control=self.control,
            family=self.family,
            inputs=self.inputs,
            failed=self.earlier.failed,
            caps=caps_of(intent.profile, prepared.choice.selection),
            attempts=intent.profile.attempts,
            followers=followers,
        )

    def _opening(self) -> Opening:
        text = self.intent.profile.window
        return Opening(window(text) if text else None, self.tally, self.screen)

    def _begun(self, prepared: Prepared) -> RunStarted:
        profile = self.intent.profile
        return RunStarted(
            run=self.folder.name,
            name=profile.name,
            kastrun=__version__,
            profile=record.digest(profile),
            planned=prepared.counted.planned,
            started_at=self.began_at,
            fail_on=profile.fail_on,
            max_workers=profile.max_workers,
            mode=profile.mode,
            source=profile.source,
            arguments=self.arguments,
            left_out=[*self.intent.broken(), *prepared.choice.selection.left_out, *prepared.counted.left_out],
            baseline=profile.baseline or UNSET,
        )

    def _over(self) -> RunEnded:
        counts: dict[str, int] = {}
        for outcome in self.tally.outcomes():
            counts[outcome.status] = counts.get(outcome.status, 0) + outcome.count
        ended_at = self.clock.stamp(self.clock.now())
        cover = coverage(self.tally)
        cause: Literal["signal", "run_timeout", "launcher_lost"] | None = None
        if self.control.stopping:
            cause = "signal"
        elif self.control.launcher_lost:
            cause = "launcher_lost"
        elif cover.not_run or cover.cancelled > sum(self.control.given_up.values()):
            cause = "run_timeout"  # nothing else ends a run before its jobs
        status: Literal["interrupted", "complete"] = "interrupted" if cause else "complete"
        return RunEnded(status=status, counts=counts, ended_at=ended_at, cause=cause)

    async def _sync(self, journal: Journal) -> None:
        """Fsync in groups: a result is on the disk well within a second of being written."""
        while True:
            await trio.sleep(SYNC_S)
            if journal.dirty:
                try:
                    await trio.to_thread.run_sync(journal.sync)
                except JournalError as error:
                    self.failure = error
                    self.control.hurry()
                    return

    async def _tick(self) -> None:
        self.screen.start(self.tally, time.time())
        while True:
            await trio.sleep(TICK_S)
            self.screen.update(self.tally, time.time())

    async def _hear_keys(self, hand: Hand) -> None:
        with hand:
            async for key in hand.keys():
                given_up = hand.choice.press(key, self.tally)
                if given_up is not None:
                    self.control.give_up(given_up.process, given_up.batch)
                    self.screen.note(f"given up: {given_up.plugin} {given_up.target}", time.time())

    async def _hear_signals(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(*_heard()) as received:
            task_status.started()
            async for number in received:
                if number == signal.SIGCONT:
                    if self.hand:
                        self.hand.take()
                    continue
                self.control.stop()
                text = (
                    "killing what runs"
                    if self.control.hurrying
                    else "stopping: running jobs get their grace; once more kills them now"
                )
                self.screen.note(text, time.time())


def _heard() -> list[signal.Signals]:
    """SIGHUP is a polite stop too, unless it was asked to be ignored (`nohup`)."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, signal.SIGCONT, *([] if ignored else [signal.SIGHUP])]
