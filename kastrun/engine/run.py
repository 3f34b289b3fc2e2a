"""The run: which job starts next, how many at once, and one drain that owns the sinks.

Two nurseries. The outer holds `_drain`, the only one to touch the sinks; the inner holds
the jobs and is what a stop cancels. Jobs send batches through a channel without a buffer,
so a slow disk pushes back, through the pipes, to the plugin. The token of the
CapacityLimiter is taken in the parent, before a job's task exists: jobs start in order,
and there are never more tasks than workers, for a million jobs too.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import trio

from kastrun.engine import result
from kastrun.engine.batch import Batch, Emit
from kastrun.engine.clock import Clock
from kastrun.engine.control import Control
from kastrun.engine.life import Life, NotStarted
from kastrun.engine.outcome import Cause, Outcome, decide
from kastrun.engine.turn import Turn
from kastrun.errors import JournalError, UsageError
from kastrun.facts import JobEnded, JobStarted
from kastrun.inputs import Inputs
from kastrun.launch import Station
from kastrun.model import Job, Status
from kastrun.process import Family
from kastrun.ready import ReadyQueue, Waiting
from kastrun.workspace import BadArtifact, Places, clear_place, harvest, has_artifacts

_encode = msgspec.json.encode
Allowed = Callable[[Job], Awaitable[Cause | None]]
Sink = Callable[[Batch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Everything that a run of jobs needs.

    `stations` has each job's plugin; `allowed` looks at the scope just before a start and
    returns why not; `sink` takes batches in order (and raises JournalError when it cannot
    go on); `folder` is the run folder; `timeout_s` the run's own limit; `failed` are jobs that
    an earlier start of the run has seen fail (id to plugin). `life` makes a job's
    life: a watched one where somebody looks on (`kastrun.trial`).
    """

    jobs: Iterable[Job]
    stations: Mapping[str, Station]
    allowed: Allowed
    sink: Sink
    folder: str
    max_workers: int
    timeout_s: float | None
    clock: Clock
    control: Control
    family: Family
    inputs: Inputs
    failed: Mapping[str, str] = field(default_factory=dict)
    life: Callable[..., Life] = Life
    places: Places = field(default_factory=Places)

    async def run(self) -> JournalError | None:
        """Run every job; why the sinks gave up, if they did. Nothing is left running in any case."""
        send, receive = trio.open_memory_channel[Batch](0)
        failures: list[JournalError] = []
        try:
            async with trio.open_nursery() as outer:
                outer.start_soon(self._drain, receive, failures)
                async with send:
                    await self._run_jobs(send.send)
        finally:
            self.places.clear()
        return failures[0] if failures else None

    async def _drain(self, receive: trio.MemoryReceiveChannel[Batch], failures: list[JournalError]) -> None:
        """Own the sinks. When they fail, end the jobs at once, and let what they still send go by."""
        async with receive:
            async for batch in receive:
                if not failures:
                    try:
                        self.sink(batch)
                    except JournalError as error:
                        failures.append(error)
                        self.control.hurry()

    async def _run_jobs(self, emit: Emit) -> None:
        limiter = trio.CapacityLimiter(self.max_workers)
        queue = ReadyQueue(iter(self.jobs), clock=self.clock.now, failed=self.failed)
        turn = Turn()
        async with trio.open_nursery() as jobs:
            self.control.attach(jobs.cancel_scope)
            if self.timeout_s is not None:
                jobs.cancel_scope.deadline = self.clock.began + self.timeout_s
            while True:
                waiting = queue.take()
                if waiting is not None:
                    await limiter.acquire_on_behalf_of(waiting.job.id)
                    turn.started()
                    jobs.start_soon(self._work, waiting, queue, turn, limiter, emit)
                elif turn.running:
                    await turn.next_end()
                else:
                    return

    async def _work(
        self, waiting: Waiting, queue: ReadyQueue, turn: Turn, limiter: trio.CapacityLimiter, emit: Emit
    ) -> None:
        job, ready = waiting.job, waiting.ready
        status: Status = "cancelled"
        try:
            against = await self._against(waiting)
            if against is not None:
                status = await self._decline(job, *against, ready, emit)
            else:
                status = await self._live(job, ready, emit)
        finally:
            queue.ended(job, succeeded=status == "ok")
            turn.ended()
            limiter.release_on_behalf_of(job.id)

    async def _against(self, waiting: Waiting) -> tuple[Literal["skipped", "fail"], Cause] | None:
        """What keeps a job from having a process, if anything does."""
        verdict = waiting.job.verdict
        if verdict is not None:
            return verdict.status, Cause(verdict.reason, verdict.message)
        if waiting.doomed_by is not None:
            return "skipped", Cause("upstream_failed", f"{waiting.doomed_by} did not succeed on this target")
        cause = await self.allowed(waiting.job)
        return ("skipped", cause) if cause is not None else None

    async def _live(self, job: Job, ready: float, emit: Emit) -> Status:
        """A job with a process: its start is in the journal before there is one."""
        station = self.stations[job.plugin]
        try:
            place = self.places.take(self.folder, f"{job.id}.{job.attempt}")
            if station.plugin.consumes:
                self.inputs.write(place.inputs, (*job.needs, *job.after), station.plugin.consumes)
        except OSError as error:
            cause = Cause("spawn_failed", f"its folder cannot be made: {error}")
            return await self._decline(job, "fail", cause, ready, emit)
        try:
            life = self.life(
                job, station, place, family=self.family, clock=self.clock, emit=emit, control=self.control
            )
            await emit(_event(self._started(life)))
            return await self._until_ended(life, ready, emit)
        except UsageError as error:  # a secret that is gone since the profile was checked
            cause = Cause("options_invalid", error.message, error.hint)
            return await self._decline(job, "fail", cause, ready, emit)
        finally:
            if not self.places.keep(place):
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(clear_place, place)

    async def _until_ended(self, life: Life, ready: float, emit: Emit) -> Status:
        """Live it and send the result, before a cancellation goes on too."""
        try:
            await life.run()
        except NotStarted as error:
            cause = _not_started(life.station.argv, error.cause)
            with trio.CancelScope(shield=True):
                return await self._decline(life.job, "fail", cause, ready, emit)
        except trio.Cancelled:
            await self._send_result(life, ready, emit)
            raise
        return await self._send_result(life, ready, emit)

    async def _send_result(self, life: Life, ready: float, emit: Emit) -> Status:
        with trio.CancelScope(shield=True):
            ended = await self._harvested(life, ready, emit)
            await emit(_event(ended))
        return ended.status

    async def _harvested(self, life: Life, ready: float, emit: Emit) -> JobEnded:
        """Last line, artifacts, outcome: everything that comes after the process."""
        await life.close()
        unkept = self._keep_assets(life)
        decoder = life.decoder
        outcome = decide(life.cause or unkept, life.exit, decoder.done, decoder.breach, decoder.records)
        trouble = await self._take_artifacts(life, emit)
        if trouble is not None and outcome.status in {"ok", "partial", "skipped"}:
            outcome = Outcome("fail", trouble)
        return result.of_life(life, outcome, ready=ready, clock=self.clock)

    async def _take_artifacts(self, life: Life, emit: Emit) -> Cause | None:
        announced = life.witness.announced
        untouched = life.exit is not None and self.places.sees_untouched(life.place)
        if not announced and (untouched or not has_artifacts(life.place)):
            return None
        try:
            files = await trio.to_thread.run_sync(harvest, life.place, self.folder, life.job.id)
        except (BadArtifact, OSError) as error:
            return Cause("bad_artifact", str(error))
        if files:
            await emit(life.witness.artifacts(files, self.clock.now()))
        missing = announced.keys() - {file.path for file in files}
        if missing:
            return Cause("bad_artifact", f"it announced {min(missing)!r}, but there is no such file")
        return None

    def _keep_assets(self, life: Life) -> Cause | None:
        """What others may consume, kept; a full disk fails this job, and does not end the run."""
        try:
            if life.witness.kept:
                self.inputs.keep(life.job.id, life.witness.kept)
        except OSError as error:
            return Cause("host_error", f"its assets cannot be kept for those that consume them: {error}")
        return None

    async def _decline(
        self, job: Job, status: Literal["skipped", "fail"], cause: Cause, ready: float, emit: Emit
    ) -> Status:
        argv, outcome = self.stations[job.plugin].argv, Outcome(status, cause)
        ended = result.without_process(job, outcome, argv=argv, ready=ready, clock=self.clock)
        await emit(_event(ended))
        return status

    def _started(self, life: Life) -> JobStarted:
        job, station = life.job, life.station
        return JobStarted(
            job=job.id,
            plugin=job.plugin,
            version=station.plugin.version,
            targets=[job.target.value],
            attempt=job.attempt,
            at=self.clock.stamp(life.started),
            deadline_s=station.limits.total_s,
        )


def _event(fact: JobStarted | JobEnded) -> Batch:
    return Batch(lines=(_encode(fact),), facts=(fact,))


def _not_started(argv: tuple[str, ...], error: OSError) -> Cause:
    what = error.strerror or str(error)
    hint = None
    if error.errno == errno.ENOENT:
        hint = f"is {argv[0]} there, and the interpreter that its first line names?"
    elif error.errno in {errno.EACCES, errno.EPERM}:
        hint = f"make it executable: chmod +x {argv[0]}"
    return Cause("spawn_failed", f"{argv[0]} cannot be started: {what}", hint)
