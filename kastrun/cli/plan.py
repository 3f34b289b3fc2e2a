"""`kastrun plan`: what would run, in which order, and what would not, and why. Runs only the probes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

import msgspec
from msgspec.structs import asdict

from kastrun import scan
from kastrun.bundle import bundle
from kastrun.cli import common
from kastrun.facts import LeftOut
from kastrun.intent import Intent
from kastrun.leads import prospects
from kastrun.model import Held, Job, JsonObject, Plugin, Profile, SandboxWish
from kastrun.plan import Chosen, Selection, target_text
from kastrun.policy import Policy
from kastrun.ready import in_order
from kastrun.requires import Readiness
from kastrun.terminal.wording import clean, counted, span

_LEFT_OUT = 1000


def serve(options: argparse.Namespace) -> int:
    """Print the plan; jobs stream, so a million of them need no memory."""
    import trio

    intent = common.with_history(common.load(options))
    choice = trio.run(scan.choose_once, intent)
    left_out: list[LeftOut] = [*intent.broken(), *choice.selection.left_out]
    show = _as_json if options.json else _as_text
    for text in show(intent, choice, left_out):
        sys.stdout.write(text)
    return 0


def _processes(intent: Intent, selection: Selection, left_out: list[LeftOut]) -> Iterator[list[Job]]:
    """The jobs of each process, in the order of a run; what has none goes to `left_out`, up to a thousand."""

    def only_jobs() -> Iterator[Job]:
        for item in scan.jobs_of(intent, selection):
            if isinstance(item, Job):
                yield item
            elif len(left_out) < _LEFT_OUT:
                left_out.append(item)

    return in_order(only_jobs(), caps=scan.caps_of(intent.profile, selection))


def _as_text(intent: Intent, choice: scan.Choice, left_out: list[LeftOut]) -> Iterator[str]:
    profile, selection = intent.profile, choice.selection
    least = "" if profile.min_workers is None else f"{profile.min_workers} to "
    at_once = f"{least}{profile.max_workers} at once"
    yield f"{profile.name}: mode {profile.mode}, {at_once}, fail_on {profile.fail_on}\n"
    if paced := _paced(profile):
        yield f"at most {', '.join(paced)}\n"
    if profile.window is not None:
        yield f"jobs start only {profile.window}\n"
    if selection.chosen:
        yield _sandbox_line(profile.sandbox, choice.policies[selection.chosen[0].plugin.name].held)
    yield "\nplugins, in the order of their priority\n"
    for chosen in selection.chosen:
        name = chosen.plugin.name
        yield from _plugin_lines(chosen, choice.readiness[name], choice.policies[name])
    yield "\njobs\n"
    number = processes = 0
    for jobs in _processes(intent, selection, left_out):
        processes += 1
        first = number + 1
        for number, job in enumerate(jobs, start=first):
            beside = "" if number == first else f"  [in the process of {first}]"
            yield f"{number:6}  {job.plugin:<14} {clean(target_text(job))}{_verdict(job)}{beside}\n"
    if not number:
        yield "  none\n"
    yield from _may_follow(profile, selection)
    if left_out:
        yield "\nleft out\n"
        for out in left_out:
            yield f"  {clean(out.plugin or out.target or '')}: {out.reason}: {clean(out.message)}\n"
    shared = f" in {processes:,} process{'' if processes == 1 else 'es'}" if processes < number else ""
    yield f"\n{counted(number, 'job')}{shared}\n"


def _may_follow(profile: Profile, selection: Selection) -> Iterator[str]:
    """What discovery may add to the jobs above."""
    if not profile.discover:
        return
    steps, most = counted(profile.discover, "step"), counted(profile.max_discovered, "target")
    yield f"\nwhat may follow, in {steps} at most: up to {most}, in scope and not planned yet\n"
    found = list(prospects(_able(selection)))
    for each in found:
        takers = (_taker(name, each.speaking.get(name, [])) for name in each.followed_by)
        yield f"  {each.plugin} finds {each.kind}: {', '.join(takers)}\n"
    if not found:
        yield "  nothing: no plugin here produces assets of a kind that one takes\n"


def _able(selection: Selection) -> list[Plugin]:
    return [chosen.plugin for chosen in selection.chosen if chosen.verdict is None]


def _taker(name: str, words: list[str]) -> str:
    return f"{name} where it speaks {' or '.join(words)}" if words else name


def _sandbox_line(wish: SandboxWish, held: Held) -> str:
    missing = f"; not held here: {', '.join(held.missing)}" if held.missing else ""
    return f"sandbox {wish.level}: {held.level}, scope {wish.scope}{missing}\n"


def _plugin_lines(chosen: Chosen, ready: Readiness, policy: Policy) -> Iterator[str]:
    plugin = chosen.plugin
    yield (
        f"  {plugin.name} {plugin.version} ({plugin.origin}): priority {chosen.priority}, {plugin.mode},"
        f" {_usual(chosen)}at most {span(chosen.limits.total_s)} {_for(chosen)},"
        f" network {plugin.sandbox.network}\n"
        f"    {' '.join(plugin.exec)}  in {plugin.folder}\n"
    )
    if ready.versions:
        yield f"    with {', '.join(f'{name} {version}' for name, version in ready.versions.items())}\n"
    if policy.read and policy.means != "off":
        yield f"    reads {', '.join(policy.read)}\n"
    if chosen.verdict:
        yield f"    its jobs will be {chosen.verdict.status}: {chosen.verdict.message}\n"


def _usual(chosen: Chosen) -> str:
    """What earlier runs took, by which the longest come first."""
    return "" if chosen.usual_s is None else f"usually {span(chosen.usual_s)}, "


def _paced(profile: Profile) -> list[str]:
    """The limits of the whole run, as the profile has them."""
    limits = profile.document["limits"]
    said = [f"{counted(profile.per_host, 'job')} against one host"] if profile.per_host else []
    said += [f"{limits['rate']} starts"] if profile.rate else []
    return said + ([f"{limits['per_host_rate']} starts against one host"] if profile.per_host_rate else [])


def _for(chosen: Chosen) -> str:
    batch = chosen.limits.batch
    most = "" if chosen.max_workers is None else f", {chosen.max_workers} at once"
    return ("a job" if batch == 1 else f"a process of {batch:,} jobs or fewer") + most


def _verdict(job: Job) -> str:
    return f"  [{job.verdict.status}: {job.verdict.reason}]" if job.verdict else ""


def _as_json(intent: Intent, choice: scan.Choice, left_out: list[LeftOut]) -> Iterator[str]:
    profile, selection = intent.profile, choice.selection
    limits = profile.document["limits"]
    head: JsonObject = {
        "name": profile.name,
        "mode": profile.mode,
        "min_workers": profile.min_workers,
        "max_workers": profile.max_workers,
        "fail_on": profile.fail_on,
        "window": profile.window,
        "limits": {key: limits[key] for key in ("per_host", "rate", "per_host_rate") if key in limits},
        "sandbox": asdict(profile.sandbox),
        "discovery": {
            "steps": profile.discover,
            "max_discovered": profile.max_discovered,
            "finds": [asdict(each) for each in prospects(_able(selection))] if profile.discover else [],
        },
        "plugins": [_plugin_json(chosen, choice) for chosen in selection.chosen],
    }
    yield json.dumps(head, indent=2, ensure_ascii=False)[:-2] + ',\n  "jobs": ['
    separator = "\n    "
    number = 0
    for jobs in _processes(intent, selection, left_out):
        process = bundle(jobs).process
        for job in jobs:
            number += 1
            yield separator + msgspec.json.encode(_job_json(number, job, process)).decode()
            separator = ",\n    "
    rest = msgspec.json.encode(left_out).decode()
    yield f'\n  ],\n  "left_out": {rest}\n}}\n'


def _plugin_json(chosen: Chosen, choice: scan.Choice) -> JsonObject:
    plugin = chosen.plugin
    ready, policy = choice.readiness[plugin.name], choice.policies[plugin.name]
    return {
        "name": plugin.name,
        "version": plugin.version,
        "origin": plugin.origin,
        "folder": plugin.folder,
        "argv": list(plugin.exec),
        "mode": plugin.mode,
        "priority": chosen.priority,
        "max_workers": chosen.max_workers,
        "timeout_s": chosen.limits.total_s,
        "usual_s": chosen.usual_s,
        "batch": chosen.limits.batch,
        "network": plugin.sandbox.network,
        "programs": dict(ready.versions),
        "missing": ready.missing,
        "sandbox": asdict(policy.held),
        "read": list(policy.read),
        "capabilities": list(policy.capabilities),
    }


def _job_json(number: int, job: Job, process: str | None) -> JsonObject:
    return {
        "order": number,
        "job": job.id,
        "plugin": job.plugin,
        "target": job.target,
        "declared": job.declared,
        "tags": job.tags,
        "verdict": job.verdict,
        "process": process,
    }
