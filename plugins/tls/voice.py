"""The only way to standard output: whole lines, one `done`, and an end in words before the deadline.

Whatever ends the job (done, the deadline, SIGTERM, a fault of our own) ends what it started too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, NoReturn

BEAT_S = 0.25
_mouth = threading.Lock()
_beaten = 0.0
_children: list[subprocess.Popen[bytes]] = []
_late: dict[str, Any] = {}


def say(**message: Any) -> None:
    with _mouth:
        print(json.dumps(message), flush=True)


def beat(message: str) -> None:
    """Says what is being done, a few times a second at most: the host drops more than ten."""
    global _beaten
    now = time.monotonic()
    if now - _beaten >= BEAT_S:
        _beaten = now
        say(type="progress", message=message)


def log(level: str, message: str) -> None:
    say(type="log", level=level, message=message)


def end(status: str, **more: Any) -> NoReturn:
    """Says `done` and ends the process, from whichever thread: nothing may follow it."""
    _mouth.acquire()
    kill_children()
    print(json.dumps({"type": "done", "status": status, **more}), flush=True)
    os._exit(0)


def fail(kind: str, message: str) -> NoReturn:
    end("error", error={"kind": kind, "message": message})


def when_late(status: str, **more: Any) -> None:
    """What `done` says should the deadline come from here on."""
    _late.clear()
    _late.update(status=status, **more)


def begin(deadline_s: float) -> None:
    """Sets the alarm a little before the host would end the job without a word, and the handlers."""
    alarm = threading.Timer(max(deadline_s - 1, deadline_s / 2), lambda: end(**_late))
    alarm.daemon = True
    alarm.start()
    sys.excepthook = _crashed
    signal.signal(signal.SIGTERM, _terminated)


def start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """A program in a process group of its own; its output goes to our standard error, never to stdout."""
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        stderr=sys.stderr.fileno(),
        process_group=0,
    )
    _children.append(child)
    return child


def kill_children() -> None:
    for child in _children:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
                os.killpg(child.pid, signal.SIGKILL)


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    kill_children()
    os._exit(128 + number)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    fail("internal", f"{kind.__name__}: {error}")
