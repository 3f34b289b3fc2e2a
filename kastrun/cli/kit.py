"""`kastrun plugins test`: the conformance kit, as a table or TAP 14."""

from __future__ import annotations

import argparse
import difflib
import sys
from functools import partial
from pathlib import Path

import trio

from kastrun import discover, settings
from kastrun.cli import common, failure
from kastrun.errors import UsageError
from kastrun.kit import CHECKS, Report, examine, tell
from kastrun.model import JsonObject, Plugin
from kastrun.trial import read_options


def serve(options: argparse.Namespace) -> int:
    """0 where no check fails (warnings may be), 1 where one does. Raises UsageError."""
    if options.list:
        sys.stdout.write("".join(f"{check.id:<20}  {check.title}\n" for check in CHECKS))
        return 0
    only = _only(options.only)
    if not options.folders:
        raise UsageError("which plugin?", hint="name its folder: kastrun plugins test DIR")
    folders = [_folder(text) for text in options.folders]
    as_table = not options.tap and not options.json and sys.stdout.isatty()
    reports: list[Report] = []
    for folder in folders:
        report = _run(folder, only, options)
        reports.append(report)
        if as_table:
            coloured = common.colour_said(options)
            coloured = failure.colour(sys.stdout) if coloured is None else coloured
            sys.stdout.write(tell.table(report, colour=coloured))
            sys.stdout.flush()
    if options.json:
        common.print_json(tell.as_json(reports))
    elif not as_table:
        sys.stdout.write(tell.tap(reports))
    return 1 if any(report.failed for report in reports) else 0


def _run(folder: Path, only: list[str], options: argparse.Namespace) -> Report:
    """A report. What a nursery has wrapped (Ctrl-C, a UsageError) is raised as itself."""
    try:
        return trio.run(partial(_examine, folder, only, options))
    except BaseExceptionGroup as group:
        raise common.first_of(group) from group


async def _examine(folder: Path, only: list[str], options: argparse.Namespace) -> Report:
    def given(plugin: Plugin) -> JsonObject:
        return read_options(plugin, options.option)

    def say(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"{folder.name}: {text}\n")

    return await examine(folder, only=only, target=options.target, options=given, tell=say)


def _only(words: list[str]) -> list[str]:
    known = [check.id for check in CHECKS]
    wanted = [name.strip() for word in words for name in word.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "`kastrun plugins test --list` has them all"
            raise UsageError(f"there is no check {name!r}", hint=hint)
    return wanted


def _folder(text: str) -> Path:
    """A folder, or that of a plugin which kastrun finds by this name. Raises UsageError."""
    path = Path(text)
    if path.is_dir() or "/" in text:
        return path
    catalogue = discover.find([], settings.load().plugin_dirs)
    if text in catalogue.plugins:
        return Path(catalogue.plugins[text].folder)
    raise UsageError(
        f"there is no folder {text}, and no plugin of that name", hint="name the plugin's folder"
    )
