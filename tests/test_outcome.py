"""How a job ended, decided: the first cause wins, and every ending has a reason."""

from __future__ import annotations

import signal

import pytest

from kastrun.engine.outcome import Cause, decide, signal_name
from kastrun.process import Exit
from kastrun.protocol import Breach
from kastrun.protocol.messages import Done, ErrorInfo
from kastrun.protocol.reasons import FAILURES, SKIPS

CLEAN = Exit(code=0, signal=None, cpu_s=0, max_rss_mb=None)
THREE = Exit(code=3, signal=None, cpu_s=0, max_rss_mb=None)
KILLED = Exit(code=None, signal=9, cpu_s=0, max_rss_mb=None)
OK = Done(status="ok")
ERROR = Done(status="error", error=ErrorInfo(kind="target", message="it refuses"))
TORN = Breach(reason="truncated_line", message="torn", hint="h", line="{", line_number=3)


@pytest.mark.parametrize(
    ("first", "exit_", "done", "breach", "status", "reason"),
    [
        (None, CLEAN, OK, None, "ok", None),
        (None, CLEAN, Done(status="partial"), None, "partial", None),
        (None, CLEAN, Done(status="skipped"), None, "skipped", "plugin_skipped"),
        (None, CLEAN, None, None, "fail", "no_done"),
        (None, CLEAN, None, TORN, "fail", "truncated_line"),
        (None, CLEAN, OK, TORN, "fail", "truncated_line"),
        (None, CLEAN, ERROR, None, "fail", "plugin_target"),
        (None, THREE, OK, None, "fail", "exit_nonzero"),
        (None, THREE, None, None, "fail", "exit_nonzero"),
        (None, THREE, None, TORN, "fail", "exit_nonzero"),
        (None, THREE, ERROR, None, "fail", "plugin_target"),
        (None, THREE, Done(status="skipped"), None, "fail", "exit_nonzero"),
        (None, KILLED, OK, None, "fail", "signal"),
        (None, KILLED, ERROR, None, "fail", "plugin_target"),
        (None, None, OK, None, "fail", "host_error"),
        (Cause("total_timeout", "m"), KILLED, OK, TORN, "fail", "total_timeout"),
        (Cause("total_timeout", "m"), CLEAN, ERROR, None, "fail", "total_timeout"),
        (Cause("bad_json", "m"), THREE, None, None, "fail", "bad_json"),
        (Cause("cancelled", "m"), KILLED, OK, None, "cancelled", "cancelled"),
    ],
)
def test_the_first_cause_wins(
    first: Cause | None,
    exit_: Exit | None,
    done: Done | None,
    breach: Breach | None,
    status: str,
    reason: str | None,
) -> None:
    outcome = decide(first, exit_, done, breach, 5)
    assert outcome.status == status
    assert (outcome.cause and outcome.cause.reason) == reason
    assert reason is None or reason in FAILURES or reason in SKIPS


@pytest.mark.parametrize(("records", "said"), [(0, "0 records"), (1, "1 record"), (2, "2 records")])
def test_no_done_says_how_much_there_was(records: int, said: str) -> None:
    cause = decide(None, CLEAN, None, None, records).cause
    assert cause is not None
    assert cause.message == f"it exited 0 after {said}, but never said done"


def test_a_skip_without_a_word_gets_one() -> None:
    cause = decide(None, CLEAN, Done(status="skipped"), None, 0).cause
    assert cause is not None
    assert cause.message == "the plugin skipped this target"


def test_signals_have_names() -> None:
    assert signal_name(signal.SIGSEGV) == "SIGSEGV"
    assert signal_name(40) == "signal 40"
