"""`kastrun plugins record` and `replay`: one exchange with a plugin, kept as files, and told again.

Told as `plugins run` tells it. What a recording is, is `kastrun.trial`'s; a plugin's examples
are recordings with a site of their own, which `record` without a target makes anew.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import trio

from kastrun.cli import common, plugins_run, plugins_tell
from kastrun.errors import UsageError
from kastrun.kit import examples
from kastrun.model import JsonObject, Plugin, Target
from kastrun.protocol import Redactor
from kastrun.terminal.wording import clean
from kastrun.trial import (
    Case,
    Chunk,
    Exchange,
    Trial,
    Tried,
    complete,
    keep,
    keep_artifacts,
    projector,
    read_exchange,
    read_options,
    target_for,
    trial_of,
    workshop,
)


def serve_record(options: argparse.Namespace) -> int:
    """As `plugins run`; 1 where an example cannot be recorded anew. Raises UsageError, ProfileError."""
    plugin = plugins_run.plugin_in(Path(options.folder))
    readiness = trio.run(plugins_run.probed, plugin)
    if readiness.missing is not None:
        return plugins_run.tell_missing(plugin, readiness.missing, as_json=options.json)
    if options.target is None:
        return _record_examples(plugin, readiness.folders, options)
    given = complete(plugin, read_options(plugin, options.option))
    target = target_for(plugin, options.target)
    case = _new_case(plugin, target, options.output)
    trial = Trial(
        plugin=plugin,
        target=target,
        options=given,
        folders=readiness.folders,
        total_s=plugins_run.seconds_of("--timeout", options.timeout),
    )
    redactor = plugins_run.redactor_of(plugin, given)
    try:
        return trio.run(partial(_record, trial, case, redactor, options))
    except BaseExceptionGroup as group:
        raise common.first_of(group) from group


def _new_case(plugin: Plugin, target: Target, output: str | None) -> Case:
    """Where it goes: nothing is written over. Raises UsageError."""
    name = re.sub(r"[^a-z0-9.]+", "-", target.value.lower()).strip("-.")[:80] or "target"
    if output and not Path(output).name:
        raise UsageError(f"{output} names a folder", hint="--output is the beginning of file names: DIR/NAME")
    case = Case.at(Path(output) if output else Path(plugin.folder) / "examples" / name)
    taken = [path for path in (case.job, case.out, case.end, case.beside(".artifacts")) if path.exists()]
    if taken:
        raise UsageError(f"{taken[0]} is there already", hint="remove it, or name another with --output")
    try:  # before anything runs: a job may take hours
        case.job.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=case.job.parent):
            return case
    except OSError as error:
        raise _unwritable(case, error) from error


def _unwritable(case: Case, error: OSError) -> UsageError:
    return UsageError(
        f"the recording cannot be written to {case.job.parent}: {error.strerror}",
        hint="name another place with --output",
    )


async def _record(trial: Trial, case: Case, redactor: Redactor, options: argparse.Namespace) -> int:
    stop = trio.Event()
    teller = plugins_tell.Teller(redactor, trace=options.trace, quiet=options.json)
    lost: list[str] = []
    with workshop() as shop, tempfile.TemporaryDirectory(prefix="kastrun-record-") as scratch:
        draft = Case.at(Path(scratch) / case.name)

        def closing(artifacts: str) -> None:
            lost.extend(keep_artifacts(artifacts, draft, redactor))

        async with trio.open_nursery() as beside:
            await beside.start(plugins_run.listen, stop)
            tried = await shop.run(trial, stop=stop, hear=teller.hear, sent=teller.sent, closing=closing)
            beside.cancel_scope.cancel()
        teller.end()
        if tried.exit is not None and not tried.stopped:
            keep(tried, draft, redactor)
            _move(draft, case)
    return _tell_recorded(tried, case, lost, redactor, as_json=options.json)


def _move(draft: Case, case: Case) -> None:
    """Put a whole recording in its place. Raises UsageError."""
    try:
        for path in sorted(draft.job.parent.iterdir()):
            shutil.move(path, case.job.parent)
    except OSError as error:
        raise _unwritable(case, error) from error


def _tell_recorded(tried: Tried, case: Case, lost: list[str], redactor: Redactor, *, as_json: bool) -> int:
    kept = case.job.is_file()
    if as_json:
        job = plugins_run.document(tried, redactor)
        common.print_json({"jobs": [job], "recording": str(case.job) if kept else None, "left_out": lost})
    else:
        plugins_run.tell_end(tried)
        said = f"recorded: {case.job.parent / case.name}" if kept else "nothing was recorded"
        plugins_tell.say(f"\n{said}")
    sys.stderr.write("".join(f"warning: {clean(each)}\n" for each in lost if not as_json))
    if tried.stopped:
        return 130
    return 3 if tried.ended.status == "fail" else 0


def _record_examples(plugin: Plugin, folders: tuple[str, ...], options: argparse.Namespace) -> int:
    """Run each example of the folder against its own servers again, and write down what it prints now."""
    found = [case for case in examples.cases(Path(plugin.folder)) if case.site.is_file()]
    if not found:
        raise UsageError(
            f"{plugin.name} has no example with servers of its own, and no target was named",
            hint=f"kastrun plugins record {options.folder} TARGET",
        )
    told: list[JsonObject] = trio.run(_examples_again, found, plugin, folders)
    if options.json:
        common.print_json({"examples": told})
    else:
        for each in told:
            plugins_tell.say(f"{each['example']}: {each['outcome']}")
    return 1 if any(each["failed"] for each in told) else 0


async def _examples_again(found: list[Case], plugin: Plugin, folders: tuple[str, ...]) -> list[JsonObject]:
    told: list[JsonObject] = []
    with workshop() as shop:
        for case in found:
            try:
                said = await examples.record_again(case, plugin, shop, folders)
            except (OSError, ValueError, KeyError, TypeError) as error:
                told.append({"example": case.name, "outcome": f"failed: {error}", "failed": True})
            else:
                told.append({"example": case.name, "outcome": said, "failed": False})
    return told


def serve_replay(options: argparse.Namespace) -> int:
    """As `plugins run`. Raises UsageError where a recording cannot be read."""
    speed = plugins_run.seconds_of("--speed", options.speed)
    exchanges = [read_exchange(case) for text in options.recordings for case in _cases(Path(text))]
    trials = [trial_of(exchange) for exchange in exchanges]
    tried: list[Tried] = []
    for exchange, trial in zip(exchanges, trials, strict=True):
        try:
            once = trio.run(partial(_replay, exchange, trial, speed, options))
        except BaseExceptionGroup as group:
            raise common.first_of(group) from group
        if once is None:
            return 130
        tried.append(once)
    if options.json:
        common.print_json({"jobs": [plugins_run.document(each, Redactor()) for each in tried]})
    return 3 if any(each.ended.status == "fail" for each in tried) else 0


def _cases(path: Path) -> list[Case]:
    """Those of a plugin's folder, or the one that is named. Raises UsageError."""
    if not path.is_dir():
        return [Case.at(path)]
    found = examples.cases(path) or [Case(each) for each in sorted(path.glob("*.job.json"))]
    if not found:
        raise UsageError(f"there is no recording in {path}", hint="a recording is CASE.job.json and the like")
    return found


async def _replay(
    exchange: Exchange, trial: Trial, speed: float | None, options: argparse.Namespace
) -> Tried | None:
    """None where it was interrupted: what is left then goes by at once, untold."""
    stop = trio.Event()
    teller = plugins_tell.Teller(Redactor(), trace=options.trace, quiet=options.json)

    def hear(chunk: Chunk) -> None:
        if not stop.is_set():
            teller.hear(chunk)

    async with trio.open_nursery() as beside:
        await beside.start(plugins_run.listen, stop)
        with projector(exchange, speed, stop) as shop:
            tried = await shop.run(trial, hear=hear, sent=teller.sent)
        beside.cancel_scope.cancel()
    if stop.is_set():
        return None
    teller.end()
    if not options.json:
        plugins_run.tell_end(tried)
    return tried
