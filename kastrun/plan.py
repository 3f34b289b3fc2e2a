"""What will run: profile and plugins in, jobs out, lazily and in order.

Floor 2, pure. Decides which plugins take part, what each is given, what is left out and
why. Jobs come from a generator, so that a million targets cost the memory of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kastrun import dependencies
from kastrun.facts import LeftOut
from kastrun.history import History
from kastrun.model import (
    Job,
    JsonObject,
    Limits,
    Plugin,
    PluginChoice,
    Profile,
    Target,
    TargetEntry,
    Verdict,
)
from kastrun.profile.options import default_options
from kastrun.scope import Scope
from kastrun.targets import Seen, convert, expand

NOTHING: Final = History()


class Chosen(Struct, frozen=True, kw_only=True):
    """A plugin that takes part: with what limits, options and priority, or why its jobs will not run.

    `usual_s` is what a job of it takes, where that is known; `expected_s` counts with it those
    that wait for it, and a plugin that is not known yet as the longest that is.
    """

    plugin: Plugin
    priority: int
    limits: Limits
    options: JsonObject
    verdict: Verdict | None = None
    max_workers: int | None = None
    usual_s: float | None = None
    expected_s: float = 0.0


class Selection(Struct, frozen=True, kw_only=True):
    """The plugins of a run, in the order in which they take their turn, and those left out."""

    chosen: tuple[Chosen, ...]
    left_out: tuple[LeftOut, ...]
    unusual: Mapping[str, float] = {}
    """Seconds by job id, where a job takes far longer than its plugin's others."""


class Survey(Struct, kw_only=True):
    """What one pass over all jobs showed: how many, by plugin, and what has no job (the first few)."""

    planned: int = 0
    by_plugin: dict[str, int] = {}
    left_out: list[LeftOut] = []
    left_out_count: int = 0


def select(
    profile: Profile,
    plugins: Mapping[str, Plugin],
    missing: Mapping[str, str],
    history: History = NOTHING,
    unavailable: Mapping[str, str] = MappingProxyType({}),
) -> Selection:
    """Choose plugins by the profile. `missing` has, by plugin, what of its `requires` is not met;
    `unavailable`, what of its sandbox cannot be had here.
    """
    chosen: list[Chosen] = []
    left_out: list[LeftOut] = []
    named = profile.plugins
    for name in sorted(plugins if named is None else named):
        plugin = plugins[name]
        choice = _unnamed(plugin) if named is None else named[name]
        verdict = _verdict(profile, plugin, choice, missing.get(name), unavailable.get(name))
        if not choice.enabled:
            left_out.append(_out(name, "disabled", "switched off in the profile, or by --only or --skip"))
        elif verdict and named is None:
            left_out.append(_out(name, verdict.reason, verdict.message))
        else:
            chosen.append(_choose(profile, plugin, choice, verdict))
    chosen.sort(key=lambda each: (each.priority, each.plugin.name))
    weighed = _weighed(chosen, history.plugins)
    return Selection(chosen=tuple(weighed), left_out=tuple(left_out), unusual=history.jobs)


def _weighed(chosen: Sequence[Chosen], usual: Mapping[str, float]) -> list[Chosen]:
    """With how long each plugin's jobs may take, and after them the longest chain of those that wait."""
    plugins = {each.plugin.name: each.plugin for each in chosen}
    before = dependencies.edges(plugins)
    unknown = max((usual[name] for name in plugins if name in usual), default=1.0)
    after = dict.fromkeys(plugins, 0.0)
    expected: dict[str, float] = {}
    for name in reversed(dependencies.in_order(plugins)):
        expected[name] = usual.get(name, unknown) + after[name]
        for other in before[name]:
            after[other] = max(after[other], expected[name])
    return [
        replace(each, usual_s=usual.get(each.plugin.name), expected_s=expected[each.plugin.name])
        for each in chosen
    ]


def _unnamed(plugin: Plugin) -> PluginChoice:
    """What a profile that names no plugin says of each: its own defaults, and no harm if it cannot run."""
    return PluginChoice(name=plugin.name, if_missing="skip", options=default_options(plugin))


def _verdict(
    profile: Profile, plugin: Plugin, choice: PluginChoice, missing: str | None, unavailable: str | None
) -> Verdict | None:
    if profile.mode not in {"both", plugin.mode}:
        message = f"it is {plugin.mode}, and the profile's mode is {profile.mode}"
        return Verdict(status="skipped", reason="mode", message=message)
    if missing is not None:
        return Verdict(
            status="fail" if choice.if_missing == "fail" else "skipped",
            reason="requires_missing",
            message=missing,
        )
    if unavailable is not None:
        return Verdict(status="fail", reason="sandbox_unavailable", message=unavailable)
    absent = sorted(set(plugin.options_schema.get("required", ())) - choice.options.keys())
    if profile.plugins is None and absent:
        message = f"it needs the option `{absent[0]}`: name it in the profile as [plugins.{plugin.name}]"
        return Verdict(status="skipped", reason="options_invalid", message=message)
    return None


