"""`durations.json`, beside the runs of a profile: what they took, for the order of the next one.

A file of its own, of some kilobytes, since a `run.json` of a million jobs would take longer
to read than the order is worth. It decides nothing but order: without it a run is the same.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kastrun.errors import JournalError
from kastrun.history import History
from kastrun.record.files import write

NAME = "durations.json"


def read_history(folder: Path) -> History:
    """What is known of the runs in `folder`; nothing where there is no such file. Raises JournalError."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=History)
    except FileNotFoundError:
        return History()
    except (OSError, msgspec.DecodeError) as error:
        raise JournalError(
            f"{path} cannot be read: {error}", hint="remove it: it only helps to order the jobs"
        ) from error


def write_history(folder: Path, history: History) -> None:
    """Keep it for the next run. Raises JournalError."""
    write(folder / NAME, [msgspec.json.format(msgspec.json.encode(history), indent=1), b"\n"])
