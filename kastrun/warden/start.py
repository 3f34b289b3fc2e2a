"""How a job's process is started: a session of its own, its three pipes, its folder, its limits.

Confined as ordered (`sandbox`), or, without orders, by vfork, which costs the same however
large we are. Everything else that is open closes at the exec.
"""

from __future__ import annotations

import os
import resource
import socket
from typing import Any, NamedTuple

from kastrun.sandbox.begin import TO_DEFAULT, Begun, Command, begin
from kastrun.sandbox.orders import Orders
from kastrun.warden import wire


class Started(NamedTuple):
    """A child, and where its sockets are lent by a broker the listener for that, with its orders."""

    begun: Begun
    orders: Orders | None = None
    listener: int = -1


def start(packet: tuple[Any, ...], fds: list[int]) -> Started:
    """Start what a `start` packet asks for. Raises OSError where it cannot be."""
    _, program, argv, environment, cwd, memory_bytes, orders = packet
    if orders is not None:
        return _confined(Orders(*orders), Command(program, argv, environment, fds))
    os.chdir(cwd)  # of the warden itself, which has no other use for it
    try:
        pid = os.posix_spawn(
            program,
            argv,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)],
            setsid=True,
            setsigmask=(),
            setsigdef=TO_DEFAULT,
        )
    finally:
        os.chdir("/")  # else the folder could not be unmounted while we wait for the next job
    if memory_bytes:
        _bound_memory(pid, memory_bytes)
    return Started(Begun(pid, -1))


def _confined(orders: Orders, command: Command) -> Started:
    if not orders.listener:
        return Started(begin(orders, command), orders)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        begun = begin(orders, command, theirs.fileno())
        return Started(begun, orders, wire.descriptor(ours))


def _bound_memory(pid: int, size: int) -> None:
    """RLIMIT_DATA of each of its processes, set before any program of this world has allocated much."""
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
    except ProcessLookupError:
        return  # it has ended already
