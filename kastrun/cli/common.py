"""What several verbs share: the profile of a command line, where runs are, how to end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from kastrun import discover, intent, problems, settings
from kastrun.cli import failure
from kastrun.errors import JournalError, UsageError
from kastrun.profile import Merged, Overrides, from_flags


def load(options: argparse.Namespace) -> intent.Intent:
    """The intent that a command line means; its warnings are printed. Raises ProfileError, UsageError."""
    chosen = settings.load()
    loaded = intent.load(
        _source(options),
        _overrides(options),
        settings_dirs=chosen.plugin_dirs,
        max_workers=chosen.max_workers,
    )
    if loaded.warnings and not getattr(options, "quiet", False):
        sys.stderr.write(problems.render(loaded.warnings, colour=colour(options)))
    return loaded


def with_history(loaded: intent.Intent) -> intent.Intent:
    """The same with what earlier runs of the profile took; a file that cannot be read is only said."""
    from kastrun import record

    try:
        return replace(loaded, history=record.read_history(runs_dir() / loaded.profile.name))
    except JournalError as error:
        sys.stderr.write(f"warning: {error.message}\nhint: {error.hint}\n")
        return loaded


def _source(options: argparse.Namespace) -> str | Merged:
    if options.profile is not None:
        if options.parallel:
            raise UsageError("-p goes without a profile", hint="a profile says it itself: max_workers = 5")
        profile: str = options.profile
        return profile
    if not options.targets:
        raise UsageError(
            "nothing to scan: there is neither a profile nor a target",
            hint="kastrun scan.toml, or kastrun -t HOST; `kastrun demo` shows a first scan",
        )
    return from_flags(
        options.targets,
        options.mode,
        options.parallel,
        options.max_workers,
        folder=str(Path.cwd()),
        home=str(Path.home()),
    )


def _overrides(options: argparse.Namespace) -> Overrides:
    without_file = options.profile is None
    return Overrides(
        sets=options.sets,
        mode=None if without_file else options.mode,
        max_workers=None if without_file else options.max_workers,
        fail_on=options.fail_on,
        targets=[] if without_file else options.targets,
        exclude=options.exclude,
        only=_names(options.only),
        skip=_names(options.skip),
        tags=_names(options.tags),
    )


def _names(given: list[str]) -> list[str]:
    return [name.strip() for each in given for name in each.split(",") if name.strip()]


def colour_said(options: argparse.Namespace) -> bool | None:
    """What the user said of colour, by flag or setting; None where it is left to the terminal."""
    if options.no_color:
        return False
    return {"always": True, "never": False, "auto": None}[settings.load().color]


def colour(options: argparse.Namespace) -> bool:
    """Whether errors and progress are coloured: the flag, the setting, then NO_COLOR and the terminal."""
    said = colour_said(options)
    return failure.colour(sys.stderr) if said is None else said


def runs_dir() -> Path:
    """The folder that holds the runs, by the settings."""
    return Path(settings.load().runs_dir)


def run_folder(text: str) -> Path:
    """The folder of a run: a path, or a profile's name for its latest run. Raises UsageError."""
    # Not by the link `latest`, which a run gets at its end: a killed one has none.
    try:
        named = sorted((runs_dir() / text).glob("[0-9]*/journal.jsonl"), reverse=True)
        for path in (Path(text), *(journal.parent for journal in named[:1]), runs_dir() / text):
            if (path / "journal.jsonl").is_file():
                return path.resolve()
    except OSError as error:
        raise UsageError(
            f"{text} cannot be looked into: {error.strerror}", hint="a run can be read by who started it"
        ) from error
    raise UsageError(
        f"{text} is no run: there is no journal.jsonl in it",
        hint="`kastrun runs` lists the runs that there are",
    )


def catalogue(dirs: Sequence[str]) -> discover.Catalogue:
    """The plugins of folders that flags name, then those that a run finds. Raises UsageError."""
    for folder in dirs:
        if not os.path.isdir(folder):  # Path.is_dir raises EACCES
            raise UsageError(f"there is no folder {folder}", hint="--dir names a folder of plugins' folders")
    return discover.find(dirs, settings.load().plugin_dirs)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    import json

    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def first_of(error: BaseException) -> BaseException:
    """The first leaf of a nursery's group, the user's Ctrl-C before all others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    interrupted, _ = error.split(KeyboardInterrupt)
    return first_of((interrupted or error).exceptions[0])


def shown(folder: Path) -> str:
    """As short as the user would type it."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
