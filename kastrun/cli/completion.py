"""`kastrun completion SHELL`: the shell's script, made by shtab from the parser itself."""

from __future__ import annotations

import argparse
import sys

import shtab

from kastrun.cli import parser


def serve(options: argparse.Namespace) -> int:
    """Print it: `kastrun completion bash > ~/.local/share/bash-completion/completions/kastrun`."""
    sys.stdout.write(shtab.complete(parser.build(), shell=options.shell) + "\n")
    return 0
