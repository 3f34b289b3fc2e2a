"""Where events go: the journal, then the tally, then the screen. Durable before visible."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Literal

import msgspec

from kastrun.engine import Batch
from kastrun.facts import Fact, RunEnded, RunStarted, Void
from kastrun.journal import Journal
from kastrun.model import Job
from kastrun.protocol import fingerprints, messages
from kastrun.tally import Tally
from kastrun.terminal import Screen

_GROUP = attrgetter("severity", "rule", "title")


class Sinks:
    """Called with one batch after the other. Raises JournalError where the journal takes no more."""

    def __init__(
        self, journal: Journal, tally: Tally, screen: Screen, accepted: frozenset[str] = frozenset()
    ) -> None:
        self._journal, self._tally, self._screen = journal, tally, screen
        self._accepted = frozenset(each.removeprefix("k1:").encode() for each in accepted)
        self.hears: list[Callable[[Fact], None]] = []
        """Who else hears of facts, once they are in the tally."""
        self.finds: Callable[[Job, messages.Asset], None] | None = None
        """Who else hears of assets."""

    def __call__(self, batch: Batch) -> None:
        if batch.lines:
            self._journal.append(batch.lines)
        for job, said in batch.said:
            self._tell(job, said)
        for fact in batch.facts:
            self._tally.apply(fact)
            for hear in self.hears:
                hear(fact)

    def _tell(self, job: Job, said: Sequence[messages.Message]) -> None:
        """Records by the ten thousand: what counts the same is counted at once."""
        tally, target = self._tally, job.target.value
        findings = [message for message in said if type(message) is messages.Finding]
        groups = Counter(zip(map(_GROUP, findings), self._judged(job, findings), strict=False))
        for ((severity, rule, title), accepted), count in groups.items():
            tally.finding(job.id, job.plugin, target, severity, rule, title, accepted, count)
        if len(findings) == len(said):
            return
        for message in said:
            if isinstance(message, messages.Asset):
                tally.asset(job.id, job.plugin, target, message.kind, message.value)
                if self.finds is not None:
                    self.finds(job, message)
            elif isinstance(message, messages.Log):
                tally.log(job.id, message.level, message.message)
                self._screen.log(job.plugin, target, message.level, message.message, time.time())
            elif isinstance(message, messages.Artifact):
                tally.artifact(job.id, job.plugin, message.path)

    def _judged(self, job: Job, findings: Sequence[messages.Finding]) -> Iterable[bool]:
        """Of each whether the baseline accepts it; without one no fingerprint is made for that."""
        if not self._accepted or not findings:
            return repeat(False)
        return [mark in self._accepted for mark in fingerprints(job.plugin, job.target.value, findings)]


def fact_line(fact: RunStarted | RunEnded) -> Batch:
    return Batch(lines=(msgspec.json.encode(fact),), facts=(fact,))


def void_line(job: str, reason: Literal["damaged", "not_planned"], at: str) -> Batch:
    """A line only: what it takes back was never folded into this tally."""
    return Batch(lines=(msgspec.json.encode(Void(job=job, reason=reason, at=at)),))
