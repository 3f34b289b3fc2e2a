"""What jobs find becomes targets (`[limits] discover`): leads are heard, judged, and followed by jobs.

Floor 2, pure. A lead is an asset of a target kind that its plugin declares in `produces`. It counts
when its job has its result, and becomes a target where it can be read, is in scope, was not
there before, and neither `discover` nor `max_discovered` is used up. The same assets in the same
order give the same jobs, so a resume derives from a journal what the run derived from its jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from kastrun.facts import Discovered, JobEnded, PassedOver, PassedOverFor
from kastrun.jobids import JobIds
from kastrun.model import Job, Plugin, Target, TargetEntry, TargetKind
from kastrun.plan import Planner, Upstream
from kastrun.scope import Scope
from kastrun.targets import TargetError, can_be_given, count, known_scheme, parse

KINDS: Final[Mapping[str, TargetKind]] = {
    "host": "host", "ip": "ip", "cidr": "cidr", "url": "url", "domain": "domain", "service": "service",
}  # fmt: skip
"""Those that may become targets: any but files, so that no plugin can have a path of this machine read."""
_OF_SCHEME: Final = {
    None: frozenset[str](),
    "http": frozenset(("http",)),
    "https": frozenset(("http", "tls")),
}
_LONG: Final = 200


class Lead(Struct, frozen=True, gc=False):
    """What was found, and what is known to be spoken there; None: it may be anything."""

    target: Target
    speaks: frozenset[str] | None


class Followed(Struct, frozen=True):
    """What comes of one job's leads: lines of the journal, and jobs, each with whether it waits for a job
    that the run may not have come to yet.
    """

    facts: list[Discovered | PassedOver]
    jobs: list[tuple[Job, bool]]


class _Heard(Struct):
    """The leads of one attempt of a job, and by reason what is no lead: how often, and the first."""

    leads: list[Lead] = field(default_factory=list)
    said: JobIds = field(default_factory=lambda: JobIds(256))
    passed_over: dict[PassedOverFor, tuple[int, str]] = field(default_factory=dict)

    def pass_over(self, reason: PassedOverFor, what: str) -> None:
        times, example = self.passed_over.get(reason, (0, what[:_LONG]))
        self.passed_over[reason] = (times + 1, example)


class Leads:
    """Those of one run. `most` targets are made of them, in `steps` steps; see the room's head."""

    def __init__(
        self, planner: Planner, scope: Scope, plugins: Iterable[Plugin], *, steps: int, most: int
    ) -> None:
        self._planner, self._scope = planner, scope
        self._most_steps, self.most = steps, most
        self._kinds = {plugin.name: kinds_of(plugin) for plugin in plugins}
        self._steps: dict[str, int] = {}
        """By job of a discovered target, which step that was."""
        self._known = JobIds(1 << 12)
        self._heard: dict[str, _Heard] = {}
        self._found = 0

    def hear(self, job: str, plugin: str, kind: str, value: str, attrs: object) -> None:
        """A job says that something is there."""
        if kind not in self._kinds.get(plugin, ()) or self._steps.get(job, 0) >= self._most_steps:
            return
        heard = self._heard.get(job)
        if heard is None:
            heard = self._heard[job] = _Heard()
        text = f"{kind} {value}"
        if not heard.said.add(text):
            return
        try:
            lead = read(kind, value, attrs)
        except TargetError:
            heard.pass_over("no_target", text)
            return
        if (reason := self._against(lead.target)) is not None:
            heard.pass_over(reason, text)
        elif _key(lead.target) not in self._known:
            if len(heard.leads) < self.most:
                heard.leads.append(lead)
            else:
                heard.pass_over("max_discovered", text)

    def forget(self, job: str) -> None:
        """The job begins anew: what an attempt before it found is found again, or is not there."""
        self._heard.pop(job, None)

    def settle(self, ended: JobEnded, at: str) -> Followed:
        """The job has its result: what follows. One that was cancelled runs again in a resume."""
        heard = self._heard.pop(ended.job, None)
        followed = Followed([], [])
        if heard is None or ended.status == "cancelled":
            return followed
        for lead in heard.leads:
            self._follow(ended, lead, heard, followed, at)
        followed.facts.extend(
            PassedOver(
                job=ended.job,
                plugin=ended.plugin,
                target=ended.target,
                at=at,
                reason=reason,
                count=times,
                example=example,
            )
            for reason, (times, example) in heard.passed_over.items()
        )
        return followed

    def _against(self, target: Target) -> PassedOverFor | None:
        if self._scope.excluded(target) is not None:
            return "excluded"
        return None if self._scope.covers(target) else "out_of_scope"

    def _follow(self, ended: JobEnded, lead: Lead, heard: _Heard, followed: Followed, at: str) -> None:
        target = lead.target
        if not self._known.add(_key(target)):
            return
        size = count(target)
        if self._found + size > self.most:
            heard.pass_over("max_discovered", f"{target.kind} {target.value}")
            return
        entry = TargetEntry(target=target, tags=tuple(ended.tags))
        jobs = self._planner.follow(entry, lead.speaks, ended.plugin, Upstream(ended.job))
        if not jobs:
            return
        self._found += size
        step = self._steps.get(ended.job, 0) + 1
        self._steps.update((job.id, step) for job in jobs)
        begun = {ended.job, *(job.id for job in jobs)}
        followed.jobs.extend((job, not begun.issuperset((*job.needs, *job.after))) for job in jobs)
        followed.facts.append(
            Discovered(
                job=ended.job,
                plugin=ended.plugin,
                target=ended.target,
                at=at,
                kind=target.kind,
                value=target.value,
                step=step,
                jobs=[job.id for job in jobs],
            )
        )


