"""The fold: facts and records in, counts out.

Nothing here judges (see `verdict`) or draws. Memory is bounded however many jobs and
findings go by: findings are counted in groups, failures kept in full only while they are
among the latest, and a job that ended ok leaves no trace but counts. What did not end ok
costs about 200 bytes a job, because a resumed or retried job's later result replaces it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from kastrun.facts import (
    Discovered,
    Egress,
    Fact,
    JobEnded,
    JobRetried,
    JobStarted,
    PassedOver,
    Progress,
    RunEnded,
    RunStarted,
)
from kastrun.model import SEVERITIES, Severity, Status
from kastrun.tally.counts import Counted, Finding, Found, Outcome, PluginTimes, Running, Slow
from kastrun.tally.followed import Followed
from kastrun.tally.network import Network

GROUPS: Final = 1000
"""Most groups of findings; what belongs to none of them is counted by severity as "others"."""
FAILURES: Final = 200
SLOWEST: Final = 10
KINDS: Final = 200
WHERE: Final = 3
"""The first targets a group of findings remembers."""
_LONG: Final = 200


def moment(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 moment. Raises ValueError where it is none."""
    return datetime.fromisoformat(text).timestamp()


class Tally:
    """The state of a run: call `apply` for facts and one method a record, in journal order."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.starts = 0
        """How often the run was started: 2 after a resume."""
        self.end: RunEnded | None = None
        self.running: dict[str, Running] = {}
        self.retries = 0
        self.again: set[str] = set()
        """Jobs that wait to be tried once more; `retries` is how often one did."""
        self.failures: dict[str, JobEnded] = {}
        """The latest results that are `fail` or `partial`, oldest first."""
        self.failures_seen = 0
        """How many such results there ever were; never falls."""
        self.plugins: dict[str, PluginTimes] = {}
        self.ran = 0
        """Results of jobs that had a process, and in `busy_s` their seconds."""
        self.reused = 0
        """Results that an earlier run made."""
        self.busy_s = 0.0
        self.assets: dict[str, int] = {}
        self.logs: dict[str, int] = {}
        self.warnings: dict[str, int] = {}
        self.held = ""
        """Why nothing new starts at the moment, for people; live only."""
        self.artifacts: dict[str, int] = {}
        self._outcomes: dict[tuple[str, Status, str | None], Outcome] = {}
        self._findings: dict[tuple[str, str, Severity, bool], Finding] = {}
        self._slowest: list[Slow] = []
        self._unsettled: dict[str, Outcome] = {}
        self._incomplete: dict[str, Found] = {}
        self._counted: dict[str, Counted] = {}
        """What else the last attempt of a job counted that has not ended ok: the next one counts it anew."""
        self._earlier_s = 0.0
        self._last = ""
        self.network = Network()
        self.followed = Followed()

    # Facts

    def apply(self, fact: Fact) -> None:
        """Take one fact in."""
        match fact:
            case Egress():
                self.network.take(fact)
            case Progress():
                self._progressed(fact)
            case JobStarted():
                self._started(fact)
            case JobRetried():
                self._retried(fact)
            case JobEnded():
                self._ended(fact)
            case Discovered() | PassedOver():
                self.followed.take(fact)
            case RunStarted():
                self._run_started(fact)
            case RunEnded():
                self.end = fact
                self._last = fact.ended_at
                self._abandon_running()

    def _run_started(self, fact: RunStarted) -> None:
        # A resume: what an interrupted or killed run left behind belongs to no process now.
        self.starts += 2 if self.run is None and self._last else 1  # the line of the first may be lost
        self._earlier_s = self.duration_s()
        self._abandon_running()
        self.run, self.end, self._last = fact, None, fact.started_at
        self.followed = Followed()  # a resume says anew what follows from what it kept

    def _abandon_running(self) -> None:
        for running in self.running.values():
            self._set_aside(running.job, running)
        self.running.clear()
        self.again.clear()

    def _started(self, fact: JobStarted) -> None:
        if (before := self.running.pop(fact.job, None)) is not None:
            self._set_aside(before.job, before)
        self._uncount(self._counted.pop(fact.job, {}))
        self.again.discard(fact.job)
        self.running[fact.job] = Running(
            job=fact.job,
            plugin=fact.plugin,
            target=" ".join(fact.targets)[:_LONG],
            attempt=fact.attempt,
            at=fact.at,
            deadline_s=fact.deadline_s,
            process=fact.process or fact.job,
            batch=fact.batch or 1,
        )
        if fact.reused is not None:
            return  # its times are those of another run
        times = self.plugins.get(fact.plugin)
        if times is None:
            times = self.plugins[fact.plugin] = PluginTimes()
        times.first_start = times.first_start or fact.at
        self._last = fact.at

    def _retried(self, fact: JobRetried) -> None:
        if (running := self.running.pop(fact.job, None)) is not None:
            self._set_aside(fact.job, running)
        self.retries += 1
        self.again.add(fact.job)
        self._last = fact.at

    def _progressed(self, fact: Progress) -> None:
        if (running := self.running.get(fact.job)) is None:
            return
        if fact.done is not None:
            running.done = fact.done
        if fact.total is not None:
            running.total = fact.total
        if fact.message is not None:
            running.message = fact.message[:_LONG]

    def _ended(self, fact: JobEnded) -> None:
        self._replace_earlier(fact.job)
        outcome = self._outcome(fact)
        outcome.count += 1
        running = self.running.pop(fact.job, None)
        self.again.discard(fact.job)
        if fact.reused is not None:
            self.reused += 1
        else:
            self._last = fact.timings.ended_at
            if running is not None:
                self._time(fact)
        for warning in fact.warnings:
            self._count("warnings", warning, running)
        if fact.status == "ok":
            self._withdraw(self._incomplete.pop(fact.job, {}))
            return
        if running is not None:
            self._set_aside(fact.job, running)
        if fact.status != "skipped" or fact.reason == "upstream_failed":
            self._unsettled[fact.job] = outcome
        if fact.status in ("fail", "partial"):
            self._remember(fact)

    def _outcome(self, fact: JobEnded) -> Outcome:
        key = (fact.plugin, fact.status, fact.reason)
        outcome = self._outcomes.get(key)
        if outcome is None:
            outcome = Outcome(plugin=fact.plugin, status=fact.status, reason=fact.reason)
            self._outcomes[key] = outcome
        return outcome

    def _replace_earlier(self, job: str) -> None:
        if (earlier := self._unsettled.pop(job, None)) is not None:
            earlier.count -= 1
            self.failures.pop(job, None)
            self._slowest = [slow for slow in self._slowest if slow.job != job]
            heapq.heapify(self._slowest)

    def _remember(self, fact: JobEnded) -> None:
        self.failures_seen += 1
        self.failures[fact.job] = fact
        if len(self.failures) > FAILURES:
            del self.failures[next(iter(self.failures))]

    def _time(self, fact: JobEnded) -> None:
        seconds = fact.timings.duration_s / (fact.batch or 1)
        self.ran += 1
        self.busy_s += seconds
        times = self.plugins[fact.plugin]
        times.busy_s += seconds
        times.last_end = fact.timings.ended_at
        if len(self._slowest) < SLOWEST:
            heapq.heappush(self._slowest, _slow(fact, seconds))
        elif seconds > self._slowest[0].duration_s:
            heapq.heapreplace(self._slowest, _slow(fact, seconds))

    # Records

    def finding(
        self,
        job: str,
        plugin: str,
        target: str,
        severity: Severity,
        rule: str,
        title: str,
        accepted: bool = False,
        count: int = 1,
    ) -> None:
        """Count one finding, or `count` alike; `accepted` where the baseline has it."""
        group = self._findings.get((plugin, rule, severity, accepted))
        if group is None:
            group = self._group(plugin, rule, severity, title, accepted)
        group.count += count
        if len(group.targets) < WHERE and (where := target[:_LONG]) not in group.targets:
            group.targets.append(where)
        if (running := self.running.get(job)) is not None:
            running.found[group] = running.found.get(group, 0) + count

    def _group(self, plugin: str, rule: str, severity: Severity, title: str, accepted: bool) -> Finding:
        # A rule is a plugin's word and may be of any length: a long one, or one too many, is of the others.
        if len(rule) > _LONG or len(self._findings) >= GROUPS:
            plugin, rule, title = "", "", "other findings"
        key = (plugin, rule, severity, accepted)
        if key not in self._findings:
            self._findings[key] = Finding(
                plugin=plugin, rule=rule, severity=severity, accepted=accepted, title=title[:_LONG]
            )
        return self._findings[key]

    def asset(self, job: str, plugin: str, target: str, kind: str, value: str) -> None:
        """Count one asset, by its kind."""
        self._count("assets", kind, self.running.get(job))

    def log(self, job: str, level: str, message: str) -> None:
        """Count one log message; until something newer comes it is the job's last message."""
        running = self.running.get(job)
        self._count("logs", level, running)
        if level != "debug" and running is not None:
            running.message = message[:_LONG]

    def artifact(self, job: str, plugin: str, path: str) -> None:
        """Count one artifact, by the plugin that handed it over."""
        self._count("artifacts", plugin, self.running.get(job))

    def _count(self, table: str, key: str, running: Running | None) -> None:
        counts: dict[str, int] = getattr(self, table)
        key = key if key in counts or (len(counts) < KINDS and len(key) <= _LONG) else "other"
        counts[key] = counts.get(key, 0) + 1
        if running is not None:
            running.counted[table, key] = running.counted.get((table, key), 0) + 1

    def _uncount(self, counted: Counted) -> None:
        for (table, key), count in counted.items():
            counts: dict[str, int] = getattr(self, table)
            counts[key] -= count
            if not counts[key]:
                del counts[key]

    # Attempts that did not end ok

    def _set_aside(self, job: str, attempt: Running) -> None:
        """Keep what an attempt found; what an earlier one had found too is one finding, not two."""
        if attempt.counted:
            self._counted[job] = attempt.counted
        if not (found := attempt.found):
            return
        earlier = self._incomplete.get(job, {})
        self._withdraw({group: min(count, earlier.get(group, 0)) for group, count in found.items()})
        self._incomplete[job] = earlier | {
            group: max(count, earlier.get(group, 0)) for group, count in found.items()
        }

    def _withdraw(self, found: Found) -> None:
        for group, count in found.items():
            group.count -= count

    # What was counted

    def outcomes(self) -> Iterator[Outcome]:
        """How jobs ended: one entry for each plugin, status and reason."""
        return (outcome for outcome in self._outcomes.values() if outcome.count)

    def findings(self) -> list[Finding]:
        """The groups, worst and then most frequent first, accepted ones and the others last."""
        present = [group for group in self._findings.values() if group.count > 0]
        return sorted(present, key=_rank)

    def severities(self, *, accepted: bool | None = None) -> dict[Severity, int]:
        """Findings by severity, worst first, without zeros; `accepted` picks one sort of them."""
        groups = [g for g in self._findings.values() if accepted is None or g.accepted == accepted]
        sums = {s: sum(g.count for g in groups if g.severity == s) for s in reversed(SEVERITIES)}
        return {severity: count for severity, count in sums.items() if count}

    def worst(self) -> Severity | None:
        """The worst severity that no baseline accepts."""
        return next(iter(self.severities(accepted=False)), None)

    def incomplete_findings(self) -> int:
        """Findings from jobs that did not end ok (those still running are not among them)."""
        return sum(sum(found.values()) for found in self._incomplete.values())

    def slowest(self) -> list[Slow]:
        """The jobs that took longest, the longest first."""
        return sorted(self._slowest, reverse=True)

    def planned(self) -> int | None:
        """Jobs that there are, those of discovered targets included; None where that is not known."""
        if self.run is None or self.run.planned is None:
            return None
        return self.run.planned + self.followed.jobs

    def ended(self) -> int:
        """Jobs with a result."""
        return sum(outcome.count for outcome in self._outcomes.values())

    def duration_s(self, now: float | None = None) -> float:
        """Seconds of the run up to `now` (or its last fact), without the pauses before a resume."""
        if self.run is None:
            return 0.0
        until = moment(self._last) if now is None or self.end is not None else now
        return self._earlier_s + max(0.0, until - moment(self.run.started_at))


def _slow(fact: JobEnded, seconds: float) -> Slow:
    return Slow(seconds, fact.job, fact.plugin, fact.target, fact.status)


def _rank(group: Finding) -> tuple[bool, int, bool, int, str, str]:
    severity = SEVERITIES.index(group.severity)
    return (group.accepted, -severity, not group.rule, -group.count, group.plugin, group.rule)
