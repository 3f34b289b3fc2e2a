"""One process's life: start, job line, output, deadlines, death.

The only place where a process, the protocol and the clock meet. Whose jobs it does and what
comes of them is `worker`'s; a bad plugin is a cause here, never an exception.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from typing import Protocol

import trio

from kastrun import process
from kastrun.bundle import Bundle
from kastrun.engine.batch import Emit
from kastrun.engine.clock import Clock
from kastrun.engine.control import Control
from kastrun.engine.outcome import Cause, of_breach
from kastrun.engine.stderr import Stderr
from kastrun.engine.witness import Witness
from kastrun.launch import Station
from kastrun.process import Child, Exit, Family, GuardLost, LauncherLost, Stream
from kastrun.protocol import Decoder
from kastrun.reach import Reach
from kastrun.sandbox.drafting import UNCONFINED, Confinement
from kastrun.sandbox.ledger import Line
from kastrun.sandbox.orders import Orders
from kastrun.workspace import Place

PIPES_S = 2.0
"""After a job's death, the longest wait for its pipes to end (protocol rule 9)."""

_RESUME = "`kastrun resume RUN` runs it again"


class _Phase(Enum):
    RUNNING = "running"
    ENDING = "ending"  # SIGTERM was sent, the grace runs
    KILLED = "killed"  # SIGKILL was sent
    DEAD = "dead"  # the leader and all that it left are gone; what is in the pipes is read


class Outside(Protocol):
    """What processes may reach, and who answers the names that they ask for."""

    def reach(self, bundle: Bundle) -> Reach: ...

    def ask(self, name: str, then: Callable[[Sequence[str]], None]) -> None: ...


