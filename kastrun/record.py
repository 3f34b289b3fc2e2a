"""The files of a run beside its journal: the resolved profile, and the summary at the end.

Floor 4. Each is written to a temporary name, synced and renamed, so that a watcher never
sees half a file. The summary is a fold of the journal, the same whenever it is made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kastrun.errors import JournalError
from kastrun.facts import JobEnded, JobStarted, RunEnded, RunStarted
from kastrun.jobids import JobIds
from kastrun.journal import Damage, reader
from kastrun.model import Profile
from kastrun.profile import dump
from kastrun.report import run_json
from kastrun.tally import ExitCode, Tally, exit_code

JOURNAL = "journal.jsonl"
PROFILE = "profile.toml"
SUMMARY = "run.json"


def digest(profile: Profile) -> str:
    """``sha256:`` and the digest of the resolved profile's text."""
    return "sha256:" + hashlib.sha256(dump(profile).encode()).hexdigest()


def write_profile(folder: Path, profile: Profile) -> None:
    """`profile.toml`: `kastrun` on it repeats the run."""
    write(folder / PROFILE, [dump(profile).encode()])


def write_summary(folder: Path, tally: Tally, exit_: ExitCode) -> None:
    """`run.json`, from the tally and the journal's results."""
    write(folder / SUMMARY, run_json.chunks(tally, results(folder, tally), exit_))


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file whole or not at all. Raises JournalError, and leaves nothing behind then."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be written: {error.strerror}",
            hint="make room, then try again; what a journal holds is safe",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def results(folder: Path, tally: Tally) -> Iterator[JobEnded]:
    """The last result of each job of a run, in the order in which they ended; `tally` is the run's."""
    journal = folder / JOURNAL
    again = _ended_again(journal) if tally.starts > 1 else {}
    for place, fact in enumerate(_results(journal)):
        if again.get(fact.job, place) == place:
            yield fact


def _ended_again(journal: Path) -> dict[str, int]:
    """By job that a resume has ended, the place of its last result: one start ends each job once."""
    last: dict[str, int] = {}
    starts = place = 0
    for entry in reader.pick(journal, RunStarted, JobEnded):
        if isinstance(entry.fact, RunStarted):
            starts += 1
        elif isinstance(entry.fact, JobEnded):
            if starts > 1:
                last[entry.fact.job] = place
            place += 1
    return last


def _results(journal: Path) -> Iterator[JobEnded]:
    return (entry.fact for entry in reader.pick(journal, JobEnded) if isinstance(entry.fact, JobEnded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a run had done before it was resumed: its tally so far, the ids of finished jobs, those of
    failed ones with their plugins, and what was found of assets, by job.
    """

    tally: Tally = field(default_factory=Tally)
    finished: Container[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    assets: Iterable[tuple[str, bytes]] = ()


def earlier(folder: Path, *, retry_failed: bool = False) -> tuple[Earlier, list[Damage]]:
    """What the journal of an earlier start holds; with `retry_failed` only what ended ok is finished.

    Raises JournalError as `replay` does.
    """
    finished, failed = JobIds(), dict[str, str]()

    def note(fact: JobEnded) -> None:
        failed.pop(fact.job, None)
        if not _is_finished(fact, retry_failed=retry_failed):
            finished.discard(fact.job)
            return
        finished.add(fact.job)
        if fact.status != "ok":
            failed[fact.job] = fact.plugin

    tally, damage = _replayed(folder, note)
    assets = _assets(folder, finished)
    return Earlier(tally=tally, finished=finished, failed=failed, assets=assets), damage


def _is_finished(fact: JobEnded, *, retry_failed: bool) -> bool:
    if fact.status == "cancelled":
        return False
    return (
        not retry_failed
        or fact.status == "ok"
        or (fact.status == "skipped" and fact.reason != "upstream_failed")
    )


def _assets(folder: Path, ended: Container[str]) -> Iterator[tuple[str, bytes]]:
    for entry in reader.pick(folder / JOURNAL, reader.AssetEntry):
        if isinstance(entry.fact, reader.AssetEntry) and entry.fact.job in ended:
            yield entry.fact.job, entry.line.rstrip(b"\n")


def replay(folder: Path) -> tuple[Tally, list[Damage]]:
    """The tally of a run, folded anew from its journal, and what of the journal is damaged.

    Raises JournalError where there is no journal, or it holds no run.
    """
    return _replayed(folder, lambda _: None)


def _replayed(folder: Path, ended: Callable[[JobEnded], None]) -> tuple[Tally, list[Damage]]:
    tally, damage, said = Tally(), [], dict[str, int]()
    for item in reader.read(folder / JOURNAL):
        if isinstance(item, Damage):
            damage.append(item)
            continue
        fact = item.fact
        if isinstance(fact, JobEnded):
            if damage and said.get(fact.job, 0) != _records(fact):
                continue  # what it said is not all there: it is a job that has not ended
            said.pop(fact.job, None)
            ended(fact)
        elif isinstance(fact, JobStarted):
            said.pop(fact.job, None)
        elif isinstance(fact, reader.FindingEntry | reader.AssetEntry | reader.LogEntry):
            said[fact.job] = said.get(fact.job, 0) + 1
        _fold(tally, fact)
    if tally.run is None:
        raise JournalError(
            f"the journal {folder / JOURNAL} holds no run",
            hint="it stopped before the run began: run it again",
        )
    return tally, damage


def _records(fact: JobEnded) -> int:
    """How many lines of a job stand before its result, artifacts aside: those counted are announced ones."""
    return fact.counts.finding + fact.counts.asset + fact.counts.log


def exit_of(tally: Tally) -> ExitCode:
    """The exit code of a run that is in the journal."""
    run, end = tally.run, tally.end
    stopped = end is None or end.cause == "signal"
    return exit_code(tally, run.fail_on if run else "none", interrupted=stopped)


def _fold(tally: Tally, fact: reader.Known | None) -> None:
    match fact:
        case RunStarted() | JobStarted() | JobEnded() | RunEnded():
            tally.apply(fact)
        case reader.FindingEntry():
            tally.finding(fact.job, fact.plugin, fact.target, fact.severity, fact.rule, fact.title)
        case reader.AssetEntry():
            tally.asset(fact.job, fact.plugin, fact.target, fact.kind, fact.value)
        case reader.LogEntry():
            tally.log(fact.job, fact.level, fact.message)
        case reader.ArtifactEntry():
            tally.artifact(fact.job, fact.plugin, fact.path)
        case None:
            pass  # of a type that begins `x-`: kept, not counted


def run_folders(root: Path) -> list[Path]:
    """Every run below `root` (NAME/RUN), the newest first."""
    found = [path.parent for path in root.glob(f"*/*/{JOURNAL}") if not path.parent.is_symlink()]
    return sorted(found, key=lambda folder: folder.name, reverse=True)


def point_latest(folder: Path) -> None:
    """Make `latest`, beside the run, a link to it, unless it leads to a newer one (this was a resume)."""
    latest = folder.parent / "latest"
    if latest.is_symlink():
        if latest.exists() and latest.resolve().name > folder.name:
            return
    elif latest.exists():
        return  # somebody's own file
    temporary = folder.parent / f".latest.{os.getpid()}"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name)
        temporary.replace(latest)
    except OSError:
        temporary.unlink(missing_ok=True)  # a file system without links: only the convenience is lost