def _choose(profile: Profile, plugin: Plugin, choice: PluginChoice, verdict: Verdict | None) -> Chosen:
    return Chosen(
        plugin=plugin,
        priority=plugin.priority if choice.priority is None else choice.priority,
        limits=replace(plugin.limits, total_s=_total_s(profile, plugin, choice)),
        options=choice.options,
        verdict=verdict,
        max_workers=choice.max_workers,
    )


def _total_s(profile: Profile, plugin: Plugin, choice: PluginChoice) -> float:
    """The plugin's timeout in the profile wins; else the shorter of job_timeout and its own."""
    if choice.timeout_s is not None:
        return choice.timeout_s
    return min(plugin.limits.total_s, profile.job_timeout_s or plugin.limits.total_s)


def _out(plugin: str | None, reason: str, message: str, target: str | None = None) -> LeftOut:
    return LeftOut(plugin=plugin, target=target, reason=reason, message=message)


def plan(selection: Selection, entries: Iterable[TargetEntry], scope: Scope) -> Iterator[Job | LeftOut]:
    """Every job, target by target, and what has none. Duplicates are dropped; excludes always win.

    A job comes after those that it waits for.
    """
    yield from Planner(selection, scope).plan(entries)


class Upstream(Struct, frozen=True, gc=False):
    """A job that others may wait for, and the host that it is about; None: whatever theirs is."""

    id: str
    host: str | None = None


class Planner:
    """The state of one pass: what was seen, and how many jobs there were."""

    def __init__(self, selection: Selection, scope: Scope) -> None:
        self._scope = scope
        self._seen = Seen()
        self._order = 0
        chosen = {each.plugin.name: each for each in selection.chosen}
        plugins = {name: each.plugin for name, each in chosen.items()}
        before = dependencies.edges(plugins)
        awaited = {name for names in before.values() for name in names}
        self._works = [
            _Work(chosen[name], before[name], selection.unusual, awaited=name in awaited)
            for name in dependencies.in_order(plugins)
        ]

    def plan(self, entries: Iterable[TargetEntry]) -> Iterator[Job | LeftOut]:
        """Those of each target in turn."""
        for entry in entries:
            yield from self._entry(entry, self._works, {})

    def follow(
        self, entry: TargetEntry, speaks: Container[str] | None, finder: str, found_by: Upstream
    ) -> list[Job]:
        """The jobs of a target that `finder` found, where it has any that were not planned before.

        `speaks` is what is known to be spoken there, of which some plugins want a word; None: anything.
        """
        works = [work for work in self._works if work.fits(speaks)]
        done = {finder: [found_by]}
        return [item for item in self._entry(entry, works, done) if isinstance(item, Job)]

    def _entry(
        self, entry: TargetEntry, works: list[_Work], done: dict[str, list[Upstream]]
    ) -> Iterator[Job | LeftOut]:
        """The jobs of one target; of a CIDR first the whole, then address by address."""
        excluded = self._scope.excluded(entry.target)
        if excluded is not None:
            yield _out(None, "excluded", f"excluded by {excluded}", entry.target.value)
            return
        whole, apart = self._whole(entry, works)
        taken = False
        for target in [entry.target] if whole else []:
            for item in self._unit(entry, target, whole, done):
                taken = True
                yield item
        if apart:
            for target in expand(entry.target):
                for item in self._unit(entry, target, apart, dict(done)):
                    taken = True
                    yield item
        if not taken:
            message = f"no enabled plugin takes a target of kind {entry.target.kind}"
            yield _out(None, "no_plugin", message, entry.target.value)

    def _whole(self, entry: TargetEntry, works: list[_Work]) -> tuple[list[_Work], list[_Work]]:
        """Works that take the target as it is, and those that get a CIDR's addresses one by one."""
        if entry.target.kind != "cidr":
            return works, []
        if self._scope.splits(entry.target):  # a part of it is excluded
            return [], works
        whole = [work for work in works if "cidr" in work.plugin.targets]
        return whole, [work for work in works if work not in whole]

    def _unit(
        self, entry: TargetEntry, target: Target, works: list[_Work], done: dict[str, list[Upstream]]
    ) -> Iterator[Job | LeftOut]:
        """Every work's jobs for one target; `done` has, by plugin, those that others may wait for."""
        for work in works:
            for given in convert(target, work.plugin.targets):
                excluded = None if given is entry.target else self._scope.excluded(given)
                if excluded is not None:
                    yield _out(work.name, "excluded", f"excluded by {excluded}", given.value)
                    continue
                lacking = work.lacking(given, done)
                if lacking is not None:
                    message = f"it depends on {lacking}, which has no job for this target"
                    yield _out(work.name, "no_upstream", message, given.value)
                    continue
                job = work.job(entry, given, self._order + 1, done)
                # An address as a host is the same work.
                kind = "host" if given.kind == "ip" else given.kind
                new = self._seen.add(f"{work.name} {kind} {given.value}")
                if work.awaited and (new or not _matching(given, done.get(work.name))):
                    done.setdefault(work.name, []).append(Upstream(job.id, given.host))
                if new:
                    self._order += 1
                    yield job


