"""`kastrun plugins run`: one job of one plugin by hand, told as it happens and explained at its end.

Records and the result go to standard output, the plugin's stderr and the trace to standard error.
How lines are told is `plugins_tell`'s; what a trial is, `kastrun.trial`'s.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import trio

from kastrun import files
from kastrun.cli import common, plugins_tell
from kastrun.errors import ProfileError, UsageError
from kastrun.model import JsonObject, Plugin, Target
from kastrun.protocol import Redactor
from kastrun.protocol.reasons import FAILURES
from kastrun.requires import Readiness, probe_once
from kastrun.terminal.wording import clean
from kastrun.trial import Trial, Tried, complete, read_options, target_for, workshop


def serve(options: argparse.Namespace) -> int:
    """0 where each job ended ok, partial or skipped, 3 where one failed, 130 at Ctrl-C.

    Raises UsageError, and ProfileError for a manifest that is wrong.
    """
    plugin = plugin_in(Path(options.folder))
    given = complete(plugin, read_options(plugin, options.option))
    seconds = seconds_of("--timeout", options.timeout)
    targets = [target_for(plugin, text) for text in options.targets]
    readiness = trio.run(probed, plugin)
    if readiness.missing is not None:
        return tell_missing(plugin, readiness.missing, as_json=options.json)
    trials = [
        Trial(plugin=plugin, target=target, options=given, folders=readiness.folders, total_s=seconds)
        for target in targets
    ]
    redactor = redactor_of(plugin, given)
    try:
        tried, interrupted = trio.run(partial(_run_all, trials, redactor, options))
    except BaseExceptionGroup as group:
        raise common.first_of(group) from group
    if options.json:
        common.print_json({"jobs": [document(each, redactor) for each in tried]})
    if interrupted:
        return 130
    return 3 if any(each.ended.status == "fail" for each in tried) else 0


def redactor_of(plugin: Plugin, options: JsonObject) -> Redactor:
    """Hides secret options; line by line too, as what is told is told by lines."""
    secrets = [str(options[name]) for name in plugin.secret_options if isinstance(options.get(name), str)]
    return Redactor([*secrets, *(line for secret in secrets for line in secret.splitlines())])


def plugin_in(folder: Path) -> Plugin:
    """The plugin of a folder. Raises UsageError, and ProfileError for a manifest that is wrong."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a plugin's folder: it holds plugin.toml")
    plugin, problems = files.read_manifest(folder.resolve())
    if plugin is None:
        raise ProfileError(problems)
    return plugin


def seconds_of(flag: str, text: str | None) -> float | None:
    """A flag's number above 0, None where it was not given. Raises UsageError."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{flag} {text} is no number above 0", hint=f"for example {flag} 30")
    return seconds


async def probed(plugin: Plugin) -> Readiness:
    """Whether the plugin's programs are here."""
    return (await probe_once([plugin]))[plugin.name]


def tell_missing(plugin: Plugin, missing: str, *, as_json: bool) -> int:
    """Nothing runs where a program is absent; a run would say the same of each job."""
    if as_json:
        common.print_json({"jobs": [], "reason": "requires_missing", "missing": missing})
    else:
        told = FAILURES["requires_missing"]
        plugins_tell.say(f"failed: {plugin.name}: requires_missing: {clean(missing)}")
        plugins_tell.say(f"  {told.what}")
        plugins_tell.say("  hint: install it; `kastrun plugins list` says what is missing")
    return 3


async def _run_all(
    trials: Sequence[Trial], redactor: Redactor, options: argparse.Namespace
) -> tuple[list[Tried], bool]:
    """One job after another; Ctrl-C or SIGTERM ends the one that runs as a run would, and begins no more."""
    stop = trio.Event()
    tried: list[Tried] = []
    with workshop() as shop:
        async with trio.open_nursery() as beside:
            await beside.start(listen, stop)
            for trial in trials:
                if stop.is_set():
                    break
                teller = plugins_tell.Teller(redactor, trace=options.trace, quiet=options.json)
                tried.append(await shop.run(trial, stop=stop, hear=teller.hear, sent=teller.sent))
                teller.end()
                if not options.json:
                    tell_end(tried[-1])
            beside.cancel_scope.cancel()
    return tried, stop.is_set()


async def listen(stop: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Ctrl-C and SIGTERM set `stop`."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()


def tell_end(tried: Tried) -> None:
    """The end of a job, explained."""
    for line in plugins_tell.ending(tried):
        plugins_tell.say(line)
    sys.stdout.flush()


def document(tried: Tried, redactor: Redactor) -> JsonObject:
    """A job for `--json`."""
    target: Target = tried.trial.target
    return {
        "target": target.value,
        "job": redactor.data(tried.line).decode(errors="replace").rstrip("\n"),
        "records": tried.records,
        "result": msgspec.to_builtins(tried.ended),
        "stderr": tried.stderr,
        "survivors": [redactor.text(each) for each in tried.survivors],
    }
