"""`kastrun diff A B`: what is new in run B, gone, not scanned or of another severity, seen from run A."""

from __future__ import annotations

import argparse
import os
import sys

from kastrun.cli import common
from kastrun.errors import UsageError
from kastrun.model import SEVERITIES
from kastrun.record.view import view
from kastrun.report import diff_json
from kastrun.report.comparison import Comparison, verdict
from kastrun.terminal import print_changes
from kastrun.terminal.wording import clean


def serve(options: argparse.Namespace) -> int:
    """1 where something new reached `fail_on` (that of B, or the flag's), 3 where B is incomplete."""
    before, after = (view(common.run_folder(text)) for text in (options.before, options.after))
    if before.run.name != after.run.name:
        sys.stderr.write(
            f"note: runs of two profiles, {clean(before.run.name)} and {clean(after.run.name)}: "
            "what only one of them looks for is new, or not scanned\n"
        )
    fail_on = _gate(options.fail_on) or after.run.fail_on
    comparison = Comparison(before, after)
    if not options.json:
        colour = common.colour_said(options)
        code = print_changes(
            sys.stdout, os.environ, comparison, fail_on, verbose=options.verbose, color=colour
        )
        return code.code
    counts = comparison.counts(fail_on)
    exit_ = verdict(counts, fail_on, after)
    for chunk in diff_json.chunks(comparison, counts, fail_on, exit_):
        sys.stdout.write(chunk.decode())
    return exit_.code


def _gate(given: str | None) -> str | None:
    """What `--fail-on` says. Raises UsageError where that is no severity."""
    if given is None or given in ("none", *SEVERITIES):
        return given
    raise UsageError(
        f"--fail-on {given}: there is no such severity", hint=f"one of none, {', '.join(SEVERITIES)}"
    )