def survey(items: Iterator[Job | LeftOut], into: Survey, *, most: int, keep: int = 100) -> bool:
    """Count up to `most` items of a plan, keeping the first `keep` of what is left out.

    Whether that was all of it; call it again until it was.
    """
    for item in islice(items, most):
        most -= 1
        if isinstance(item, Job):
            into.planned += 1
            into.by_plugin[item.plugin] = into.by_plugin.get(item.plugin, 0) + 1
        else:
            into.left_out_count += 1
            if len(into.left_out) < keep:
                into.left_out.append(item)
    return most > 0


class _Work:
    """One plugin's jobs: what of their identity is the same is digested once."""

    def __init__(
        self, chosen: Chosen, before: Sequence[str], unusual: Mapping[str, float], *, awaited: bool
    ) -> None:
        self.chosen = chosen
        self._unusual = unusual
        self.plugin = chosen.plugin
        self.name = chosen.plugin.name
        self.awaited = awaited
        self._soft = tuple(name for name in before if name not in self.plugin.depends_on)
        self._digest = self._begin(chosen.options)

    def fits(self, speaks: Container[str] | None) -> bool:
        """Whether a discovered target that speaks this is one for the plugin."""
        wanted = self.plugin.speaks
        return not wanted or speaks is None or any(word in speaks for word in wanted)

    def lacking(self, given: Target, done: Mapping[str, list[Upstream]]) -> str | None:
        """A plugin that this one depends on and that has no job for the target."""
        for name in self.plugin.depends_on:
            if not _matching(given, done.get(name)):
                return name
        return None

    def job(self, entry: TargetEntry, given: Target, order: int, done: Mapping[str, list[Upstream]]) -> Job:
        """The job for one target, waiting for those of `done` that are about the same host."""
        options, digest = self.chosen.options, self._digest
        own = (entry.plugins or {}).get(self.name)
        if own:
            options = {**options, **own}
            digest = self._begin(options)
        digest = digest.copy()
        digest.update(f"{given.kind}\0{given.value}".encode())
        id_ = "j" + digest.hexdigest()[:20]
        return Job(
            id=id_,
            plugin=self.name,
            target=given,
            declared=entry.target.value,
            options=options,
            priority=self.chosen.priority,
            order=order,
            expected_s=self._expected_s(id_),
            batch=self.chosen.limits.batch,
            tags=entry.tags,
            verdict=self.chosen.verdict,
            awaited=self.awaited,
            needs=_ids(self.plugin.depends_on, given, done),
            after=_ids(self._soft, given, done),
        )

    def _expected_s(self, job_id: str) -> float:
        own, usual = self._unusual.get(job_id), self.chosen.usual_s
        return self.chosen.expected_s + (0.0 if own is None or usual is None else own - usual)

    def _begin(self, options: JsonObject) -> Any:
        plugin = self.chosen.plugin
        identity = ["j1", plugin.name, plugin.digest, options]
        return hashlib.sha256(msgspec.json.encode(identity, order="deterministic") + b"\0")


def _ids(names: Sequence[str], given: Target, done: Mapping[str, list[Upstream]]) -> tuple[str, ...]:
    return tuple(id_ for name in names for id_ in _matching(given, done.get(name))) if names else ()


def _matching(given: Target, jobs: Iterable[Upstream] | None) -> list[str]:
    """Of another plugin's jobs for the same target, those about this host, or about a whole network."""
    return [job.id for job in jobs or () if job.host is None or job.host == given.host]


def target_text(job: Job) -> str:
    """What a job is given, and what the profile called it where that differs."""
    given, declared = job.target.value, job.declared
    return given if given == declared else f"{given}  (from {declared})"
