"""Notice of the end of a run, as its profile wants it: after the summary, with no say in the exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from kastrun import notify, record, scan
from kastrun.errors import UsageError
from kastrun.intent import read_secret
from kastrun.model import Notify, SecretRef
from kastrun.report import run_json
from kastrun.terminal.wording import clean


def warn(told: Notify) -> None:
    """At the beginning: what would keep the end from being told."""
    if (lacking := notify.lacking(told)) is not None:
        sys.stderr.write(f"warning: {lacking}\n")


def give(ended: scan.Ended, told: Notify) -> None:
    """Tell whoever is to be told; what went wrong is said."""
    failures: list[str | None] = []
    if told.command and ended.exit.code == 5:
        failures.append(f"{told.command[0]} was not started: there is no run.json, since the disk refused it")
    elif told.command:
        failures.append(notify.command_fails(told, ended.folder / record.SUMMARY, os.environ))
    if told.webhook is not None:
        body = b"".join(run_json.chunks(ended.tally, (), ended.exit))
        failures.append(_post(told.webhook, body, told.timeout_s))
    for failed in filter(None, failures):
        with suppress(OSError):  # nobody reads it
            sys.stderr.write(f"warning: no notice was given: {clean(failed, 700)}\n")


def _post(webhook: str | SecretRef, body: bytes, timeout_s: float) -> str | None:
    try:
        url = webhook if isinstance(webhook, str) else read_secret(webhook)
    except UsageError as error:
        return error.message
    return notify.webhook_fails(url, body, timeout_s=timeout_s)
