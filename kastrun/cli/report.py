"""`kastrun report RUN`: any output again, made from the journal; and the outputs at a run's end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from kastrun import record
from kastrun.cli import common
from kastrun.errors import UsageError
from kastrun.record.view import view
from kastrun.report.formats import FORMATS


def serve(options: argparse.Namespace) -> int:
    """Write the formats that were asked for into the run folder, and name them on standard output."""
    folder = common.run_folder(options.run)
    formats = named(options.format) or ["html"]
    if options.output is None:
        for path in write(folder, formats):
            sys.stdout.write(f"{common.shown(path)}\n")
        return 0
    if len(formats) > 1:
        raise UsageError(
            "--output names one file, and several formats are asked for", hint="call it once for each"
        )
    pieces = FORMATS[formats[0]].chunks(view(folder))
    if options.output == "-":
        sys.stdout.buffer.writelines(pieces)
    else:
        _write_to(options.output, pieces)
    return 0


def _write_to(text: str, pieces: Iterable[bytes]) -> None:
    """Into a file that the user named. Raises UsageError where the name is to blame."""
    hint = "name a file in a folder that is there, or - for standard output"
    path = Path(text)
    if os.path.isdir(path) or not os.path.isdir(path.parent):  # Path.is_dir raises EACCES
        what = "is a folder" if os.path.isdir(path) else "cannot be made: its folder is not there"
        raise UsageError(f"{text or '.'} {what}", hint=hint)
    if not path.exists() or path.is_file():
        record.write(path, pieces)
        return
    try:
        with path.open("wb") as file:  # a pipe or a device, which no file may be put in the place of
            file.writelines(pieces)
    except OSError as error:
        raise UsageError(f"{text} cannot be written: {error.strerror}", hint=hint) from error


def named(given: Iterable[str]) -> list[str]:
    """Formats as flags name them: `--format html,csv`. Raises UsageError for one that is not there."""
    found = list(dict.fromkeys(name.strip() for each in given for name in each.split(",") if name.strip()))
    for name in found:
        if name not in FORMATS:
            raise UsageError(f"there is no format {name!r}", hint=f"there are {', '.join(FORMATS)}")
    return found


def write(folder: Path, formats: Iterable[str]) -> list[Path]:
    """Each format's file, written whole into the run folder; their paths."""
    seen = view(folder)
    paths = []
    for name in formats:
        path = folder / FORMATS[name].file
        record.write(path, FORMATS[name].chunks(seen))
        paths.append(path)
    return paths
