"""`kastrun scan.toml`: run a profile. Progress goes to stderr, the summary to stdout."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from kastrun import record, scan, workspace
from kastrun.cli import common, failure, plan
from kastrun.intent import Intent
from kastrun.journal import Journal
from kastrun.terminal import Screen, open_screen, print_summary


def serve(options: argparse.Namespace) -> int:
    """Run it; the exit code of run.md's table."""
    if options.dry_run:
        return plan.serve(options)
    intent = common.load(options)
    return into(intent, make_folder(options, intent.profile.name), options)


def into(intent: Intent, folder: Path, options: argparse.Namespace) -> int:
    """Run an intent into a new folder, show how it goes and how it went."""
    import trio

    with Journal(folder / record.JOURNAL) as journal:  # from here on the folder is this process's alone
        try:
            intent = intent.keep_stdin(folder)
            record.write_profile(folder, intent.profile)
            return finish(trio.run(scan.run, intent, journal, screen(options), sys.argv[1:]), options)
        finally:
            _tidy(folder, journal)


def screen(options: argparse.Namespace) -> Screen:
    """What shows the run on stderr while it goes on."""
    return open_screen(
        sys.stderr,
        os.environ,
        quiet=options.quiet or options.json,
        verbose=options.verbose,
        color=common.colour_said(options) is not False,
    )


def finish(ended: scan.Ended, options: argparse.Namespace) -> int:
    """Write `run.json`, move `latest` where runs have their place, print the summary."""
    if ended.exit.code != 5:  # the disk that refused the journal would refuse this too
        record.write_summary(ended.folder, ended.tally, ended.exit)
        if ended.folder.parent.parent == common.runs_dir().resolve():  # beside --output it is not ours
            record.point_latest(ended.folder)
    try:
        _show(ended, options)
        sys.stdout.flush()
    except OSError as error:
        failure.output_lost(error)  # the run is what it is, whoever reads of it
    return ended.exit.code


def _show(ended: scan.Ended, options: argparse.Namespace) -> None:
    if options.json:
        sys.stdout.write((ended.folder / record.SUMMARY).read_text(encoding="utf-8"))
    else:
        print_summary(
            sys.stdout,
            os.environ,
            ended.tally,
            ended.exit,
            folder=shown(ended.folder),
            quiet=options.quiet,
            verbose=options.verbose,
            color=common.colour_said(options),
        )


def make_folder(options: argparse.Namespace, name: str) -> Path:
    """The run folder: `--output`, or a new one below the runs. Raises UsageError."""
    return workspace.make_run_folder(_folder(options, name))


def _folder(options: argparse.Namespace, name: str) -> Path:
    if options.output is not None:
        return Path(options.output)
    parent = common.runs_dir() / name
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = parent / stamp
    number = 2
    while _taken(folder):  # two runs begun in one second
        folder = parent / f"{stamp}-{number}"
        number += 1
    return folder


def _taken(folder: Path) -> bool:
    """Whether another run has this folder; where none has, it is made here, and so is ours alone."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return True
    except OSError:
        return False  # whoever makes it next says what is wrong
    return False


def shown(folder: Path) -> str:
    """As short as the user would type it."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def _tidy(folder: Path, journal: Journal) -> None:
    """Nothing of a run that never began, and no work folder of one that ended."""
    workspace.clear_work(folder)
    if journal.empty:
        for name in (record.JOURNAL, record.PROFILE, "targets-stdin.txt"):
            (folder / name).unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError:
            return  # something that is not ours is in it
