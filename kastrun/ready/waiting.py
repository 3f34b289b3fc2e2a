"""A job in the window, and the jobs that are taken from it for one process."""

from __future__ import annotations

from msgspec import Struct

from kastrun.model import Job


class Waiting(Struct, gc=False):
    """A job in the window; `ready` is when it became ready, by the clock that was given."""

    job: Job
    ready: float
    missing: int = 0
    doomed_by: str | None = None
    """The plugin of a job that it needs and that did not succeed."""

    @property
    def idle(self) -> bool:
        """Whether it starts no process, so that nothing need hold it back."""
        return self.doomed_by is not None or self.job.verdict is not None


class Taken(Struct, gc=False):
    """What is started at once, in one process: jobs of one plugin, at these hosts."""

    jobs: list[Waiting]
    hosts: list[str]
    """One for each job; none where nothing is started."""

    @property
    def name(self) -> str:
        """What no other process under way is called."""
        return self.jobs[0].job.id