class NotStarted(Exception):
    """The process could not be made; `cause` is the system's own error."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Life:
    """One run of one process. `run` returns when nothing of it is left."""

    def __init__(
        self,
        bundle: Bundle,
        station: Station,
        place: Place,
        *,
        family: Family,
        clock: Clock,
        emit: Emit,
        control: Control,
        confinement: Confinement = UNCONFINED,
        outside: Outside | None = None,
    ) -> None:
        self.bundle, self.station, self.place = bundle, station, place
        self._family, self._clock, self._emit, self._control = family, clock, emit, control
        self.confinement, self._outside = confinement, outside
        self.line, secrets = station.line(bundle, place.artifacts, place.inputs)
        limits = station.limits
        self.decoder = Decoder(
            known_targets=frozenset(target.value for target in bundle.targets),
            output_bytes=limits.output_mb << 20,
            secrets=secrets,
        )
        self.stderr = Stderr(secrets)
        self.witness = Witness(bundle, clock)
        self.cause: Cause | None = None
        self.exit: Exit | None = None
        self.egress: list[Line] = []
        self.warnings: list[str] = []
        self.started = clock.now()
        self._phase = _Phase.RUNNING
        self._deadline = self.started + limits.total_s
        self._alive = self.started
        self._open = {Stream.OUT, Stream.ERR}

    async def run(self) -> None:
        """Raises NotStarted where there is no process, and passes cancellation on."""
        station, place = self.station, self.place
        try:
            child = self._family.spawn(
                station.argv,
                env=station.environment(place.home),
                cwd=place.home,
                stdin=self.line,
                memory_mb=station.limits.memory_mb,
                orders=self._orders(),
            )
        except OSError as error:
            raise NotStarted(error) from error
        except LauncherLost as error:
            self._launcher_lost(error)
            return
        if (outside := self._outside) is not None:
            child.asked = lambda name: outside.ask(name, partial(child.pin, name))
        self._control.listen(child.wake)
        try:
            await self._watch(child)
        except process.NotStarted as error:
            raise NotStarted(error) from error
        except LauncherLost as error:
            self._launcher_lost(error)
        except GuardLost as error:
            self.cause = self.cause or Cause("host_error", str(error))
        finally:
            self._control.ignore(child.wake)
            child.close()  # what still lives, by a bug of ours or since it cannot be killed, is its warden's

    def _launcher_lost(self, error: LauncherLost) -> None:
        self._control.launcher_lost = True
        self.cause = self.cause or Cause("cancelled", f"it was not started: {error}", _RESUME)

    def _orders(self) -> Orders | None:
        """With what its process may reach, where a broker holds it to that."""
        files = [target.value for target in self.bundle.targets if target.kind == "file"]
        orders = self.confinement.orders_for(self.place.home, files)
        if orders is None or self._outside is None:
            return orders
        return orders._replace(reach=tuple(self._outside.reach(self.bundle)))

    async def _watch(self, child: Child) -> None:
        """Until it is over; a cancellation from outside becomes the cause `cancelled`."""
        try:
            await self._until_over(child)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                self._end(child, Cause("cancelled", "the run was stopped before this job ended"))
                await self._until_over(child)
            raise

    async def _until_over(self, child: Child) -> None:
        while not self._over():
            self._check_hurry(child)
            if self._phase is _Phase.RUNNING and self.bundle.id in self._control.given_up:
                self._end(child, Cause("cancelled", "it was given up by hand", _RESUME))
            got = await child.read(self._next_deadline())
            if got:
                self._take(child, got)
            if child.leader_gone and not self._open and self._phase is _Phase.ENDING:
                self._kill(child)  # what is left of it can say nothing any more
            # Looked at even while output comes: a flood must not hold its own deadline off.
            if self._clock.now() >= self._next_deadline():
                self._expire(child)
        self._finish(child)

    def _over(self) -> bool:
        return self._phase is _Phase.DEAD and (not self._open or self._clock.now() >= self._deadline)

    def _next_deadline(self) -> float:
        idle = self.station.limits.idle_s
        if self._phase is _Phase.RUNNING and idle:
            return min(self._deadline, self._alive + idle)
        return self._deadline

    def _take(self, child: Child, got: Sequence[tuple[Stream, bytes]]) -> None:
        now = self._clock.now()
        for stream, data in got:
            if stream is Stream.EXIT:
                self._on_exit(child)
            elif not data:
                self._open.discard(stream)
            elif stream is Stream.ERR:
                self.stderr.feed(data)
                self._alive = now
            else:
                self._alive = now
                self._hear(child, data, now)

    def _hear(self, child: Child, data: bytes, now: float) -> None:
        if self.decoder.breach is not None:
            return  # it is over for this plugin; what it still prints is only drained
        items = self.decoder.feed(data, now)
        if items:
            self._emit(self.witness.records(items, now))
            # While the sinks were slow the plugin was not idle, it was held up (rule 8).
            self._alive = self._clock.now()
        self._break_off(child)

    def _break_off(self, child: Child) -> None:
        breach = self.decoder.breach
        if breach is not None:
            self._end(child, of_breach(breach))

    def _on_exit(self, child: Child) -> None:
        """Nothing of it lives any more. Wait a little for the pipes."""
        self.exit, self.egress = child.exit, child.egress
        if self.exit is not None and self.exit.left and self.cause is None:
            self.warnings.append("leaked_process")
        if child.stdin_unread():
            self.warnings.append("stdin_unread")
        self._enter(_Phase.DEAD, PIPES_S)

    def _expire(self, child: Child) -> None:
        """The deadline of this phase has passed."""
        if self._phase is _Phase.RUNNING:
            self._end(child, self._timeout())
        elif self._phase is _Phase.ENDING:
            self._kill(child)
        elif self._phase is _Phase.KILLED:
            # It sleeps where no signal reaches it. Go on without it; the result says so.
            self.cause = self.cause or Cause("host_error", "its process could not be killed")
            self._enter(_Phase.DEAD, 0)

    def _timeout(self) -> Cause:
        limits = self.station.limits
        if self._clock.now() >= self._deadline:
            return Cause("total_timeout", f"it was still running after {limits.total_s:g} s")
        return Cause("idle_timeout", f"it gave no sign of life for {limits.idle_s:g} s")

    def _end(self, child: Child, cause: Cause) -> None:
        """End the job for `cause`; the first cause wins."""
        self.cause = self.cause or cause
        if self._phase is _Phase.RUNNING:
            self._enter(_Phase.ENDING, self.station.limits.grace_s)
            child.terminate()
        self._check_hurry(child)

    def _kill(self, child: Child) -> None:
        self._enter(_Phase.KILLED, PIPES_S)
        child.kill()

    def _check_hurry(self, child: Child) -> None:
        if self._control.hurrying and self._phase is _Phase.ENDING:
            self._kill(child)

    def _enter(self, phase: _Phase, seconds: float) -> None:
        self._phase = phase
        self._deadline = self._clock.now() + seconds

    def _finish(self, child: Child) -> None:
        if Stream.OUT in self._open or Stream.ERR in self._open:
            child.close()
        self._deadline = math.inf

    def close(self) -> None:
        """The last, unterminated line, once nothing more can come."""
        now = self._clock.now()
        if self.decoder.breach is None and (items := self.decoder.close(now)):
            self._emit(self.witness.records(items, now))
