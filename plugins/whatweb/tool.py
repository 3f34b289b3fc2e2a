"""One external program, watched: its output line by line, a time limit, and an end to its whole group.

Knows nothing of the program or of the protocol. The program never sees our stdin or our
stdout (which is the protocol's); its stderr is passed on to ours as it comes.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

TICK_S = 0.1
BEAT_S = 5.0
LINE_LIMIT = 65536


class Stop:
    """Set by SIGTERM. Everything that waits looks at it at least every `TICK_S` seconds."""

    def __init__(self):
        self.requested = False
        signal.signal(signal.SIGTERM, self._request)

    def _request(self, _number, _frame):
        self.requested = True


@dataclass
class Ended:
    """How a program ended: `why` is ``exited``, ``time`` (our limit) or ``stopped`` (SIGTERM to us)."""

    why: str
    code: int
    stderr: str = ""

    @property
    def cut(self):
        return self.why != "exited"


@dataclass
class _Streams:
    on_line: object
    rest: bytes = b""
    errors: bytearray = field(default_factory=bytearray)

    def out(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        self.rest = self.rest[-LINE_LIMIT:]
        for line in lines:
            self.on_line(line.decode("utf-8", "replace").rstrip("\r"))

    def err(self, data):
        os.write(2, data)
        self.errors = (self.errors + data)[-2048:]


def run(argv, limit_s, stop, on_line, on_beat):
    """Run `argv` for at most `limit_s` seconds. Raises OSError where it cannot be started."""
    sys.stdout.flush()
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, so that all of it can be ended; and no terminal
    )
    streams = _Streams(on_line)
    try:
        why = _watch(child, streams, time.monotonic() + limit_s, stop, on_beat)
    finally:
        _end_group(child)
        child.stdout.close()
        child.stderr.close()
    return Ended(why, child.returncode, streams.errors.decode("utf-8", "replace").strip())


def _watch(child, streams, until, stop, on_beat):
    beat = time.monotonic() + BEAT_S
    with selectors.DefaultSelector() as pipes:
        pipes.register(child.stdout, selectors.EVENT_READ, streams.out)
        pipes.register(child.stderr, selectors.EVENT_READ, streams.err)
        while True:
            _drain(pipes)
            now = time.monotonic()
            if not pipes.get_map() and child.poll() is not None:
                return "exited"
            if stop.requested:
                return "stopped"
            if now >= until:
                return "time"
            if now >= beat:
                on_beat()
                beat = now + BEAT_S


def _drain(pipes):
    if not pipes.get_map():
        time.sleep(TICK_S / 4)
        return
    for key, _ in pipes.select(TICK_S):
        data = os.read(key.fd, 65536)
        if data:
            key.data(data)
        else:
            pipes.unregister(key.fileobj)


def _end_group(child):
    """SIGTERM, a second, SIGKILL: to the group, also where its leader has gone already."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def bounded(work, limit_s, stop):
    """What `work()` returns, or raises; TimeoutError after `limit_s` seconds or once `stop` is set.

    For calls that cannot be interrupted, such as a name look-up: the thread is left behind.
    """
    box = {}

    def call():
        try:
            box["value"] = work()
        except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
            box["error"] = error

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    until = time.monotonic() + limit_s
    while thread.is_alive() and time.monotonic() < until and not stop.requested:
        thread.join(TICK_S)
    if "error" in box:
        raise box["error"]
    if "value" not in box:
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return box["value"]
