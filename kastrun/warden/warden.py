"""A warden: starts one job's process, watches it to its end, and leaves nothing of it; then the next.

It is the parent of the job's leader and the reaper of all orphans below, so everything
below it is that one job's. When kastrun is gone, `kill -9` included, its socket closes,
and the warden kills what it guards and ends. It decides nothing: time limits are kastrun's.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import traceback
from typing import Any, Final

from kastrun.warden import tree, wire
from kastrun.warden.start import start

_LOOK_MS: Final = 1000
"""How often dead orphans are collected while a job runs."""
_GRACE_LOOK_MS: Final = 5
"""How often it is looked whether those that outlived their leader have ended, in the grace."""
_MOST_NAMED: Final = 20


def guard(control: socket.socket) -> None:
    """Guard one job after another, as told on `control`, until it is closed."""
    tree.become_subreaper()
    wire.send(control, ("born", os.getpid()))
    try:
        while True:
            packet, fds = wire.receive(control)
            if packet[0] == "start":
                _Guarded(control).run(packet, fds)
    except wire.Closed:
        tree.kill()
    except tree.Unkillable as error:
        wire.send(control, ("stuck", str(error)))
    except Exception:  # noqa: BLE001 - a bug of ours: whoever asked must hear of it, and nothing may live on
        tree.kill()
        wire.send(control, ("bug", traceback.format_exc()))


class _Guarded:
    """One job's process, from its start to its report."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._leader = 0
        self._polite = False

    def run(self, packet: tuple[Any, ...], fds: list[int]) -> None:
        try:
            self._leader = start(packet, fds)
        except OSError as error:
            wire.send(self._control, ("not", error.errno or 0, error.strerror or str(error)))
            return
        finally:
            for fd in fds:
                os.close(fd)
        self._watch()

    def _watch(self) -> None:
        pidfd = os.pidfd_open(self._leader)
        try:
            self._poll.register(self._control, select.POLLIN)
            self._poll.register(pidfd, select.POLLIN)
            while not any(fd == pidfd for fd, _ in self._wait(_LOOK_MS)):
                pass
        finally:
            os.close(pidfd)
        # Waiting without reaping first would cost a call and tell nothing: what the leader
        # left is ours before its death can be seen.
        _, status, usage = os.wait4(self._leader, 0)
        if self._polite:
            self._poll.unregister(pidfd)
            self._wait_for_the_rest()
        left = tree.kill()
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = (
            "end",
            os.waitstatus_to_exitcode(status),
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss if usage.ru_maxrss > floor else 0,
            len(left),
            left[:_MOST_NAMED],
        )
        wire.send(self._control, report)

    def _wait(self, timeout_ms: int) -> list[tuple[int, int]]:
        """What is ready; commands are obeyed on the way, and dead orphans collected."""
        ready = self._poll.poll(timeout_ms)
        if not ready:
            tree.reap_orphans(self._leader)
        for fd, _ in ready:
            if fd == self._control.fileno():
                self._obey()
        return ready

    def _obey(self) -> None:
        packet, _ = wire.receive(self._control)
        if packet == wire.TERMINATE:
            self._polite = True
            tree.terminate(self._leader)
        elif packet == wire.KILL:
            self._polite = False
            tree.strike()

    def _wait_for_the_rest(self) -> None:
        """After SIGTERM the leader is gone: those that outlived it have the rest of the grace."""
        wire.send(self._control, ("gone",))
        while self._polite and tree.any_lives():
            self._wait(_GRACE_LOOK_MS)