def kinds_of(plugin: Plugin) -> dict[str, TargetKind]:
    """The kinds of asset that a plugin declares and that may become targets."""
    return {kind: known for kind, known in KINDS.items() if f"asset:{kind}" in plugin.produces}


class Prospect(Struct, frozen=True, kw_only=True):
    """What a plugin may find, and which plugins may then be given it; some of them only where `speaking`
    one of their words.
    """

    plugin: str
    kind: TargetKind
    followed_by: list[str]
    speaking: dict[str, list[str]]


def prospects(plugins: Sequence[Plugin]) -> Iterator[Prospect]:
    """All that may follow in a run of these plugins."""
    for plugin in plugins:
        for kind in kinds_of(plugin).values():
            takers = [other for other in plugins if can_be_given(kind, other.targets)]
            words = {taker.name: _wanted(kind, taker) for taker in takers}
            if takers:
                yield Prospect(
                    plugin=plugin.name,
                    kind=kind,
                    followed_by=[taker.name for taker in takers],
                    speaking={name: wanted for name, wanted in words.items() if wanted},
                )


def _wanted(kind: TargetKind, taker: Plugin) -> list[str]:
    """What a service, or that of a URL, must speak for `taker`."""
    if kind not in {"service", "url"}:
        return []
    turned = kind == "service" and can_be_given(kind, taker.targets) == "url"
    return sorted({*taker.speaks, *(["http"] if turned else [])})


def read(kind: str, value: str, attrs: object) -> Lead:
    """A lead, normalised. What a service speaks its `attrs.speaks` says, else its port where that is HTTP's.

    Raises TargetError.
    """
    target = parse(value, KINDS[kind])
    if target.kind not in {"url", "service"}:
        return Lead(target, None)
    told = attrs.get("speaks") if isinstance(attrs, Mapping) else None
    if target.kind == "url" or not isinstance(told, list):
        return Lead(target, _OF_SCHEME[known_scheme(target)])
    words = frozenset(word for word in told if isinstance(word, str))
    if "http" in words:
        target = replace(target, scheme="https" if "tls" in words else "http")
    return Lead(target, words)


def _key(target: Target) -> str:
    """What is one target: an address as a host is no other one; a service over TLS is the same service."""
    kind = "host" if target.kind == "ip" else target.kind
    return f"{kind} {target.value}"
