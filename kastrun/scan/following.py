"""Following leads in a run: assets and results in, lines of the journal and further jobs out.

`leads` decides; here it is fed: while the run goes on by its sinks, and before that by a journal,
of what an earlier start or another run had found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable

import msgspec

from kastrun.engine import Batch
from kastrun.engine.clock import Clock
from kastrun.facts import Fact, JobEnded, JobRetried, JobStarted, PassedOver
from kastrun.intent import Intent
from kastrun.jobids import JobIds
from kastrun.journal.reader import AssetEntry, Known
from kastrun.leads import Followed, Leads
from kastrun.model import Job, JsonObject
from kastrun.plan import Planner, Selection
from kastrun.protocol import messages
from kastrun.ready import Followers
from kastrun.terminal import Screen

Lines = Iterable[tuple[Known | None, bytes]]
"""What a journal says, typed, each with its line."""


class _Attrs(msgspec.Struct):
    attrs: JsonObject = {}


_attrs = msgspec.json.Decoder(_Attrs)


def leads_of(intent: Intent, selection: Selection, planner: Planner) -> Leads:
    """For a run whose targets `planner` has planned, all of them."""
    profile = intent.profile
    plugins = (chosen.plugin for chosen in selection.chosen)
    return Leads(planner, intent.scope, plugins, steps=profile.discover, most=profile.max_discovered)


def derive(leads: Leads, lines: Callable[[], Lines], planned: JobIds, at: str) -> list[Followed]:
    """What follows from what a journal has of the `planned` jobs, to which those that follow are added.

    It is read until nothing more follows: what a discovered job found may stand before what
    counts now as its discovery.
    """
    found: list[Followed] = []
    rounds: list[JobIds] = []
    more = True
    while more:
        more, settled = False, JobIds(1 << 12)
        for fact, line in lines():
            job = getattr(fact, "job", "")
            if job not in planned or any(job in before for before in rounds):
                continue
            followed = _take(leads, fact, line, at)
            if followed is not None:
                settled.add(job)
                found.append(followed)
                for each, _ in followed.jobs:
                    more = True
                    planned.add(each.id)
        rounds.append(settled)
    return [followed for followed in found if followed.facts]


def _take(leads: Leads, fact: Known | None, line: bytes, at: str) -> Followed | None:
    match fact:
        case JobStarted(job=job) | JobRetried(job=job):
            leads.forget(job)
        case AssetEntry():
            leads.hear(fact.job, fact.plugin, fact.kind, fact.value, _attrs.decode(line).attrs)
        case JobEnded():
            return leads.settle(fact, at)
    return None


class Following:
    """Of one run under way; `sink` takes what is to be told, `followers` get the jobs."""

    def __init__(self, leads: Leads, sink: Callable[[Batch], None], clock: Clock, screen: Screen) -> None:
        self._leads, self._sink, self._clock, self._screen = leads, sink, clock, screen
        self._said = False
        self.followers = Followers()

    def begin(self, found: Iterable[Followed], finished: Container[str]) -> None:
        """What follows from what was there before the run; of its jobs some are `finished`."""
        for followed in found:
            self._go_on(followed, finished)

    def finds(self, job: Job, asset: messages.Asset) -> None:
        """A job said that something is there."""
        self._leads.hear(job.id, job.plugin, asset.kind, asset.value, asset.attrs)

    def hear(self, fact: Fact) -> None:
        """A fact of the run."""
        if isinstance(fact, JobStarted | JobRetried):
            self._leads.forget(fact.job)
        elif isinstance(fact, JobEnded):
            at = self._clock.stamp(self._clock.now())
            self._go_on(self._leads.settle(fact, at), ())

    def _go_on(self, followed: Followed, finished: Container[str]) -> None:
        if followed.facts:
            lines = [msgspec.json.encode(fact) for fact in followed.facts]
            self._sink(Batch(lines=lines, facts=followed.facts))
            self._tell(followed.facts)
        for job, late in followed.jobs:
            if job.id not in finished:
                (self.followers.late if late else self.followers.soon).append(job)

    def _tell(self, facts: Iterable[Fact]) -> None:
        """Once, that there will be no more targets."""
        full = (fact for fact in facts if isinstance(fact, PassedOver) and fact.reason == "max_discovered")
        if not self._said and (first := next(full, None)) is not None:
            self._said = True
            self._screen.note(
                f"max_discovered = {self._leads.most} is reached: what else is found becomes no target "
                f"(the first is {first.example}); raise [limits] max_discovered to have it scanned",
                time.time(),
            )
