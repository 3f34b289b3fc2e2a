"""`kastrun check`: is this profile good? Nothing is started."""

from __future__ import annotations

import argparse
import sys

from kastrun import problems
from kastrun.cli import common
from kastrun.terminal.wording import counted


def serve(options: argparse.Namespace) -> int:
    """0 where the profile is good (warnings go to stderr); ProfileError otherwise."""
    options.quiet = options.json
    intent = common.load(options)
    profile = intent.profile
    if options.json:
        common.print_json({"problems": problems.to_json(intent.warnings), "exit_code": 0})
        return 0
    plugins = intent.plugins()
    lists = f" and {counted(len(profile.targets_from), 'target list')}" if profile.targets_from else ""
    sys.stdout.write(
        f"{options.profile or 'the command line'} is good:"
        f" {counted(len(profile.targets), 'target')}{lists}, {counted(len(plugins), 'plugin')}"
        f" ({', '.join(sorted(plugins))}), mode {profile.mode}\n"
    )
    return 0
