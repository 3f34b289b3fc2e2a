"""The jobs that share a process: one, or a batch of one plugin's.

Floor 1, pure. Each job of a batch keeps its own id and its own result; the bundle has the
id of the process, and what all of its jobs have in common.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec import Struct

from kastrun.model import Job, JsonObject, Target


class Bundle(Struct, frozen=True, gc=False):
    """Jobs of one plugin, one attempt and equal options, each of another target."""

    id: str
    jobs: tuple[Job, ...]

    @property
    def first(self) -> Job:
        """The job that stands for the process where nothing names a target."""
        return self.jobs[0]

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.first.plugin

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return self.first.attempt

    @property
    def options(self) -> JsonObject:
        """What the plugin is told, secrets as references."""
        return self.first.options

    @property
    def targets(self) -> tuple[Target, ...]:
        """Whom it is about."""
        return tuple(job.target for job in self.jobs)

    @property
    def process(self) -> str | None:
        """The id of the process, where that is not its only job's."""
        return self.id if len(self.jobs) > 1 else None

    @property
    def batch(self) -> int | None:
        """How many jobs it has, where it is not only one."""
        return len(self.jobs) if len(self.jobs) > 1 else None

    @property
    def place(self) -> str:
        """The name of its folder: no other process of the run has it."""
        return f"{self.id}.{self.attempt}"


def bundle(jobs: Sequence[Job]) -> Bundle:
    """One process for `jobs`; its id is the job's, or ``b`` and a digest of theirs."""
    if len(jobs) == 1:
        return Bundle(jobs[0].id, (jobs[0],))
    digest = hashlib.sha256("\0".join(job.id for job in jobs).encode())
    return Bundle("b" + digest.hexdigest()[:20], tuple(jobs))


def alike(one: Job, other: Job) -> bool:
    """Whether two jobs of a plugin may share a process."""
    return one.attempt == other.attempt and (one.options is other.options or one.options == other.options)
