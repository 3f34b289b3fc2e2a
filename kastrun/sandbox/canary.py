"""Canaries: what a confined process should not be able to do, tried, so that nobody need believe it.

Runs in a warden, on a child that is confined as a job would be but begins no program. Says
of each attempt what came of it; what that means for a level is judged elsewhere (`policy`).
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Final, NoReturn

from kastrun.sandbox import kernel, namespaces, privileges
from kastrun.sandbox.confine import confine
from kastrun.sandbox.orders import Orders

HAPPENED: Final = 0
"""Instead of an errno: nothing stopped it."""
_GONE_WITHIN_MS: Final = 2000


def look(orders: Orders, secret: str, sweep: Callable[[], object]) -> dict[str, int]:
    """Each attempt with its errno, or HAPPENED. `secret` is a file that only we should read.

    `sweep` is what ends everything that a job left. Raises OSError where a process cannot be
    confined like this at all.
    """
    privileges.leave_groups()
    listener = socket.socket(socket.AF_UNIX)
    life, held = os.pipe()
    said, word = os.pipe()
    try:
        listener.bind("")  # the kernel gives it an abstract name
        listener.listen()
        ids = os.geteuid(), os.getegid()
        warden = os.getpid()
        pid = kernel.fork(namespaces.flags(orders))
        if not pid:
            _attempt_all(orders, secret, warden, listener.getsockname(), word, held, ids)
        os.close(word)
        os.close(held)
        seen = _heard(said)
        os.waitpid(pid, 0)
        sweep()
        # What counts is what is seen outside: of the same name there may be one in a root of its own.
        seen["write"] = HAPPENED if os.path.exists(_beside(secret)) else seen["write"] or errno.EROFS
        seen["daemon"] = errno.ESRCH if _ended(life) else HAPPENED
        return seen
    finally:
        listener.close()
        os.close(life)
        os.close(said)


def _attempt_all(
    orders: Orders, secret: str, warden: int, listener: bytes, word: int, held: int, ids: tuple[int, int]
) -> NoReturn:
    try:
        os.setsid()
        if orders.namespaces:
            namespaces.settle(orders, *ids)
        confine(orders)
        seen = {
            "read": _tried(lambda: os.open(secret, os.O_RDONLY)),
            "write": _tried(lambda: os.open(_beside(secret), os.O_WRONLY | os.O_CREAT)),
            "environ": _tried(lambda: os.open(f"/proc/{warden}/environ", os.O_RDONLY)),
            "signal": _tried(lambda: os.kill(warden, 0)),
            "abstract": _tried(lambda: socket.socket(socket.AF_UNIX).connect(listener)),
            "mount": _tried(lambda: kernel.mount("tmpfs", orders.work, "tmpfs", 0, "")),
            "regain": _tried(lambda: kernel.set_capabilities(1)),
        }
        _leave_daemon(held)
        os.write(word, marshal.dumps(seen))
    except OSError as error:
        os.write(word, marshal.dumps((error.errno, str(error))))
    finally:
        os._exit(0)


def _beside(secret: str) -> str:
    return os.path.join(os.path.dirname(secret), "planted")


def _tried(act: Callable[[], object]) -> int:
    try:
        act()
    except OSError as error:
        return error.errno or errno.EPERM
    return HAPPENED


def _leave_daemon(held: int) -> None:
    """A grandchild in a session of its own, which lives as long as it holds `held`."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.dup2(held, 0)
            kernel.close_from(1)
            signal.pause()
        os._exit(0)
    os.wait()


def _heard(said: int) -> dict[str, int]:
    data = os.read(said, 4096)
    told = marshal.loads(data) if data else (errno.EPERM, "it was killed")  # noqa: S302 - our own child
    if isinstance(told, tuple):
        raise OSError(*told)
    found: dict[str, int] = told
    return found


def _ended(life: int) -> bool:
    """Whether nobody holds the other end any more."""
    poll = select.poll()
    poll.register(life, select.POLLIN)
    return bool(poll.poll(_GONE_WITHIN_MS))
