"""The run: what starts next, and how many at once.

One nursery holds the workers' tasks, and is what a stop cancels. What they witnessed goes to the
sink by a plain call: nothing can come between an event and the journal, no cancellation either,
and a slow disk pushes back, through the pipes, to the plugin. When a worker is free the queue is
asked what may start now, and only then is the token taken: no token idles on a job that may not
start, jobs start in order, and there are never more tasks than workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from random import random

import trio

from kastrun.engine.batch import Batch, Emit
from kastrun.engine.clock import Clock
from kastrun.engine.control import Control
from kastrun.engine.levers import Levers
from kastrun.engine.life import Life, Outside
from kastrun.engine.turn import Turn
from kastrun.engine.worker import Allowed, Worker
from kastrun.errors import JournalError
from kastrun.inputs import Inputs
from kastrun.launch import Station
from kastrun.model import Job
from kastrun.process import Family
from kastrun.ready import UNCAPPED, Caps, Followers, ReadyQueue, Taken
from kastrun.sandbox.drafting import Confinement
from kastrun.workspace import Places

Sink = Callable[[Batch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Everything that a run of jobs needs.

    `stations` has each job's plugin; `allowed` looks at the scope just before a start and
    returns why not; `sink` takes batches in order (and raises JournalError when it cannot
    go on); `folder` is the run folder; `caps` what the profile allows beside `max_workers`;
    `levers` move that while the run goes on;
    `timeout_s` the run's own limit; `failed` are jobs that an earlier start of the run has
    seen fail (id to plugin). A passing error is tried again until there were `attempts`;
    `dice` spread the waits in between. `confinements` are what holds each plugin's jobs, `outside`
    what they may reach. `followers` are jobs that come up on the way. `life` makes a process's
    life: a watched one where somebody looks on
    (`kastrun.trial`).
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
    caps: Caps = UNCAPPED
    attempts: int = 1
    dice: Callable[[], float] = random
    levers: Levers | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    confinements: Mapping[str, Confinement] = field(default_factory=dict)
    outside: Outside | None = None
    life: Callable[..., Life] = Life
    places: Places = field(default_factory=Places)
    followers: Followers = field(default_factory=Followers)

    async def run(self) -> JournalError | None:
        """Run every job; why the sinks gave up, if they did. Nothing is left running in any case."""
        mouth = _Mouth(self.sink, self.control)
        try:
            await self._run_jobs(mouth.emit)
        finally:
            self.places.clear()
        return mouth.failure

    async def _run_jobs(self, emit: Emit) -> None:
        queue = ReadyQueue(
            iter(self.jobs),
            caps=self.caps,
            clock=self.clock.now,
            failed=self.failed,
            followers=self.followers,
        )
        tokens = trio.CapacityLimiter(self.max_workers)
        shift = _Shift(self._worker(emit), queue, tokens, self.control)
        if self.levers is not None:
            self.levers.attach(tokens, queue, shift.look_again)
        async with trio.open_nursery() as tasks:
            self.control.attach(tasks.cancel_scope)
            if self.timeout_s is not None:
                tasks.cancel_scope.deadline = self.clock.began + self.timeout_s
            try:
                await shift.go_on(tasks)
            except trio.Cancelled:
                shift.give_up()
                raise

    def _worker(self, emit: Emit) -> Worker:
        return Worker(
            stations=self.stations,
            allowed=self.allowed,
            emit=emit,
            folder=self.folder,
            clock=self.clock,
            control=self.control,
            family=self.family,
            inputs=self.inputs,
            life=self.life,
            confinements=self.confinements,
            outside=self.outside,
            places=self.places,
            attempts=self.attempts,
            dice=self.dice,
            failures={},
        )


class _Shift:
    """The workers of a run, and the queue that they are fed from."""

    def __init__(
        self, worker: Worker, queue: ReadyQueue, tokens: trio.CapacityLimiter, control: Control
    ) -> None:
        self._worker, self._queue, self._tokens, self._control = worker, queue, tokens, control
        self._turn = Turn()
        self._stopped = False

    async def go_on(self, tasks: trio.Nursery) -> None:
        """Start what may start until nothing is left to start or to wait for, or nothing can start."""
        queue, turn = self._queue, self._turn
        while not self._control.launcher_lost:
            if self._tokens.available_tokens <= 0:
                await turn.next_end()
            elif (taken := queue.take()) is not None:
                self._tokens.acquire_on_behalf_of_nowait(taken.name)
                turn.started()
                tasks.start_soon(self._work, taken)
                await trio.lowlevel.checkpoint()  # tasks made in one step start in no order
            elif turn.running or queue.opens() < inf:
                with trio.CancelScope(deadline=queue.opens()):
                    await turn.next_end()
            else:
                return
        self.give_up()

    def give_up(self) -> None:
        """The run was stopped, or can start nothing: what waits to be tried once more waits no longer."""
        self._stopped = True
        self._worker.give_up(self._queue.give_up())

    def look_again(self) -> None:
        """What may start has changed though nothing ended."""
        self._turn.nudge()

    async def _work(self, taken: Taken) -> None:
        queue = self._queue
        try:
            for job, ended in await self._worker.work(taken.jobs):
                if not isinstance(ended, float):
                    queue.ended(job, succeeded=ended == "ok")
                elif self._stopped:
                    self._worker.give_up([job])
                else:
                    queue.again(job, ended)
        finally:
            queue.freed(taken)
            self._turn.ended()
            self._tokens.release_on_behalf_of(taken.name)


class _Mouth:
    """Where events leave the engine. Once the sink cannot go on, the jobs are ended, what they say lost."""

    def __init__(self, sink: Sink, control: Control) -> None:
        self._sink, self._control = sink, control
        self.failure: JournalError | None = None

    def emit(self, batch: Batch) -> None:
        if self.failure is None:
            try:
                self._sink(batch)
            except JournalError as error:
                self.failure = error
                self._control.hurry()
