"""`kastrun settings`: each setting, its value, and where that came from."""

from __future__ import annotations

import argparse
import sys

from kastrun import problems, settings
from kastrun.cli import common


def serve(options: argparse.Namespace) -> int:
    """A line a setting; variables that look like settings and are none are warned about."""
    rows = settings.provenance(settings.load())
    warnings = settings.unknown_variables()
    if warnings:
        sys.stderr.write(problems.render(warnings, colour=common.colour(options)))
    if options.json:
        common.print_json({row.name: {"value": row.value, "origin": row.origin} for row in rows})
        return 0
    for row in rows:
        sys.stdout.write(f"{row.name} = {row.value!r}  ({row.origin})\n    {row.purpose}\n")
    sys.stdout.write(f"\nfile: {settings.config_file()}\n")
    return 0
