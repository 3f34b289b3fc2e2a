"""A warden: starts one job's process, watches it to its end, and leaves nothing of it; then the next.

It is the parent of the job's leader and the reaper of all orphans below, so everything
below it is that one job's. When kastrun is gone, `kill -9` included, its socket closes,
and the warden kills what it guards and ends. It decides nothing: time limits are kastrun's.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import select
import signal
import socket
import traceback
from typing import Any, Final, NamedTuple

from kastrun.reach import Reach
from kastrun.sandbox import canary, canary_network
from kastrun.sandbox.begin import Begun
from kastrun.sandbox.broker import Broker
from kastrun.sandbox.namespaces import ENDED
from kastrun.sandbox.orders import Orders
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
            elif packet[0] == "look":
                wire.send(control, _look(*packet[1:]))
    except wire.Closed:
        tree.kill()
    except tree.Unkillable as error:
        wire.send(control, ("stuck", str(error)))
    except Exception:  # noqa: BLE001 - a bug of ours: whoever asked must hear of it, and nothing may live on
        tree.kill()
        wire.send(control, ("bug", traceback.format_exc()))


def _look(orders: tuple[Any, ...], secret: str) -> tuple[Any, ...]:
    """What a process that is confined like this can do all the same."""
    try:
        ordered = Orders(*orders)
        unlent = ordered._replace(filters=ordered.filters[-1:], listener=False)
        return "seen", canary.look(unlent, secret, tree.kill) | _look_outside(ordered)
    except OSError as error:
        tree.kill()
        return "not", error.errno or 0, error.strerror or str(error)


def _look_outside(orders: Orders) -> dict[str, int]:
    """What it can reach; where no sockets can be lent, the errno with which that failed."""
    if not orders.listener:
        return {}
    try:
        return canary_network.look(orders, tree.kill)
    except OSError as error:
        tree.kill()
        return {"broker": error.errno or errno.EPERM}


class _Ended(NamedTuple):
    """How a leader ended: exit code, or minus a signal's number; CPU seconds; peak memory in KiB or 0."""

    code: int
    cpu_s: float
    max_rss: int


class _Guarded:
    """One job's process, from its start to its report."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._begun = Begun(0, -1)
        self._broker: Broker | None = None
        self._polite = False

    def run(self, packet: tuple[Any, ...], fds: list[int]) -> None:
        try:
            started = start(packet, fds)
        except OSError as error:
            wire.send(self._control, ("not", error.errno or 0, error.strerror or str(error)))
            return
        finally:
            for fd in fds:
                os.close(fd)
        self._begun = started.begun
        if started.orders is not None and started.listener >= 0:
            self._broker = self._brokering(started.listener, Reach(*started.orders.reach))
        self._watch()

    def _brokering(self, listener: int, reach: Reach) -> Broker:
        def note(packet: tuple[Any, ...]) -> None:
            wire.send(self._control, packet)

        broker = Broker(listener, reach, note, lambda: tree.descendants(os.getpid()))
        self._poll.register(broker, select.POLLIN)
        return broker

    def _watch(self) -> None:
        bell = self._begun.ended if self._begun.ended >= 0 else os.pidfd_open(self._begun.pid)
        try:
            self._poll.register(self._control, select.POLLIN)
            self._poll.register(bell, select.POLLIN)
            while not any(fd == bell for fd, _ in self._wait(_LOOK_MS)):
                pass
            # Waiting without reaping first would cost a call and tell nothing: what the leader
            # left is ours before its death can be seen.
            ended = self._of_init(bell) if bell == self._begun.ended else self._of_leader()
        finally:
            os.close(bell)
        if self._polite:
            self._poll.unregister(bell)
            self._wait_for_the_rest()
        left = tree.kill(uncounted=self._begun.pid)
        if self._broker is not None:
            self._broker.close()
        wire.send(self._control, ("end", *ended, len(left), left[:_MOST_NAMED]))

    def _of_leader(self) -> _Ended:
        _, status, usage = os.wait4(self._begun.pid, 0)
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = usage.ru_maxrss if usage.ru_maxrss > floor else 0
        return _Ended(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, peak)

    def _of_init(self, ear: int) -> _Ended:
        """What the init of a namespace said of the program; nothing where it was killed itself."""
        word = os.read(ear, ENDED.size)
        if not word:
            return _Ended(-signal.SIGKILL, 0.0, 0)
        status, cpu_s, peak = ENDED.unpack(word)
        return _Ended(os.waitstatus_to_exitcode(status), cpu_s, peak)

    def _wait(self, timeout_ms: int) -> list[tuple[int, int]]:
        """What is ready; commands are obeyed on the way, and dead orphans collected."""
        broker = self._broker
        if broker is not None and (seconds := broker.seconds()) is not None:
            timeout_ms = min(timeout_ms, math.ceil(1000 * seconds))
        ready = self._poll.poll(timeout_ms)
        if not ready:
            tree.reap_orphans(self._begun.pid)
        if broker is not None:
            broker.serve()
        for fd, _ in ready:
            if fd == self._control.fileno():
                self._obey()
        return ready

    def _obey(self) -> None:
        packet, _ = wire.receive(self._control)
        if packet == wire.TERMINATE:
            self._polite = True
            tree.terminate(self._begun.pid)
        elif packet == wire.KILL:
            self._polite = False
            tree.strike()
        elif packet[0] == "pin" and self._broker is not None:
            self._broker.pin(*packet[1:])

    def _wait_for_the_rest(self) -> None:
        """After SIGTERM the leader is gone: those that outlived it have the rest of the grace."""
        wire.send(self._control, ("gone",))
        while self._polite and tree.any_lives():
            self._wait(_GRACE_LOOK_MS)
