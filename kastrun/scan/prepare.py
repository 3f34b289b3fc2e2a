"""Before a run: the plugins that take part, their programs probed, and every job counted once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import trio

from kastrun.engine import Control
from kastrun.errors import Interrupted, UsageError
from kastrun.facts import LeftOut
from kastrun.intent import Intent
from kastrun.jobids import JobIds
from kastrun.machine import examine
from kastrun.model import Job, Profile
from kastrun.plan import Planner, Selection, Survey, plan, select, survey
from kastrun.policy import Machine, Policy, decide, reach
from kastrun.process import Family
from kastrun.ready import Caps
from kastrun.requires import Readiness, probe
from kastrun.terminal.wording import clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The plugins that take part; by name, what of their programs is there, and what they may do here."""

    selection: Selection
    readiness: Mapping[str, Readiness]
    policies: Mapping[str, Policy]
    machine: Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan before it is run: the plugins that take part, and what was counted. `planner` knows each of
    the jobs, and is there only where more may follow: it is as large as the plan.
    """

    choice: Choice
    counted: Survey
    planner: Planner | None


def jobs_of(intent: Intent, selection: Selection) -> Iterator[Job | LeftOut]:
    """The plan of an intent, anew at each call."""
    return plan(selection, intent.entries(), intent.scope)


def caps_of(profile: Profile, selection: Selection) -> Caps:
    """What a profile allows beside its number of workers."""
    return Caps(
        per_host=profile.per_host,
        rate=profile.rate,
        per_host_rate=profile.per_host_rate,
        plugins={
            each.plugin.name: each.max_workers for each in selection.chosen if each.max_workers is not None
        },
    )


async def choose_once(intent: Intent) -> Choice:
    """As `choose`, where nothing else is run."""
    with Family() as family:
        return await choose(intent, family)


async def choose(intent: Intent, family: Family) -> Choice:
    """Look at the machine, probe what the plugins need, and choose those that take part.

    Raises MachineError where the level of the sandbox cannot be had.
    """
    plugins, wish = intent.plugins(), intent.profile.sandbox
    machine = await examine(wish.level, family)
    means = reach(wish, machine)
    policies = {name: decide(plugin, wish, machine, means) for name, plugin in plugins.items()}
    readiness = await probe(plugins.values(), family)
    missing = {name: ready.missing for name, ready in readiness.items() if ready.missing}
    unavailable = {name: policy.unavailable for name, policy in policies.items() if policy.unavailable}
    selection = select(intent.profile, plugins, missing, intent.history, unavailable)
    return Choice(selection=selection, readiness=readiness, policies=policies, machine=machine)


async def prepare(
    intent: Intent, family: Family, control: Control, planned: JobIds | None = None
) -> Prepared:
    """Choose the plugins and count the jobs, whose ids are put into `planned`.

    Raises Interrupted, MachineError, and UsageError where there is no job.
    """
    with trio.CancelScope() as scope:
        control.attach(scope)
        choice = await choose(intent, family)
        selection = choice.selection
        planner = Planner(selection, intent.scope)
        items = planner.plan(intent.entries())
        counted = await _count(items if planned is None else _noted(items, planned))
        if not counted.planned:
            raise _nothing_to_do([*intent.broken(), *selection.left_out, *counted.left_out])
        return Prepared(choice=choice, counted=counted, planner=planner if intent.profile.discover else None)
    raise Interrupted("stopped before anything was run", hint="start it again")


def _nothing_to_do(left_out: Sequence[LeftOut]) -> UsageError:
    """A run of no jobs would look clean, and have looked at nothing."""
    reasons = [clean(f"{each.plugin or each.target}: {each.message}") for each in left_out[:3]]
    more = f" (and {len(left_out) - 3} more)" if len(left_out) > 3 else ""
    return UsageError(
        "nothing to scan: no job is planned" + "".join(f"\n  {reason}" for reason in reasons) + more,
        hint="`kastrun plan` shows what is left out and why",
    )


def _noted(items: Iterator[Job | LeftOut], planned: JobIds) -> Iterator[Job | LeftOut]:
    for item in items:
        if isinstance(item, Job):
            planned.add(item.id)
        yield item


async def _count(items: Iterator[Job | LeftOut]) -> Survey:
    """The whole plan, counted; signals are heard every few thousand jobs."""
    counted = Survey()
    while not survey(items, counted, most=5000):
        await trio.lowlevel.checkpoint()
    return counted
