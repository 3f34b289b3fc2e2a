"""The folders of a run and of its jobs: made, harvested, removed.

Floor 3. A job works in an empty folder of its own; what it hands over is looked at with
suspicion (regular files only, no link, no surprise in a name), hashed, and moved into the
run folder. Nothing here starts a process or knows what a finding is.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kastrun.errors import UsageError

MAX_ARTIFACT = 64 << 20
MAX_ARTIFACTS = 256 << 20
DEEPEST = 32
"""Folders in one another below `artifacts`."""

_BLOCK = 1 << 18
_ARTIFACTS = "artifacts"
_INPUTS = "inputs.jsonl"


class BadArtifact(Exception):
    """Something below `artifacts` that no plugin may hand over; the text says what and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvested:
    """A file that a job handed over: its path below the run's `artifacts/JOB`, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job's own folder: `home` (working directory, HOME and TMPDIR), and what is in it from the start."""

    home: str
    artifacts: str
    inputs: str


def make_run_folder(path: Path) -> Path:
    """Make the run folder, mode 0700, or take an empty one. Raises UsageError where it cannot be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()):
            going_on = (path / "journal.jsonl").is_file() and (path / "profile.toml").is_file()
            raise UsageError(
                f"the output folder {path} exists and is not empty",
                hint="name another with --output"
                + (f"; it is a run, and `kastrun resume {path}` goes on with it" if going_on else ""),
            )
        path.chmod(0o700)
        (path / "work").mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(
            f"cannot make the run folder {path}: {error.strerror}",
            hint="name a folder that you may write with --output, or set runs_dir in the settings",
        ) from error
    return path.resolve()


def clear_work(run_folder: Path) -> None:
    """Remove what jobs left in `work`, if a crash or a job that could not be cleared left anything."""
    for work in (run_folder / "work", *run_folder.glob(".work-*")):
        with suppress(OSError):  # what cannot be removed harms no result, and the run is over
            if os.path.lexists(work):
                _raze(str(work))


def reopen_run_folder(path: Path) -> Path:
    """The folder of an earlier start, without what its jobs left in `work`. Raises UsageError."""
    work = path / "work"
    try:
        if os.path.lexists(work):  # out of the way first: a job that outlived a kill may still write there
            work.rename(path / f".work-{secrets.token_hex(4)}")
        clear_work(path)
        work.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(
            f"cannot write to the run folder {path}: {error.strerror}", hint="is it yours, and is there room?"
        ) from error
    return path.resolve()


def make_place(run_folder: str, job_id: str) -> Place:
    """The empty folder of one job. Raises OSError (full disk, say)."""
    place = _place(run_folder, job_id)
    os.mkdir(place.home, 0o700)
    os.mkdir(place.artifacts, 0o700)
    os.close(os.open(place.inputs, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    return place


def _place(run_folder: str, job_id: str) -> Place:
    # The run folder's own `work` (run.md), no path of a machine.
    home = f"{run_folder}/work/{job_id}"
    return Place(home=home, artifacts=f"{home}/{_ARTIFACTS}", inputs=f"{home}/{_INPUTS}")


def clear_place(place: Place) -> None:
    """Remove a job's folder, whatever its owner made of it (nothing, a link, folders without rights).

    That may take long: 4,000 folders in one another were measured at 11 s on a busy disk.
    """
    try:
        os.unlink(place.inputs)
        os.rmdir(place.artifacts)
        os.rmdir(place.home)  # the common case: nothing else was left
    except OSError:
        if os.path.lexists(place.home):
            _raze(place.home)


class Places:
    """Folders for one job after another: one that was left as it was given is the next job's.

    Most jobs write nothing into theirs, and a rename costs a tenth of making and removing
    three entries. Whatever looks used in any way is removed instead.
    """

    def __init__(self) -> None:
        self._spare: list[Place] = []
        self._untouched: set[str] = set()

    def take(self, run_folder: str, job_id: str) -> Place:
        """An empty folder in the name of the job. Raises OSError as `make_place` does."""
        if not self._spare:
            return make_place(run_folder, job_id)
        place = _place(run_folder, job_id)
        os.rename(self._spare.pop().home, place.home)
        return place

    def sees_untouched(self, place: Place) -> bool:
        """Whether a job, of which nothing lives any more, left its folder as it was given."""
        if _is_untouched(place):
            self._untouched.add(place.home)
        return place.home in self._untouched

    def keep(self, place: Place) -> bool:
        """The job is over: whether its folder was seen to be untouched, and is kept for the next one."""
        if place.home not in self._untouched:
            return False
        self._untouched.remove(place.home)
        self._spare.append(place)
        return True

    def clear(self) -> None:
        """Remove what was kept."""
        while self._spare:
            clear_place(self._spare.pop())


def _is_untouched(place: Place) -> bool:
    """Whether a job's folder is as `make_place` made it: the same two empty things, the same rights."""
    try:
        inputs = os.lstat(place.inputs)
        return (
            os.lstat(place.home).st_mode == os.lstat(place.artifacts).st_mode == stat.S_IFDIR | 0o700
            and (inputs.st_mode, inputs.st_size, inputs.st_nlink) == (stat.S_IFREG | 0o600, 0, 1)
            and len(os.listdir(place.home)) == 2
            and not os.listdir(place.artifacts)
        )
    except OSError:
        return False


