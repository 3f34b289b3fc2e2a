"""What plugins found, kept for those that consume it: a file a job, below the run's `work`.

Floor 3. Assets go through here as the journal's own lines, on disk, so that a million of
them need no memory. What is consumed is decided by the plan; here are only files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec


class _Kind(msgspec.Struct):
    kind: str


_kind = msgspec.json.Decoder(_Kind)


class Inputs:
    """The kept assets of one run. Raises OSError where the disk will not have them."""

    def __init__(self, run_folder: str) -> None:
        self._folder = Path(run_folder, "work", ".assets")

    def keep(self, job_id: str, lines: Iterable[bytes]) -> None:
        """Keep assets (JSON objects) of a job that others may consume."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._file(job_id).open("ab") as file:
            file.writelines(line + b"\n" for line in lines)

    def forget(self, job_id: str) -> None:
        """The job begins anew: what an attempt before it found is found again, or is not there."""
        self._file(job_id).unlink(missing_ok=True)

    def write(self, path: str, job_ids: Iterable[str], consumes: Collection[str]) -> None:
        """Write to `path` those assets of `job_ids` whose kind is among ``asset:KIND`` of `consumes`."""
        with open(path, "ab") as target:
            for job_id in job_ids:
                if (source := self._file(job_id)).exists():
                    with source.open("rb") as lines:
                        target.writelines(
                            line for line in lines if f"asset:{_kind.decode(line).kind}" in consumes
                        )

    def _file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.jsonl"
