"""`kastrun show RUN`: the summary of a run, folded anew from its journal."""

from __future__ import annotations

import argparse
import os
import sys

from kastrun import record
from kastrun.cli import common
from kastrun.journal.writer import held
from kastrun.report import run_json
from kastrun.terminal import print_summary


def serve(options: argparse.Namespace) -> int:
    """0, whatever the run's own exit code was: that is in what is shown."""
    folder = common.run_folder(options.run)
    journal = folder / record.JOURNAL
    replayed = record.replay(journal)
    tally, exit_ = replayed.tally, record.exit_of(replayed.tally)
    for each in replayed.damage:
        what = "lines are missing before it" if each.missing else "a line cannot be read"
        what = "its last line is torn, as a crash leaves it" if each.torn else what
        sys.stderr.write(f"warning: {journal}, byte {each.offset}: {what}; it is passed over\n")
    if held(journal):
        sys.stderr.write("note: this run is still going on; what follows is what it has so far\n")
    if options.json:
        for chunk in run_json.chunks(tally, record.results(journal, tally, replayed.lost), exit_):
            sys.stdout.write(chunk.decode())
        return 0
    print_summary(
        sys.stdout,
        os.environ,
        tally,
        exit_,
        folder=options.run,
        reports=[common.shown(path) for path in record.reports(folder)],
        verbose=options.verbose,
        color=common.colour_said(options),
    )
    return 0