def has_artifacts(place: Place) -> bool:
    """Whether there is anything to harvest, or to object to: one look, no walk."""
    try:
        if not stat.S_ISDIR(os.lstat(place.artifacts).st_mode):
            return True
        with os.scandir(place.artifacts) as entries:
            return any(True for _ in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return True


def harvest(place: Place, run_folder: str, job_id: str) -> list[Harvested]:
    """Check, hash and move what the job handed over. Raises BadArtifact, or OSError of the disk.

    Call it when no process of the job lives any more. All or nothing: one bad entry and
    none is taken.
    """
    mode = os.lstat(place.artifacts).st_mode
    if not stat.S_ISDIR(mode):
        raise BadArtifact(f"the folder `artifacts` was replaced by {_kind(mode)}")
    found = sorted(_files(place.artifacts))
    total = sum(size for _, size in found)
    if total > MAX_ARTIFACTS:
        raise BadArtifact(f"{total:,} bytes of artifacts, {_mebibytes(MAX_ARTIFACTS)} are allowed a job")
    harvested = [
        Harvested(path=path, size=size, sha256=_digest(place.artifacts, path, size)) for path, size in found
    ]
    if harvested:
        target = f"{run_folder}/artifacts/{job_id}"
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # of an attempt before this one
        os.rename(place.artifacts, target)
    return harvested


def _files(root: str) -> list[tuple[str, int]]:
    """Paths below `root` with their sizes. No recursion: how deep it goes is the plugin's choice."""
    found: list[tuple[str, int]] = []
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(os.path.join(root, below)) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                _refuse_name(path, entry.name)
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    _refuse_depth(path)
                    pending.append(path)
                else:
                    _refuse_kind(path, status)
                    found.append((path, status.st_size))
    return found


def _refuse_depth(path: str) -> None:
    if path.count("/") >= DEEPEST:
        raise BadArtifact(f"the artifacts are in folders more than {DEEPEST} deep")


def _refuse_name(path: str, name: str) -> None:
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise BadArtifact(f"the artifact name {path!a} has control characters")


def _refuse_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadArtifact(f"the artifact {path!r} is {_kind(status.st_mode)}, only regular files are taken")
    if status.st_nlink != 1:
        raise BadArtifact(f"the artifact {path!r} has another hard link")
    if status.st_size > MAX_ARTIFACT:
        raise BadArtifact(
            f"the artifact {path!r} has {status.st_size:,} bytes, {_mebibytes(MAX_ARTIFACT)} are allowed"
        )


def _mebibytes(size: int) -> str:
    return f"{size:,} ({size >> 20} MiB)"


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISFIFO(mode):
        return "a fifo"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a file" if stat.S_ISREG(mode) else "a device"


def _digest(root: str, path: str, size: int) -> str:
    """Of as many bytes as were judged. Nothing of the job lives, but somebody else may hold the file open."""
    digest, left = hashlib.sha256(), size
    with open(os.open(f"{root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        while block := file.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise BadArtifact(f"the artifact {path!r} grew while it was read")
            digest.update(block)
    return digest.hexdigest()


def _raze(home: str) -> None:
    """Remove a folder whatever is in it and however deep: folders are first moved up into it.

    So no path grows long and nothing recurses; `rmtree` fails on some thousand levels.
    """
    if not stat.S_ISDIR(os.lstat(home).st_mode):
        os.unlink(home)  # put there in its place: what it points to is not ours
        return
    nobody_has = secrets.token_hex(8)
    pending, number = [home], 0
    while pending:
        doomed = pending.pop()
        os.chmod(doomed, 0o700)  # its owner may have taken its own rights away
        with os.scandir(doomed) as entries:
            inside = list(entries)
        for entry in inside:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            number += 1
            os.chmod(entry.path, 0o700)
            os.rename(entry.path, f"{home}/{nobody_has}{number}")
            pending.append(f"{home}/{nobody_has}{number}")
        if doomed != home:
            os.rmdir(doomed)
    os.rmdir(home)
