"""`kastrun resume RUN`: run what a stopped or killed run had not finished, in the same folder."""

from __future__ import annotations

import argparse
import sys

from kastrun import intent, record, scan, settings, workspace
from kastrun.cli import common, run
from kastrun.errors import UsageError
from kastrun.journal.writer import held
from kastrun.profile import Overrides


def serve(options: argparse.Namespace) -> int:
    """Finished jobs are never run again; the exit code is that of the whole run."""
    import trio

    folder = common.run_folder(options.run)
    profile = folder / record.PROFILE
    if not profile.is_file():
        raise UsageError(f"{folder} has no {record.PROFILE}, so nobody knows what was planned")
    if held(folder / record.JOURNAL):
        raise UsageError(f"the run {folder} is still going on", hint="wait for it, or stop it with Ctrl-C")
    chosen = settings.load()
    loaded = intent.load(
        str(profile), Overrides(), settings_dirs=chosen.plugin_dirs, max_workers=chosen.max_workers
    )
    earlier, damage = record.earlier(folder, retry_failed=options.retry_failed)
    for each in damage:
        if not each.torn:
            sys.stderr.write(f"warning: a line of the journal, at byte {each.offset}, cannot be read\n")
    workspace.reopen_run_folder(folder)
    try:
        ended = trio.run(scan.run, loaded, folder, run.screen(options), sys.argv[1:], earlier)
        return run.finish(ended, options)
    finally:
        workspace.clear_work(folder)
