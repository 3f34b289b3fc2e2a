"""Namespaces of a job's own: being born into them, and being their init.

The init makes itself what the job's orders say, starts the program, and reaps every orphan.
It is the first process of its PID namespace: when it ends, all in it end.
"""

from __future__ import annotations

import os
import resource
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
ENDED: Final = struct.Struct("idi")
"""What an init says when its program has ended: wait status, CPU seconds, peak memory in KiB (0: no more
than its own)."""


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
            pid, status, usage = os.wait4(-1, 0)
            if pid == program:
                floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                peak = usage.ru_maxrss if usage.ru_maxrss > floor else 0
                os.write(0, ENDED.pack(status, usage.ru_utime + usage.ru_stime, peak))
    except ChildProcessError:
        os._exit(0)
    finally:
        os._exit(1)
