"""Results of an earlier run that a new one need not make again: same job id, ended well, young enough.

What a job said in its last attempt is given back line by line, marked with the run that
made it. Files that it handed over are copied, and only where their digests still hold.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Container, Iterator
from pathlib import Path

import msgspec

from kastrun.facts import Discovered, JobEnded, JobStarted, PassedOver, RunStarted, Void
from kastrun.jobids import JobIds
from kastrun.journal.reader import ArtifactEntry, Known
from kastrun.record.soundness import entries
from kastrun.tally import moment


class Reusable:
    """The jobs of one journal whose result may be used again. Made by `reusable`."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.run = ""
        self.jobs = JobIds()
        self._starts: dict[str, int] = {}
        """How often a job was started, where that was more than once."""
        self._handed: dict[str, dict[str, str]] = {}
        """By job, the digests of the files that its last attempt handed over."""

    def begin(self, job: str, *, again: bool) -> None:
        """The journal has a start of `job`."""
        if again:
            self._starts[job] = self._starts.get(job, 1) + 1
            self._handed.pop(job, None)

    def hand(self, job: str, path: str, digest: str) -> None:
        """The journal has a file of `job`."""
        self._handed.setdefault(job, {})[path] = digest

    def end(self, fact: JobEnded, oldest: float) -> None:
        """The journal has a result."""
        well = fact.status == "ok" or (fact.status == "skipped" and fact.reason == "plugin_skipped")
        if well and moment(fact.timings.ended_at) >= oldest:
            self.jobs.add(fact.job)
        else:
            self.jobs.discard(fact.job)

    def copy_artifacts(self, folder: Path, planned: Container[str]) -> int:
        """Copy what the planned ones handed over into the run `folder`; how many of the jobs have lost it.

        Those run again. Raises OSError where the disk will not have it.
        """
        lost = 0
        for job, files in self._handed.items():
            if job in self.jobs and job in planned and not self._copied(job, files, folder):
                self.jobs.discard(job)
                lost += 1
        return lost

    def _copied(self, job: str, files: dict[str, str], folder: Path) -> bool:
        source = self._journal.parent / "artifacts" / job
        try:
            if any(_digest(source / path) != digest for path, digest in files.items()):
                return False
        except OSError:
            return False  # it is not there any more
        (folder / "artifacts").mkdir(mode=0o700, exist_ok=True)
        unfinished = folder / "artifacts" / f".{job}"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished, symlinks=True)
        unfinished.rename(folder / "artifacts" / job)
        return True

    def lines(self, planned: Container[str]) -> Iterator[tuple[Known, bytes]]:
        """What the planned ones said, and their results: typed, and as a line without `seq` and newline."""
        begun: dict[str, int] = {}
        for entry in entries(self._journal):
            fact = entry.fact
            job = getattr(fact, "job", None)
            if fact is None or job is None or job not in self.jobs or job not in planned:
                continue
            starts = self._starts.get(job)
            if starts is not None:
                begun[job] = begun.get(job, 0) + isinstance(fact, JobStarted)
                if begun[job] < starts:
                    continue  # of an attempt before the last
            if isinstance(fact, JobStarted | JobEnded):
                marked = msgspec.structs.replace(fact, reused=fact.reused or self.run)
                yield marked, msgspec.json.encode(marked)
            elif not isinstance(fact, Void | Discovered | PassedOver):  # what follows is said anew
                yield fact, b"{" + entry.line[entry.line.index(b",") + 1 :].rstrip(b"\n")


def reusable(journal: Path, oldest: float) -> Reusable:
    """What of a journal may be used again: jobs that ended well at `oldest` (seconds since 1970) or later.

    Well is `ok`, and `skipped` where the plugin itself said so. Raises JournalError.
    """
    found = Reusable(journal)
    seen = JobIds()
    for entry in entries(journal):
        match entry.fact:
            case RunStarted(run=run):
                found.run = run
            case JobStarted(job=job):
                found.begin(job, again=job in seen)
                seen.add(job)
            case ArtifactEntry(job=job, path=path, sha256=digest):
                found.hand(job, path, digest)
            case JobEnded():
                found.end(entry.fact, oldest)
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
