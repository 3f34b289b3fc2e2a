"""One process's worth of work: from the jobs that were taken to a result for each of them.

Whatever happens, every job ends with exactly one result, which no cancellation can come before;
a passing error may be tried again first. A job that may not have a process (out of scope, doomed,
its program missing) has its result without one, and the others of its batch go on.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import trio
from msgspec import UNSET

from kastrun.bundle import Bundle, bundle
from kastrun.engine import egress, result
from kastrun.engine.backoff import wait_s
from kastrun.engine.batch import Batch, Emit
from kastrun.engine.clock import Clock
from kastrun.engine.control import Control
from kastrun.engine.life import Life, NotStarted, Outside
from kastrun.engine.outcome import Cause, Outcome, decide, of_each
from kastrun.errors import UsageError
from kastrun.facts import Egress, JobEnded, JobRetried, JobStarted
from kastrun.inputs import Inputs
from kastrun.launch import Station
from kastrun.model import Job, Status
from kastrun.process import Family
from kastrun.ready import Waiting
from kastrun.sandbox.drafting import UNCONFINED, Confinement
from kastrun.workspace import BadArtifact, Place, Places, clear_place, harvest, has_artifacts

LOOKS_AT_ONCE: Final = 16
"""So many jobs of a batch are held against the scope at a time: a look may be a name look-up."""

_encode = msgspec.json.encode
Allowed = Callable[[Job], Awaitable[Cause | None]]
Ended = list[tuple[Job, Status | float]]
"""With each job how it ended, or when it may be tried once more."""
_Against = tuple[Literal["skipped", "fail"], Cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What every task of a run does, and what it does it with; see `Engine`."""

    stations: Mapping[str, Station]
    allowed: Allowed
    emit: Emit
    folder: str
    clock: Clock
    control: Control
    family: Family
    inputs: Inputs
    life: Callable[..., Life]
    confinements: Mapping[str, Confinement]
    outside: Outside | None
    places: Places
    attempts: int
    dice: Callable[[], float]
    failures: dict[str, int]
    """By job that is to be tried again, how often this run has tried it."""

    async def work(self, waiting: Sequence[Waiting]) -> Ended:
        """Run what may run of the jobs, in one process; how each of them ended."""
        ended: Ended = []
        going: list[Waiting] = []
        for each, against in zip(waiting, await self._looked_at(waiting), strict=True):
            if against is None:
                going.append(each)
            else:
                ended += self._decline([each], *against)
        if going:
            ended += await self._live(going)
        return ended

    async def _looked_at(self, waiting: Sequence[Waiting]) -> list[_Against | None]:
        if len(waiting) == 1:
            return [await self._against(waiting[0])]
        found: dict[str, _Against | None] = {}
        limiter = trio.CapacityLimiter(LOOKS_AT_ONCE)

        async def look(each: Waiting) -> None:
            async with limiter:
                found[each.job.id] = await self._against(each)

        async with trio.open_nursery() as looks:
            for each in waiting:
                looks.start_soon(look, each)
        return [found[each.job.id] for each in waiting]

    async def _against(self, waiting: Waiting) -> _Against | None:
        """What keeps a job from having a process, if anything does."""
        verdict = waiting.job.verdict
        if verdict is not None:
            return verdict.status, Cause(verdict.reason, verdict.message)
        if waiting.doomed_by is not None:
            return "skipped", Cause("upstream_failed", f"{waiting.doomed_by} did not succeed on this target")
        cause = await self.allowed(waiting.job)
        return ("skipped", cause) if cause is not None else None

    async def _live(self, waiting: Sequence[Waiting]) -> Ended:
        """Jobs with a process: their starts are in the journal before there is one."""
        together = bundle([each.job for each in waiting])
        station = self.stations[together.plugin]
        try:
            place = self._place(together, station)
        except OSError as error:
            return self._decline(
                waiting, "fail", Cause("spawn_failed", f"its folder cannot be made: {error}")
            )
        try:
            life = self.life(
                together,
                station,
                place,
                family=self.family,
                clock=self.clock,
                emit=self.emit,
                control=self.control,
                confinement=self.confinements.get(together.plugin, UNCONFINED),
                outside=self.outside,
            )
            self.emit(_events(self._starts(life)))
            return await self._until_ended(life, waiting)
        except UsageError as error:  # a secret that is gone since the profile was checked
            return self._decline(waiting, "fail", Cause("options_invalid", error.message, error.hint))
        finally:
            if not self.places.keep(place):
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(clear_place, place)

    def _place(self, together: Bundle, station: Station) -> Place:
        place = self.places.take(self.folder, together.place)
        if station.plugin.consumes:
            before = dict.fromkeys(id_ for job in together.jobs for id_ in (*job.needs, *job.after))
            self.inputs.write(place.inputs, before, station.plugin.consumes)
        return place

    async def _until_ended(self, life: Life, waiting: Sequence[Waiting]) -> Ended:
        """Live it and send the results, before a cancellation goes on too."""
        try:
            await life.run()
        except NotStarted as error:
            return self._decline(waiting, "fail", _not_started(life.station.argv, error.cause))
        except trio.Cancelled:
            await self._send_results(life, waiting)
            raise
        return await self._send_results(life, waiting)

    async def _send_results(self, life: Life, waiting: Sequence[Waiting]) -> Ended:
        outcomes = await self._harvested(life)
        results = result.of_life(life, outcomes, ready=[each.ready for each in waiting], clock=self.clock)
        facts: list[JobEnded | JobRetried | Egress] = [
            *egress.facts(life.bundle, life.egress, self.clock),
        ]
        ended: Ended = []
        for each, fact in zip(waiting, results, strict=True):
            again = self._once_more(each.job, fact, life)
            facts.append(again or fact)
            ended.append((each.job, self.clock.now() + again.wait_s if again else fact.status))
        self.emit(_events(facts))
        return ended

    def _once_more(self, job: Job, ended: JobEnded, life: Life) -> JobRetried | None:
        """Instead of its result, where a passing error may still be tried to pass."""
        failures = self.failures.pop(job.id, 0) + 1
        done = life.decoder.done
        if ended.reason != "plugin_transient" or failures >= self.attempts or self.control.stopping:
            return None
        asked = done.error.retry_after_s if done and done.error else None
        wait = wait_s(failures, asked if isinstance(asked, int | float) else None, self.dice())
        if wait is None:
            return None
        self.failures[job.id] = failures
        self.inputs.forget(job.id)
        return JobRetried(
            job=job.id,
            plugin=job.plugin,
            target=job.target.value,
            attempt=job.attempt,
            at=self.clock.stamp(self.clock.now()),
            reason=ended.reason,
            message=ended.failure.message if ended.failure else "",
            wait_s=round(wait, 3),
        )

    def give_up(self, jobs: Sequence[Job]) -> None:
        """The results of jobs that waited to be tried once more when the run was stopped."""
        now = self.clock.now()
        for job in jobs:
            message = f"the run was stopped while it waited for attempt {job.attempt + 1}"
            self._decline([Waiting(job, now)], "cancelled", Cause("cancelled", message))

    async def _harvested(self, life: Life) -> list[Outcome]:
        """Last line, artifacts, outcomes: everything that comes after the process."""
        life.close()
        unkept = self._keep_assets(life)
        decoder = life.decoder
        outcome = decide(life.cause or unkept, life.exit, decoder.done, decoder.breach, decoder.records)
        trouble = await self._take_artifacts(life)
        if trouble is not None and outcome.status in {"ok", "partial", "skipped"}:
            outcome = Outcome("fail", trouble)
        return of_each(outcome, decoder.done, [target.value for target in life.bundle.targets])

    async def _take_artifacts(self, life: Life) -> Cause | None:
        announced = life.witness.announced
        untouched = life.exit is not None and self.places.sees_untouched(life.place)
        if not announced and (untouched or not has_artifacts(life.place)):
            return None
        try:
            with trio.CancelScope(shield=True):  # a stop waits for what is handed over, then goes on
                files = await trio.to_thread.run_sync(harvest, life.place, self.folder, life.bundle.id)
        except (BadArtifact, OSError) as error:
            return Cause("bad_artifact", str(error))
        if files:
            self.emit(life.witness.artifacts(files, self.clock.now()))
        missing = announced.keys() - {file.path for file in files}
        if missing:
            return Cause("bad_artifact", f"it announced {min(missing)!r}, but there is no such file")
        return None

    def _keep_assets(self, life: Life) -> Cause | None:
        """What others may consume, kept; a full disk fails these jobs, and does not end the run."""
        try:
            for job in life.bundle.jobs:
                if kept := life.witness.kept(job):
                    self.inputs.keep(job.id, kept)
        except OSError as error:
            return Cause("host_error", f"its assets cannot be kept for those that consume them: {error}")
        return None

    def _decline(
        self, waiting: Sequence[Waiting], status: Literal["skipped", "fail", "cancelled"], cause: Cause
    ) -> Ended:
        """The results of jobs that have no process."""
        argv, outcome = self.stations[waiting[0].job.plugin].argv, Outcome(status, cause)
        self.emit(
            _events(
                [
                    result.without_process(each.job, outcome, argv=argv, ready=each.ready, clock=self.clock)
                    for each in waiting
                ]
            )
        )
        return [(each.job, status) for each in waiting]

    def _starts(self, life: Life) -> list[JobStarted]:
        station, together = life.station, life.bundle
        return [
            JobStarted(
                job=job.id,
                plugin=job.plugin,
                version=station.plugin.version,
                targets=[job.target.value],
                attempt=job.attempt,
                at=self.clock.stamp(life.started),
                deadline_s=station.limits.total_s,
                process=together.process or UNSET,
                batch=together.batch or UNSET,
            )
            for job in together.jobs
        ]


def _events(facts: Sequence[JobStarted | JobRetried | Egress | JobEnded]) -> Batch:
    return Batch(lines=[_encode(fact) for fact in facts], facts=facts)


def _not_started(argv: tuple[str, ...], error: OSError) -> Cause:
    what = error.strerror or str(error)
    hint = None
    if error.errno == errno.ENOENT:
        hint = f"is {argv[0]} there, and the interpreter that its first line names?"
    elif error.errno in {errno.EACCES, errno.EPERM}:
        hint = f"make it executable: chmod +x {argv[0]}"
    return Cause("spawn_failed", f"{argv[0]} cannot be started: {what}", hint)
