"""Where trials are run: a scratch folder, one family for all of them, one clock."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import trio

from kastrun.engine import Control, Engine
from kastrun.engine.clock import Clock
from kastrun.engine.outcome import Cause
from kastrun.inputs import Inputs
from kastrun.model import Job, SecretRef
from kastrun.process import Family, spawn
from kastrun.trial.seen import Hear, Seen, Sent, Tried, mark_of
from kastrun.trial.station import station_of
from kastrun.trial.wishes import Trial
from kastrun.workspace import clear_place, make_place

SAMPLE_S: Final = 0.01
"""How often the command lines of a watched trial's processes are read."""
HEAD_START_S: Final = 0.05
"""An abandoned plugin has this long to begin to read its job line."""


class Household(Family):
    """A family that remembers who left what, and lets one trial end while others go on."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: dict[str, int] = {}
        self.left: dict[str, tuple[str, ...]] = {}

    def enter(self, pid: int, mark: str) -> None:
        """As a family does; the leader of `mark` is found in `pids` from now on."""
        self.pids[mark] = pid
        super().enter(pid, mark)

    def bury(self, leader: int) -> int:
        """As a family does; what it left is named in `left` first, by the leader's mark."""
        mark = self._leaders.get(leader)
        living = [command_line(pid) for pid in self.tree(leader) if pid != leader and _runs(pid)]
        if mark is not None:
            self.left[mark] = tuple(living)
        return super().bury(leader)

    def bury_all(self) -> int:
        """As a family does, but only when no trial is left whose children these may be."""
        return 0 if self._leaders else super().bury_all()


class Workshop:
    """Where trials are run: a scratch folder, one family, one clock. `workshop()` makes one, within trio."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.family = Household()
        self._clock = Clock()
        self._numbers = count(1)
        (folder / "work").mkdir()

    async def run(
        self,
        trial: Trial,
        *,
        stop: trio.Event | None = None,
        hear: Hear | None = None,
        sent: Sent | None = None,
    ) -> Tried:
        """Run a trial to its end. Any number at once.

        `stop`, when set, ends it as a user would (SIGTERM, grace, SIGKILL); `hear` is given each
        chunk as it comes, `sent` the job line before that. Raises UsageError where a secret cannot
        be read; a bad plugin is a result, never an exception.
        """
        job = self._job(trial)
        seen = Seen(trial, hear, sent)
        control = Control()
        engine = Engine(
            jobs=[job],
            stations={job.plugin: station_of(trial)},
            allowed=_anything,
            sink=seen.batches.append,
            folder=str(self.folder),
            max_workers=1,
            timeout_s=None,
            clock=self._clock,
            control=control,
            family=self.family,
            inputs=Inputs(str(self.folder)),
            life=seen.life,
        )
        async with trio.open_nursery() as beside:
            if stop is not None:
                beside.start_soon(_stop_at, stop, control)
            if trial.watch:
                beside.start_soon(self._watch, mark_of(job), seen.commands)
            await engine.run()
            beside.cancel_scope.cancel()
        return seen.tried(job, self.family.left.get(mark_of(job), ()), stopped=control.stopping)

    async def abandon(self, trial: Trial, *, within_s: float) -> float | None:
        """Run a trial as if kastrun had died at its start: both pipes are closed on our side.

        Seconds from then until the plugin ended; None where it had not after `within_s`. What is
        left of it is killed. Raises OSError where it cannot be started.
        """
        job = self._job(trial)
        place = make_place(str(self.folder), mark_of(job))
        station = station_of(trial)
        line, _ = station.line(job, place.artifacts, place.inputs)
        env = station.environment(place.home, mark_of(job))
        child = spawn(
            station.argv, env=env, cwd=trial.cwd or place.home, stdin=line, memory_mb=station.limits.memory_mb
        )
        self.family.enter(child.pid, mark_of(job))
        pidfd = os.pidfd_open(child.pid)
        try:
            await trio.sleep(HEAD_START_S)
            child.close()
            began = trio.current_time()
            with trio.move_on_after(within_s):
                await trio.lowlevel.wait_readable(pidfd)
                return trio.current_time() - began
            return None
        finally:
            os.close(pidfd)
            self.family.kill(child.pid)
            self.family.bury(child.pid)
            child.reap()
            clear_place(place)

    def artifacts(self, tried: Tried) -> Path:
        """The folder that holds what the trial handed over; it is there only where there was something."""
        return self.folder / "artifacts" / tried.job.id

    def _job(self, trial: Trial) -> Job:
        number = next(self._numbers)
        hidden = trial.plugin.secret_options
        options = {
            name: SecretRef(source="env", name=name) if name in hidden and isinstance(value, str) else value
            for name, value in trial.options.items()
        }
        return Job(
            id=f"j{number}",
            plugin=trial.plugin.name,
            target=trial.target,
            declared=trial.target.value,
            options=options,
            priority=trial.plugin.priority,
            order=number,
        )

    async def _watch(self, mark: str, commands: set[str]) -> None:
        while True:
            if (pid := self.family.pids.get(mark)) is not None:
                commands.update(command_line(each) for each in self.family.tree(pid))
            await trio.sleep(SAMPLE_S)


@contextmanager
def workshop() -> Iterator[Workshop]:
    """A workshop in a folder of its own, which is gone afterwards; and so is every process."""
    with tempfile.TemporaryDirectory(prefix="kastrun-trial-", ignore_cleanup_errors=True) as folder:
        shop = Workshop(Path(folder).resolve())
        try:
            yield shop
        finally:
            shop.family.bury_all()


def command_line(pid: int) -> str:
    """The argv of a process, joined by spaces; empty where it is gone."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .rstrip(b"\0")
            .replace(b"\0", b" ")
            .decode(errors="replace")
        )
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in {b"Z", b"X"}


async def _anything(job: Job) -> Cause | None:
    """There is no scope: whoever tries a plugin by hand names the target by hand."""
    return None


async def _stop_at(event: trio.Event, control: Control) -> None:
    await event.wait()
    control.stop()
