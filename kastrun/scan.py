"""A whole run put together: profile and catalogue to plan, plan to engine, events to sinks.

Floor 5. Knows every room below and does nothing itself: it hands one's result to the next,
turns signals into wishes for the engine, and says how it ended.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

import msgspec
import trio

from kastrun import __version__, record
from kastrun.engine import Batch, Control, Engine
from kastrun.engine.clock import Clock
from kastrun.engine.outcome import Cause
from kastrun.errors import Interrupted, JournalError, UsageError
from kastrun.facts import LeftOut, RunEnded, RunStarted
from kastrun.inputs import Inputs
from kastrun.intent import Intent, read_secret
from kastrun.journal import Journal
from kastrun.launch import Station
from kastrun.model import Job
from kastrun.names import Names
from kastrun.plan import Selection, Survey, plan, select, survey
from kastrun.process import Family
from kastrun.protocol import messages
from kastrun.requires import Readiness, probe, probe_once
from kastrun.tally import ExitCode, Tally, coverage, exit_code
from kastrun.targets.addresses import is_address
from kastrun.terminal import Screen
from kastrun.terminal.wording import clean

TICK_S = 0.2
SYNC_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan before it is run: the plugins that take part, their readiness, and what was counted."""

    selection: Selection
    readiness: dict[str, Readiness]
    counted: Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: everything that was counted, and the exit code."""

    tally: Tally
    exit: ExitCode
    folder: Path


def jobs_of(intent: Intent, selection: Selection) -> Iterator[Job | LeftOut]:
    """The plan of an intent, anew at each call."""
    return plan(selection, intent.entries(), intent.scope)


async def choose(intent: Intent, family: Family | None = None) -> tuple[Selection, dict[str, Readiness]]:
    """Probe what the plugins need, once, and choose those that take part."""
    plugins = intent.plugins()
    readiness = await (probe(plugins.values(), family) if family else probe_once(plugins.values()))
    missing = {name: ready.missing for name, ready in readiness.items() if ready.missing}
    return select(intent.profile, plugins, missing), readiness


async def prepare(intent: Intent, family: Family, control: Control) -> Prepared:
    """Choose the plugins and count the jobs. Raises Interrupted, UsageError where there is no job."""
    with trio.CancelScope() as scope:
        control.attach(scope)
        selection, readiness = await choose(intent, family)
        counted = await _count(jobs_of(intent, selection))
        if not counted.planned:
            raise _nothing_to_do([*intent.broken(), *selection.left_out, *counted.left_out])
        return Prepared(selection=selection, readiness=readiness, counted=counted)
    raise Interrupted("stopped before anything was run", hint="start it again")


def _nothing_to_do(left_out: Sequence[LeftOut]) -> UsageError:
    """A run of no jobs would look clean, and have looked at nothing."""
    reasons = [clean(f"{each.plugin or each.target}: {each.message}") for each in left_out[:3]]
    more = f" (and {len(left_out) - 3} more)" if len(left_out) > 3 else ""
    return UsageError(
        "nothing to scan: no job is planned" + "".join(f"\n  {reason}" for reason in reasons) + more,
        hint="`kastrun plan` shows what is left out and why",
    )


async def _count(items: Iterator[Job | LeftOut]) -> Survey:
    """The whole plan, counted; signals are heard every few thousand jobs."""
    counted = Survey()
    while not survey(items, counted, most=5000):
        await trio.lowlevel.checkpoint()
    return counted


async def run(
    intent: Intent, folder: Path, screen: Screen, arguments: list[str], earlier: record.Earlier | None = None
) -> Ended:
    """Run an intent into `folder`, which exists; what `earlier` has finished is not run again.

    Raises KastError where nothing could be run; otherwise every job that began has its
    result, and the exit code says what they are worth.
    """
    try:
        return await _Run(intent, folder, screen, arguments, earlier or record.Earlier()).go()
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
        self, intent: Intent, folder: Path, screen: Screen, arguments: list[str], earlier: record.Earlier
    ) -> None:
        self.intent, self.folder, self.screen, self.arguments = intent, folder, screen, arguments
        self.control, self.family, self.clock = Control(), Family(), Clock()
        self.tally, self.finished, self.failed = earlier.tally, earlier.finished, earlier.failed
        self.inputs, self.assets = Inputs(str(folder)), earlier.assets
        self.failure: JournalError | None = None

    async def go(self) -> Ended:
        with self.family:
            return await self._go()

    async def _go(self) -> Ended:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._hear_signals)
            prepared = await prepare(self.intent, self.family, self.control)
            with Journal(self.folder / record.JOURNAL) as journal:
                await self._journaled(prepared, journal)
            nursery.cancel_scope.cancel()
        return self._ended()

    async def _journaled(self, prepared: Prepared, journal: Journal) -> None:
        """From the `run` event to the `end` event. A journal that fails ends the jobs, not the program."""
        sinks = _Sinks(journal, self.tally, self.screen)
        try:
            async with trio.open_nursery() as beside:
                sinks(_fact(self._begun(prepared)))
                beside.start_soon(self._sync, journal)
                beside.start_soon(self._tick)
                self._keep_assets(prepared)
                self.failure = await self._engine(prepared, sinks).run() or self.failure
                if self.failure is None:
                    sinks(_fact(self._over()))
                beside.cancel_scope.cancel()
        except* JournalError as group:
            error = _only(group)
            self.failure = error if isinstance(error, JournalError) else None
        finally:
            self.screen.stop(self.tally, time.time())

    def _keep_assets(self, prepared: Prepared) -> None:
        """What an earlier start of this run found, for jobs that consume it."""
        if any(chosen.plugin.consumes for chosen in prepared.selection.chosen):
            for job_id, line in self.assets:
                self.inputs.keep(job_id, [line])

    def _ended(self) -> Ended:
        failure = self.failure
        exit_ = exit_code(
            self.tally,
            self.intent.profile.fail_on,
            interrupted=self.control.stopping and failure is None,
            journal_error=failure.message if failure else None,
        )
        return Ended(tally=self.tally, exit=exit_, folder=self.folder)

    def _engine(self, prepared: Prepared, sinks: _Sinks) -> Engine:
        intent, finished = self.intent, self.finished
        items = jobs_of(intent, prepared.selection)
        return Engine(
            jobs=(item for item in items if isinstance(item, Job) and item.id not in finished),
            stations=_stations(intent, prepared),
            allowed=_Gate(intent, Names()).look,
            sink=sinks,
            folder=str(self.folder),
            max_workers=intent.profile.max_workers,
            timeout_s=intent.profile.run_timeout_s,
            clock=self.clock,
            control=self.control,
            family=self.family,
            inputs=self.inputs,
            failed=self.failed,
        )

    def _begun(self, prepared: Prepared) -> RunStarted:
        profile = self.intent.profile
        return RunStarted(
            run=self.folder.name,
            name=profile.name,
            kastrun=__version__,
            profile=record.digest(profile),
            planned=prepared.counted.planned,
            started_at=self.clock.stamp(self.clock.began),
            fail_on=profile.fail_on,
            max_workers=profile.max_workers,
            mode=profile.mode,
            source=profile.source,
            arguments=self.arguments,
            left_out=[*self.intent.broken(), *prepared.selection.left_out, *prepared.counted.left_out],
        )

    def _over(self) -> RunEnded:
        counts: dict[str, int] = {}
        for outcome in self.tally.outcomes():
            counts[outcome.status] = counts.get(outcome.status, 0) + outcome.count
        ended_at = self.clock.stamp(self.clock.now())
        cover = coverage(self.tally)
        cause: Literal["signal", "run_timeout"] | None = None
        if self.control.stopping:
            cause = "signal"
        elif cover.cancelled or cover.not_run:
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

    async def _hear_signals(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            task_status.started()
            async for _ in received:
                self.control.stop()
                text = (
                    "killing what runs"
                    if self.control.hurrying
                    else "stopping: running jobs get their grace; once more kills them now"
                )
                self.screen.note(text, time.time())


def _stations(intent: Intent, prepared: Prepared) -> dict[str, Station]:
    return {
        chosen.plugin.name: Station(
            plugin=chosen.plugin,
            limits=chosen.limits,
            http=intent.profile.http,
            folders=prepared.readiness[chosen.plugin.name].folders,
            passed={name: os.environ[name] for name in chosen.plugin.sandbox.env if name in os.environ},
            read_secret=read_secret,
        )
        for chosen in prepared.selection.chosen
    }


class _Gate:
    """The last look at the scope before a job starts: to what does its name resolve?"""

    def __init__(self, intent: Intent, names: Names) -> None:
        self._scope = intent.scope
        self._names = names

    async def look(self, job: Job) -> Cause | None:
        host = job.target.host
        if host is None:
            return None
        addresses = (host,) if is_address(host) else await self._names.addresses(host)
        refused = self._scope.refused_address(host, addresses, port=job.target.port)
        return Cause("out_of_scope", refused) if refused else None


_GROUP = attrgetter("severity", "rule", "title")


class _Sinks:
    """Where events go: the journal, then the tally, then the screen. Durable before visible."""

    def __init__(self, journal: Journal, tally: Tally, screen: Screen) -> None:
        self._journal, self._tally, self._screen = journal, tally, screen

    def __call__(self, batch: Batch) -> None:
        if batch.lines:
            self._journal.append(batch.lines)
        if batch.job is not None:
            self._tell(batch.job, batch.said)
        for fact in batch.facts:
            self._tally.apply(fact)

    def _tell(self, job: Job, said: Sequence[messages.Message]) -> None:
        """Records by the ten thousand: what counts the same is counted at once."""
        tally, target = self._tally, job.target.value
        findings = [message for message in said if type(message) is messages.Finding]
        for (severity, rule, title), count in Counter(map(_GROUP, findings)).items():
            tally.finding(job.id, job.plugin, target, severity, rule, title, count=count)
        if len(findings) == len(said):
            return
        for message in said:
            if isinstance(message, messages.Asset):
                tally.asset(job.id, job.plugin, target, message.kind, message.value)
            elif isinstance(message, messages.Log):
                tally.log(job.id, message.level, message.message)
                self._screen.log(job.plugin, target, message.level, message.message, time.time())
            elif isinstance(message, messages.Artifact):
                tally.artifact(job.id, job.plugin, message.path)


def _fact(fact: RunStarted | RunEnded) -> Batch:
    return Batch(lines=(msgspec.json.encode(fact),), facts=(fact,))
