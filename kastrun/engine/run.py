"""The run: which job starts next, how many at once, and one drain that owns the sinks.

Two nurseries. The outer holds `_drain`, the only one to touch the sinks; the inner holds
the jobs and is what a stop cancels. Jobs send batches through a channel without a buffer,
so a slow disk pushes back, through the pipes, to the plugin. The token of the
CapacityLimiter is taken in the parent, before a job's task exists: jobs start in order,
and there are never more tasks than workers, for a million jobs too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import trio

from kastrun.engine import result
from kastrun.engine.batch import Batch, Emit
from kastrun.engine.clock import Clock
from kastrun.engine.control import Control
from kastrun.engine.life import Life
from kastrun.engine.outcome import Cause, Outcome, decide
from kastrun.errors import JournalError
from kastrun.facts import JobEnded, JobStarted
from kastrun.launch import Station
from kastrun.model import Job
from kastrun.plan import in_order
from kastrun.process import Family
from kastrun.workspace import BadArtifact, clear_place, harvest, has_artifacts, make_place

_encode = msgspec.json.encode
Allowed = Callable[[Job], Awaitable[Cause | None]]
Sink = Callable[[Batch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Everything that a run of jobs needs.

    `stations` has each job's plugin; `allowed` looks at the scope just before a start and
    returns why not; `sink` takes batches in order (and raises JournalError when it cannot
    go on); `folder` is the run folder; `timeout_s` the run's own limit. `life` makes a job's
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
    life: Callable[..., Life] = Life

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
            self.family.bury_all()
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
        async with trio.open_nursery() as jobs:
            self.control.attach(jobs.cancel_scope)
            if self.timeout_s is not None:
                jobs.cancel_scope.deadline = self.clock.began + self.timeout_s
            for ready, job in self._ordered():
                if job.verdict is not None:
                    await self._decline(job, job.verdict.status, _cause(job), ready, emit)
                    continue
                await limiter.acquire_on_behalf_of(job.id)
                jobs.start_soon(self._work, job, ready, limiter, emit)

    def _ordered(self) -> Iterator[tuple[float, Job]]:
        now = self.clock.now
        return in_order(((now(), job) for job in self.jobs), key=lambda ready: ready[1])

    async def _work(self, job: Job, ready: float, limiter: trio.CapacityLimiter, emit: Emit) -> None:
        try:
            cause = await self.allowed(job)
            if cause is not None:
                await self._decline(job, "skipped", cause, ready, emit)
            else:
                await self._live(job, ready, emit)
        finally:
            limiter.release_on_behalf_of(job.id)

    async def _live(self, job: Job, ready: float, emit: Emit) -> None:
        """A job with a process: its start is in the journal before there is one."""
        try:
            place = make_place(self.folder, f"{job.id}.{job.attempt}")
        except OSError as error:
            cause = Cause("spawn_failed", f"its folder cannot be made: {error}")
            await self._decline(job, "fail", cause, ready, emit)
            return
        try:
            station = self.stations[job.plugin]
            life = self.life(
                job, station, place, family=self.family, clock=self.clock, emit=emit, control=self.control
            )
            await emit(_event(self._started(life)))
            ended = await self._until_ended(life, ready, emit)
            with trio.CancelScope(shield=True):
                await emit(_event(ended))
        finally:
            clear_place(place)

    async def _until_ended(self, life: Life, ready: float, emit: Emit) -> JobEnded:
        """The result. A cancelled life has sent its own, since the cancellation goes on from here."""
        try:
            await life.run()
        except OSError as error:
            cause = _not_started(life.station.argv, error)
            return result.without_process(life.job, Outcome("fail", cause), ready=ready, clock=self.clock)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await emit(_event(await self._harvested(life, ready, emit)))
            raise
        with trio.CancelScope(shield=True):
            return await self._harvested(life, ready, emit)
        raise AssertionError("a shielded scope without a deadline is not left early")

    async def _harvested(self, life: Life, ready: float, emit: Emit) -> JobEnded:
        """Last line, artifacts, outcome: everything that comes after the process."""
        await life.close()
        decoder = life.decoder
        outcome = decide(life.cause, life.exit, decoder.done, decoder.breach, decoder.records)
        trouble = await self._take_artifacts(life, emit)
        if trouble is not None and outcome.status in {"ok", "partial", "skipped"}:
            outcome = Outcome("fail", trouble)
        return result.of_life(life, outcome, ready=ready, clock=self.clock)

    async def _take_artifacts(self, life: Life, emit: Emit) -> Cause | None:
        announced = life.witness.announced
        if not announced and not has_artifacts(life.place):
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

    async def _decline(self, job: Job, status: str, cause: Cause, ready: float, emit: Emit) -> None:
        outcome = Outcome("fail" if status == "fail" else "skipped", cause)
        await emit(_event(result.without_process(job, outcome, ready=ready, clock=self.clock)))

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


def _cause(job: Job) -> Cause:
    verdict = job.verdict
    if verdict is None:
        raise AssertionError("asked for the verdict of a job that may run")
    return Cause(verdict.reason, verdict.message)


def _not_started(argv: tuple[str, ...], error: OSError) -> Cause:
    what = error.strerror or str(error)
    hint = None
    if isinstance(error, FileNotFoundError):
        hint = f"is {argv[0]} there, and the interpreter that its first line names?"
    elif isinstance(error, PermissionError):
        hint = f"make it executable: chmod +x {argv[0]}"
    return Cause("spawn_failed", f"{argv[0]} cannot be started: {what}", hint)
