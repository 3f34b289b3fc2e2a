"""How a plugin is examined: what is read, what is run, in which order, and never without an end.

The minimal job comes first. Where it fails the surroundings are changed one at a time, so that
the one that mattered is blamed and the rest can still be judged. Scenes share runs and go side by
side; the crowd and the examples go alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import trio

from kastrun.errors import UsageError
from kastrun.kit import (
    checks_hostile,
    checks_manifest,
    checks_process,
    checks_run,
    examples,
    programs,
    scenes,
)
from kastrun.kit.hostile import servers
from kastrun.kit.subject import read_subject
from kastrun.kit.verdict import Check, Evidence, Result, Verdict, fail, skip
from kastrun.model import JsonObject, Plugin
from kastrun.trial import Trial, Tried, Workshop, workshop

CHECKS: Final[tuple[Check, ...]] = (
    *checks_manifest.CHECKS,
    *checks_run.CHECKS,
    *checks_hostile.CHECKS,
    *checks_process.CHECKS,
)
"""Every check, in the order in which they are told. Ids are unique and stay."""

SIDE_BY_SIDE: Final = 4
STOP_AFTER_S: Final = 1.5
"""A plugin that reaches no server is stopped this long after its start."""
ABANDONED_S: Final = 10.0
"""An abandoned plugin may live so much longer than twice its usual time."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the kit found out about one folder."""

    name: str
    folder: Path
    results: tuple[Result, ...]

    @property
    def failed(self) -> bool:
        """Whether any check failed; warnings do not count."""
        return any(result.verdict.outcome == "fail" for result in self.results)


async def examine(
    folder: Path,
    *,
    only: Collection[str] = (),
    target: str | None = None,
    options: Callable[[Plugin], JsonObject] = lambda _: {},
    tell: Tell = lambda _: None,
) -> Report:
    """Judge the plugin in `folder` by every check, or by those in `only`.

    `target` and `options` win over the author's `examples/kit.toml`; `tell` hears what is being
    done. Raises UsageError where the folder is no plugin's or the options do not fit.
    """
    wanted = [check for check in CHECKS if not only or check.id in only]
    with (
        workshop() as shop,
        tempfile.TemporaryDirectory(prefix="kastrun-kit-", ignore_cleanup_errors=True) as scratch,
    ):
        tell("reading the manifest and probing programs")
        subject = await read_subject(
            folder, shop.family, checks=[check.id for check in CHECKS], target=target, options=options
        )
        evidence = Evidence(subject=subject)
        needed = {scene for check in wanted for scene in check.scenes if check.id not in subject.wishes.skip}
        if needed and (plugin := subject.ready) is not None:
            await _Examination(evidence, plugin, shop, Path(scratch), needed, tell).run()
        results = tuple(Result(check=check, verdict=_verdict(check, evidence)) for check in wanted)
        return Report(name=subject.folder.name, folder=subject.folder, results=results)


def _verdict(check: Check, evidence: Evidence) -> Verdict:
    """What the check says, unless the author or the evidence says that it cannot be asked."""
    subject = evidence.subject
    if (reason := subject.wishes.skip.get(check.id)) is not None:
        return skip(f"the author says: {reason}")
    if check.id in evidence.blamed:
        return fail(evidence.blamed[check.id])
    if check.scenes:
        if subject.plugin is None:
            return skip("the manifest must be right first")
        if subject.ready is None:
            return skip("a program that the plugin needs is not here")
        left_out = [evidence.left_out[scene] for scene in check.scenes if scene in evidence.left_out]
        if left_out and not (check.partial and "minimal" in evidence.tried):
            return skip(left_out[0])
    return check.judge(evidence)


