"""Where trials are run: a scratch folder, one family for all of them, one clock."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import trio

from kastrun.bundle import bundle
from kastrun.engine import Control, Engine
from kastrun.engine.clock import Clock
from kastrun.engine.outcome import Cause
from kastrun.inputs import Inputs
from kastrun.model import Job, SecretRef
from kastrun.process import Family, Stream
from kastrun.trial.seen import Closing, Hear, Seen, Sent, Tried
from kastrun.trial.station import station_of
from kastrun.trial.wishes import Trial
from kastrun.warden import tree
from kastrun.workspace import clear_place, make_place

SAMPLE_S: Final = 0.01
"""How often the command lines of a watched trial's processes are read."""
HEAD_START_S: Final = 0.05
"""An abandoned plugin has this long to begin to read its job line."""


class Workshop:
    """Where trials are run: a scratch folder, one family, one clock. `workshop()` makes one, within trio."""

    def __init__(self, folder: Path, family: Family, clock: Clock) -> None:
        self.folder = folder
        self.family = family
        self._clock = clock
        self._numbers = count(1)
        (folder / "work").mkdir()

    async def run(
        self,
        trial: Trial,
        *,
        stop: trio.Event | None = None,
        hear: Hear | None = None,
        sent: Sent | None = None,
        closing: Closing | None = None,
    ) -> Tried:
        """Run a trial to its end. Any number at once.

        `stop`, when set, ends it as a user would (SIGTERM, grace, SIGKILL); `hear` is given each
        chunk as it comes, `sent` the job line before that; `closing` the folder of artifacts, when
        nobody can write to it any more and before it is harvested. Raises UsageError where a secret cannot
        be read; a bad plugin is a result, never an exception.
        """
        jobs = self._jobs(trial)
        seen = Seen(trial, hear, sent, closing)
        control = Control()
        engine = Engine(
            jobs=jobs,
            stations={trial.plugin.name: station_of(trial)},
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
                beside.start_soon(_watch, seen)
            await engine.run()
            beside.cancel_scope.cancel()
        return seen.tried(bundle(jobs), stopped=control.stopping)

    async def abandon(self, trial: Trial, *, within_s: float) -> float | None:
        """Run a trial as if kastrun had died at its start: both pipes are closed on our side.

        Seconds from then until the plugin ended; None where it had not after `within_s`. What is
        left of it is killed. Raises OSError where it cannot be started.
        """
        together = bundle(self._jobs(trial))
        place = make_place(str(self.folder), together.place)
        station = station_of(trial)
        line, _ = station.line(together, place.artifacts, place.inputs)
        child = self.family.spawn(
            station.argv,
            env=station.environment(place.home),
            cwd=trial.cwd or place.home,
            stdin=line,
            memory_mb=station.limits.memory_mb,
        )
        try:
            await trio.sleep(HEAD_START_S)
            child.close_pipes()
            began = trio.current_time()
            while got := await child.read(began + within_s):
                if (Stream.EXIT, b"") in got:
                    return trio.current_time() - began
            return None
        finally:
            child.close()
            clear_place(place)

    def artifacts(self, tried: Tried) -> Path:
        """The folder that holds what the trial handed over; it is there only where there was something."""
        return self.folder / "artifacts" / tried.bundle.id

    def _jobs(self, trial: Trial) -> list[Job]:
        hidden = trial.plugin.secret_options
        options = {
            name: SecretRef(source="env", name=name) if name in hidden and isinstance(value, str) else value
            for name, value in trial.options.items()
        }
        return [
            Job(
                id=f"j{(number := next(self._numbers))}",
                plugin=trial.plugin.name,
                target=target,
                declared=target.value,
                options=options,
                priority=trial.plugin.priority,
                order=number,
                batch=1 + len(trial.others),
            )
            for target in (trial.target, *trial.others)
        ]


@contextmanager
def workshop(family: Family | None = None, clock: Clock | None = None) -> Iterator[Workshop]:
    """A workshop in a folder of its own, which is gone afterwards; and so is every process.

    `family` and `clock` are others than the world's where what runs is a recording.
    """
    with tempfile.TemporaryDirectory(prefix="kastrun-trial-", ignore_cleanup_errors=True) as folder:
        shop = Workshop(Path(folder).resolve(), family or Family(), clock or Clock())
        try:
            yield shop
        finally:
            shop.family.close()


async def _anything(job: Job) -> Cause | None:
    """There is no scope: whoever tries a plugin by hand names the target by hand."""
    return None


async def _stop_at(event: trio.Event, control: Control) -> None:
    await event.wait()
    control.stop()


async def _watch(seen: Seen) -> None:
    while True:
        if seen.child is not None:
            seen.commands.update(tree.command_line(each) for each in seen.child.tree())
        await trio.sleep(SAMPLE_S)
