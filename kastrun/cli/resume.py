"""`kastrun resume RUN`: run what a stopped or killed run had not finished, in the same folder."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from kastrun import intent, record, scan, settings, workspace
from kastrun.cli import common, notice, run
from kastrun.errors import UsageError
from kastrun.journal import Journal
from kastrun.profile import Overrides


def serve(options: argparse.Namespace) -> int:
    """Finished jobs are never run again; the exit code is that of the whole run."""
    import trio

    folder = common.run_folder(options.run)
    profile = folder / record.PROFILE
    if not profile.is_file():
        raise UsageError(
            f"{folder} has no {record.PROFILE}, so nobody knows what was planned",
            hint="start the scan anew; `kastrun show` tells what its journal has",
        )
    with Journal(folder / record.JOURNAL) as journal:  # whoever comes second is told who holds it
        chosen = settings.load()
        loaded = common.with_history(
            intent.load(
                str(profile), Overrides(), settings_dirs=chosen.plugin_dirs, max_workers=chosen.max_workers
            )
        )
        record.clear_unfinished(folder)
        workspace.reopen_run_folder(folder)
        try:
            going_on = scan.Resume(retry_failed=options.retry_failed)
            notice.warn(loaded.profile.notify)
            screen, hand = run.view(options)
            going = partial(scan.run, loaded, journal, screen, sys.argv[1:], resume=going_on, hand=hand)
            ended = trio.run(going)
            return run.finish(ended, options, loaded.profile)
        finally:
            workspace.clear_work(folder)
