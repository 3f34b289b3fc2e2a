"""How a job ended, decided from what was seen: the closed list of protocol section 5.

Pure. The first cause wins: what kastrun did (a timeout, a breach) before what the process
did, since an exit by SIGTERM after a timeout is the timeout's.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import NamedTuple

from kastrun.model import Status
from kastrun.process import Exit
from kastrun.protocol import Breach
from kastrun.protocol.messages import Done


class Cause(NamedTuple):
    """What ended a job: a reason, a sentence about this very case, and perhaps a hint of its own."""

    reason: str
    message: str
    hint: str | None = None
    line: str | None = None
    line_number: int | None = None


class Outcome(NamedTuple):
    """Status for the result, and the cause (None with ok; plugin_skipped or partial have one)."""

    status: Status
    cause: Cause | None


def of_breach(breach: Breach) -> Cause:
    """A breach of the protocol, as a cause."""
    return Cause(breach.reason, breach.message, breach.hint, breach.line, breach.line_number)


def decide(
    first: Cause | None, exit_: Exit | None, done: Done | None, breach: Breach | None, records: int
) -> Outcome:
    """The outcome of a job whose process is gone.

    `first` is what kastrun ended it for; `breach` what the protocol found only at the end
    of the output.
    """
    if first is not None:
        return Outcome("cancelled" if first.reason == "cancelled" else "fail", first)
    if done is not None and done.status == "error":
        return Outcome("fail", _said_error(done))
    if (cause := _of_exit(exit_)) is not None:
        return Outcome("fail", cause)
    if breach is not None:
        return Outcome("fail", of_breach(breach))
    if done is None:
        said = f"it exited 0 after {records} record{'' if records == 1 else 's'}, but never said done"
        return Outcome("fail", Cause("no_done", said))
    return _said(done)


def of_each(outcome: Outcome, done: Done | None, targets: Sequence[str]) -> list[Outcome]:
    """The outcomes of the jobs that shared a process, by their targets.

    All have the process's; but where `done` names those that were not done, the others are ok.
    """
    if outcome.status != "partial" or done is None or not done.failed_targets:
        return [outcome] * len(targets)
    undone = set(done.failed_targets)
    return [outcome if target in undone else Outcome("ok", None) for target in targets]


def _of_exit(exit_: Exit | None) -> Cause | None:
    if exit_ is None:
        return Cause("host_error", "its process could not be killed")
    if exit_.signal is not None:
        return Cause("signal", f"it was ended by {signal_name(exit_.signal)}, which kastrun did not send")
    if exit_.code:
        return Cause("exit_nonzero", f"it exited with code {exit_.code}")
    return None


def _said_error(done: Done) -> Cause:
    error = done.error
    if not error:
        raise AssertionError("the codec lets no `done` error pass without `error`")
    return Cause(f"plugin_{error.kind}", error.message)


def _said(done: Done) -> Outcome:
    message = done.message or ""
    if done.status == "skipped":
        return Outcome("skipped", Cause("plugin_skipped", message or "the plugin skipped this target"))
    if done.status == "partial":
        return Outcome("partial", None)
    return Outcome("ok", None)


def signal_name(number: int) -> str:
    """``SIGSEGV``, or ``signal 64``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
