"""Namespaces of a job's own: being born into them, and being their init.

The init makes itself what the job's orders say, starts the program, and reaps every orphan.
It is the first process of its PID namespace: when it ends, all in it end.
"""

from __future__ import annotations

import os
import struct
from typing import Final, NoReturn

from kastrun.sandbox import kernel
from kastrun.sandbox.orders import Orders

_ALWAYS: Final = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)
ENDED: Final = struct.Struct("i")
"""What an init says when its program has ended: the wait status."""


def flags(orders: Orders) -> int:
    """Those of the clone that gives a process the namespaces it is to have."""
    if not orders.namespaces:
        return 0
    return _ALWAYS | (kernel.CLONE_NEWNET if orders.netns else 0)


def settle(orders: Orders, uid: int, gid: int) -> None:
    """In the new user namespace: `uid` and `gid`, ours outside, are the inner ones. Raises OSError."""
    kernel.write("/proc/self/setgroups", b"deny")
    kernel.write("/proc/self/uid_map", b"%d %d 1" % (orders.inner_ids[0], uid))
    kernel.write("/proc/self/gid_map", b"%d %d 1" % (orders.inner_ids[1], gid))


def reign(program: int, mouth: int) -> NoReturn:
    """Be the init: reap every orphan, say how the program ended, and end when the last has."""
    os.dup2(mouth, 0)
    kernel.close_from(1)  # the job's pipes are not ours to hold
    try:
        while True:
            pid, status = os.wait()
            if pid == program:
                os.write(0, ENDED.pack(status))
    except ChildProcessError:
        os._exit(0)
    finally:
        os._exit(1)
