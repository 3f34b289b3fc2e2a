"""The files of a run beside its journal: the resolved profile, and the summary at the end.

Each is written to a temporary name, synced and renamed, so that a watcher never sees half
a file. The summary is a fold of the journal, the same whenever it is made.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from kastrun.errors import JournalError
from kastrun.facts import JobEnded
from kastrun.history import Learning
from kastrun.model import Profile
from kastrun.profile import dump
from kastrun.record.results import results
from kastrun.report import run_json
from kastrun.report.formats import FORMATS
from kastrun.tally import ExitCode, Tally

JOURNAL = "journal.jsonl"
PROFILE = "profile.toml"
SUMMARY = "run.json"
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def digest(profile: Profile) -> str:
    """``sha256:`` and the digest of the resolved profile's text."""
    return "sha256:" + hashlib.sha256(dump(profile).encode()).hexdigest()


def write_profile(folder: Path, profile: Profile) -> None:
    """`profile.toml`: `kastrun` on it repeats the run."""
    write(folder / PROFILE, [dump(profile).encode()])


def write_summary(folder: Path, tally: Tally, exit_: ExitCode, learning: Learning) -> None:
    """`run.json`, from the tally and the journal's results, which `learning` is shown on the way."""
    write(folder / SUMMARY, run_json.chunks(tally, _shown(results(folder / JOURNAL, tally), learning), exit_))


def _shown(ended: Iterable[JobEnded], learning: Learning) -> Iterator[JobEnded]:
    for result in ended:
        learning.take(result)
        yield result


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
        mend = "make room" if error.errno in _FULL else f"see to it that you may write in {path.parent}"
        raise JournalError(
            f"{path} cannot be written: {error.strerror}",
            hint=f"{mend}, then try again; what a journal holds is safe",
        ) from error
    finally:
        with suppress(OSError):  # where it could not be made there is nothing to remove
            temporary.unlink(missing_ok=True)


def reports(folder: Path) -> list[Path]:
    """The reports that were made of a run, in the order of their formats."""
    return [path for each in FORMATS.values() if (path := folder / each.file).is_file()]


def clear_unfinished(folder: Path) -> None:
    """Remove what a start that was killed while it wrote one of these files left of it."""
    for name in (PROFILE, SUMMARY):
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


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