class _Examination:
    """The runs of one plugin."""

    def __init__(
        self,
        evidence: Evidence,
        plugin: Plugin,
        shop: Workshop,
        scratch: Path,
        needed: set[str],
        tell: Tell,
    ) -> None:
        self.evidence, self.plugin, self.shop, self.scratch = evidence, plugin, shop, scratch
        self.needed, self.tell = needed, tell
        self._limiter = trio.CapacityLimiter(SIDE_BY_SIDE)

    async def run(self) -> None:
        async with servers() as running:
            stage = scenes.Stage(
                subject=self.evidence.subject,
                plugin=self.plugin,
                servers=running,
                scratch=self.scratch,
                secret=scenes.make_secret(),
            )
            sound = await self._find_surroundings(stage)
            if sound is None:
                return
            await self._side_by_side(sound)
            if "crowd" in self.needed:
                await self._crowd(sound)
        if "examples" in self.needed:
            self.tell("replaying the recorded examples")
            self.evidence.replayed = await examples.replay_all(self.evidence.subject, self.plugin, self.shop)

    async def _find_surroundings(self, stage: scenes.Stage) -> scenes.Stage | None:
        """The stage in which the minimal job does well; None where there is none."""
        self.tell("the minimal job")
        try:
            trial = stage.trial()
        except UsageError as error:
            self.evidence.blamed["minimal-job"] = f"{error}; give it in examples/kit.toml or with --option"
            self.evidence.left_out |= dict.fromkeys(self.needed, "the kit has no options for a job")
            return None
        self.evidence.tried["minimal"] = tried = await self.shop.run(trial)
        if checks_run.sound(tried) or not self.needed - {"minimal"}:
            return stage
        # What it handed over is its own doing; in another folder it would only hand over nothing.
        changed = None if tried.ended.reason == "bad_artifact" else await self._blame(trial)
        if changed is None:
            self._leave_all_out("the minimal job must succeed first")
        return None if changed is None else replace(stage, as_is=changed)

    async def _blame(self, trial: Trial) -> Change | None:
        """Change the surroundings one at a time; what helped is what the plugin relies on."""
        self.tell("the minimal job fails: trying it in other surroundings")
        tried: dict[str, Tried] = {}

        copy = self.scratch / "copy"  # what a job makes of its working directory is not done to the original
        shutil.copytree(trial.plugin.folder, copy, symlinks=True)
        changes = {name: change(str(copy)) for name, (change, _) in SURROUNDINGS.items()}

        async def attempt(name: str) -> None:
            tried[name] = await self.shop.run(changes[name](trial))

        async with trio.open_nursery() as nursery:
            for name in SURROUNDINGS:
                nursery.start_soon(attempt, name)
        for name, (_, why) in SURROUNDINGS.items():
            if checks_run.sound(tried[name]):
                self.evidence.blamed[name] = f"{why}; without that: {checks_run.told(self.evidence.minimal)}"
                self.evidence.tried["minimal"] = tried[name]
                return changes[name]
        return None

    def _leave_all_out(self, why: str) -> None:
        self.evidence.left_out |= dict.fromkeys(self.needed - {"minimal"}, why)

    async def _side_by_side(self, stage: scenes.Stage) -> None:
        """Every scene that is needed, a few trials at once."""
        self.tell(f"{len(self.needed)} scenes")
        async with trio.open_nursery() as nursery:
            for name, trials_of in scenes.SCENES.items():
                if name in self.needed:
                    await self._open(nursery, name, trials_of(stage), stage)
            if "abandoned" in self.needed:
                nursery.start_soon(self._abandon, stage)
            if "probes" in self.needed:
                nursery.start_soon(self._probe_without)
        found = scenes.canary(stage).parent.glob("canary-*")
        self.evidence.canaries = tuple(sorted(path.name for path in found))

    async def _open(
        self, nursery: trio.Nursery, name: str, trials: scenes.Trials, stage: scenes.Stage
    ) -> None:
        if isinstance(trials, str):
            self.evidence.left_out[name] = trials
            return
        reached = stage.servers.reached if name == "held" else None
        for suffix, trial in trials.items():
            full = f"{name}:{suffix}" if suffix else name
            nursery.start_soon(self._try, full, trial, reached)

    async def _try(self, name: str, trial: Trial, reached: trio.Event | None) -> None:
        async with self._limiter:
            if reached is None:
                self.evidence.tried[name] = await self.shop.run(trial)
            else:
                self.evidence.tried[name] = await self._stopped(trial, reached)

    async def _stopped(self, trial: Trial, reached: trio.Event) -> Tried:
        """Stop it when it has reached the server that keeps it waiting, or has had time to begin."""
        stop = trio.Event()

        async def pull() -> None:
            with trio.move_on_after(STOP_AFTER_S):
                await reached.wait()
                await trio.sleep(0.1)
            stop.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pull)
            tried = await self.shop.run(trial, stop=stop)
            nursery.cancel_scope.cancel()
        return tried

    async def _abandon(self, stage: scenes.Stage) -> None:
        async with self._limiter:
            evidence = self.evidence
            evidence.abandoned_s = 2 * evidence.minimal.ended.timings.duration_s + ABANDONED_S
            evidence.gone_s = await self.shop.abandon(stage.trial(), within_s=evidence.abandoned_s)

    async def _probe_without(self) -> None:
        unprobed: dict[str, str] = {}
        for number, need in enumerate(self.plugin.requires):
            farm = self.scratch / f"without-{number}"
            if await programs.unnoticed(need, self.shop.family, farm):
                unprobed[need.name] = " ".join(need.probe)
        self.evidence.unprobed = unprobed

    async def _crowd(self, stage: scenes.Stage) -> None:
        trials = scenes.CROWD(stage)
        if isinstance(trials, str):
            self.evidence.left_out["crowd"] = trials
            return
        self.tell(f"{len(trials)} jobs at once")
        # They share the machine: what one takes alone, all take one after the other at the worst.
        patience = stage.subject.wishes.seconds + len(trials) * self.evidence.minimal.ended.timings.duration_s
        crowd = trio.CapacityLimiter(len(trials))
        self._limiter = crowd
        async with trio.open_nursery() as nursery:
            for suffix, trial in trials.items():
                nursery.start_soon(self._try, f"crowd:{suffix}", replace(trial, total_s=patience), None)


Change = Callable[[Trial], Trial]


def _with_own_environment(_: str) -> Change:
    hidden = {"PATH", "HOME", "TMPDIR"}
    own = {name: value for name, value in os.environ.items() if name not in hidden}
    return lambda trial: replace(trial, environment={**own, **trial.environment})


def _in_its_folder(copy: str) -> Change:
    return lambda trial: replace(trial, cwd=copy)


def _with_more_to_read(_: str) -> Change:
    return lambda trial: replace(trial, more_stdin=b"\n" * 16)


SURROUNDINGS: Final[Mapping[str, tuple[Callable[[str], Change], str]]] = {
    "cleared-environment": (_with_own_environment, "it runs only with your own environment variables"),
    "working-directory": (_in_its_folder, "it runs only with the plugin's folder as its working directory"),
    "stdin-eof": (_with_more_to_read, "it waits for more on standard input than the one line"),
}
"""By the check that is to blame: how to change a trial (with a copy of the folder), and what that shows."""
