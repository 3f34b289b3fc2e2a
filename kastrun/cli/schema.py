"""`kastrun schema`: the published JSON Schemas; the profile's has every found plugin's options in it."""

from __future__ import annotations

import argparse

from kastrun import resources
from kastrun.cli import common
from kastrun.profile import editor_schema


def serve(options: argparse.Namespace) -> int:
    """Print one schema on standard output."""
    if options.kind == "profile":
        common.print_json(editor_schema(common.catalogue(options.dir).plugins))
    else:
        common.print_json(resources.schema(options.kind))
    return 0
