"""`confine`: make this process, and all that it begets, what its orders say.

Decides nothing. What goes wrong is an OSError: then there is no program, rather than one
that is less confined than was promised.
"""

from __future__ import annotations

import os

from kastrun.sandbox import kernel, landlock, privileges, root, seccomp
from kastrun.sandbox.orders import Orders


def confine(orders: Orders, channel: int = -1) -> None:
    """Hold this process to `orders`, for good; with namespaces it was born in them.

    Call it in a child with one thread that leads its session. `channel` is a socket's
    descriptor that takes the listener of the first filter. Raises OSError.
    """
    if orders.cgroup:
        kernel.write(orders.cgroup + "/cgroup.procs", b"0")
    kernel.write("/proc/self/oom_score_adj", b"%d" % orders.oom_score_adj)
    if orders.namespaces:
        root.build(orders)
    os.chdir(orders.work)
    privileges.limit(orders.rlimits)
    privileges.drop(orders.capabilities)
    if orders.landlock:
        _lock(orders)
    seccomp.install(orders.filters, channel if orders.listener else -1)
    kernel.close_on_exec(3)


def _lock(orders: Orders) -> None:
    read = ["/proc/self"]
    write = [orders.work]
    if orders.namespaces:
        read = ["/proc", "/dev", *(path for path, _ in orders.files)]
        write += ["/tmp", "/dev/shm"]  # noqa: S108 - its own
    landlock.restrict(
        orders.landlock,
        read=(*orders.readable, *read),
        write=write,
        devices=orders.devices,
        own_tcp=orders.own_tcp,
    )
