"""`kastrun scan.toml`: run a profile. Progress goes to stderr, the summary to stdout."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kastrun import record, scan, workspace
from kastrun.cli import common, failure, notice, plan, report
from kastrun.errors import UsageError
from kastrun.history import Learning
from kastrun.intent import Intent
from kastrun.journal import Journal
from kastrun.model import Profile
from kastrun.profile.durations import seconds
from kastrun.terminal import Screen, open_screen, print_summary
from kastrun.terminal.hand import Hand, open_hand

MAX_AGE = "24h"
"""How old a result may be that `--since` uses again."""


def serve(options: argparse.Namespace) -> int:
    """Run it; the exit code of run.md's table."""
    since = _since(options)
    if options.dry_run:
        if since is not None:
            raise UsageError("--since goes with a run, not with a plan", hint="leave one of the two out")
        return plan.serve(options)
    intent = common.with_history(common.load(options))
    if since is not None:
        scan.check_same_http(since, intent)
    return into(intent, make_folder(options, intent.profile.name), options, since)


def _since(options: argparse.Namespace) -> scan.Since | None:
    """What `--since` and `--max-age` mean. Raises UsageError."""
    if options.since is None:
        if options.max_age is not None:
            raise UsageError("--max-age goes with --since", hint="name the run whose results are used again")
        return None
    try:
        age = seconds(options.max_age or MAX_AGE)
    except ValueError as error:
        raise UsageError(f"--max-age {options.max_age}: {error}") from error
    return scan.Since(journal=common.run_folder(options.since) / record.JOURNAL, max_age_s=age)


def into(intent: Intent, folder: Path, options: argparse.Namespace, since: scan.Since | None = None) -> int:
    """Run an intent into a new folder, show how it goes and how it went."""
    import trio

    with Journal(folder / record.JOURNAL) as journal:  # from here on the folder is this process's alone
        try:
            intent = intent.keep_stdin(folder)
            record.write_profile(folder, intent.profile)
            notice.warn(intent.profile.notify)
            screen, hand = view(options)
            going = partial(scan.run, intent, journal, screen, sys.argv[1:], since=since, hand=hand)
            return finish(trio.run(going), options, intent.profile)
        finally:
            _tidy(folder, journal)


def view(options: argparse.Namespace) -> tuple[Screen, Hand | None]:
    """What shows the run on stderr while it goes on, and the keys that are heard then."""
    quiet = options.quiet or options.json
    hand = None if quiet else open_hand(sys.stdin, sys.stderr, os.environ)
    screen = open_screen(
        sys.stderr,
        os.environ,
        quiet=quiet,
        verbose=options.verbose,
        color=common.colour_said(options) is not False,
        choice=hand.choice if hand else None,
    )
    return screen, hand


def finish(ended: scan.Ended, options: argparse.Namespace, profile: Profile) -> int:
    """Write `run.json` and the reports, move `latest` among runs, print the summary, give notice."""
    if ended.exit.code != 5:  # the disk that refused the journal would refuse this too
        learning = Learning()
        record.write_summary(ended.folder, ended.tally, ended.exit, learning)
        if ended.folder.parent.parent == common.runs_dir().resolve():  # beside --output it is not ours
            record.point_latest(ended.folder)
            record.write_history(ended.folder.parent, learning.history(ended.history))
        if profile.formats:
            report.write(ended.folder, profile.formats)
    try:
        _show(ended, options)
        sys.stdout.flush()
    except OSError as error:
        failure.output_lost(error)  # the run is what it is, whoever reads of it
    notice.give(ended, profile.notify)
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
            folder=common.shown(ended.folder),
            reports=[common.shown(path) for path in record.reports(ended.folder)],
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
