"""`kastrun runs`: the runs that there are, the newest first."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kastrun import record
from kastrun.cli import common
from kastrun.errors import KastError
from kastrun.journal.writer import held
from kastrun.model import JsonObject
from kastrun.tally import coverage
from kastrun.terminal import print_runs
from kastrun.terminal.wording import clean


def serve(options: argparse.Namespace) -> int:
    """A row a run, or a JSON array with `--json`."""
    folders = record.run_folders(common.runs_dir())
    rows = [_row(folder) for folder in folders if options.name in {None, folder.parent.name}]
    if options.json:
        common.print_json(rows)
    elif rows:
        print_runs(sys.stdout, os.environ, rows, color=common.colour_said(options))
    else:
        whose = f" of {clean(options.name)}" if options.name else ""
        sys.stderr.write(f"there are no runs{whose} in {common.runs_dir()}\n")
    return 0


def _row(folder: Path) -> JsonObject:
    """One run, folded from its journal: `run.json` may be missing where it was killed."""
    row: JsonObject = {"name": folder.parent.name, "run": folder.name, "folder": str(folder)}
    journal = folder / record.JOURNAL
    try:
        running = held(journal)
        if running and not journal.stat().st_size:
            return row | {"status": "starting"}
        replayed = record.replay(journal)
    except KastError as error:
        return row | {"status": "unreadable", "error": error.message}
    tally = replayed.tally
    status = "running" if running else tally.end.status if tally.end else "killed"
    return row | {
        "status": status,
        "started_at": tally.run.started_at if tally.run else None,
        "duration_s": round(tally.duration_s(), 1),
        "coverage": coverage(tally).sentence(),
        "findings": tally.severities(),
        "accepted": tally.severities(accepted=True),
        "exit_code": None if running else record.exit_of(tally).code,
        "damaged": any(not each.torn for each in replayed.damage),
    }
