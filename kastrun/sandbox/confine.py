"""`confine`: make this process what its orders say. Runs in the child, just before its program.

Decides nothing. What goes wrong is an OSError: then there is no program, rather than one
that is less confined than was promised.
"""

from __future__ import annotations

import os
from pathlib import Path

from kastrun.sandbox import kernel, landlock, namespaces, privileges, seccomp
from kastrun.sandbox.orders import Orders


def confine(orders: Orders, channel: int = -1) -> None:
    """Hold this process to `orders`; call it in a single-threaded child that leads its session.

    With namespaces it returns in another process than it was called in. `channel` is a
    socket's descriptor that takes the listener of the first filter. Raises OSError.
    """
    if orders.cgroup:
        Path(orders.cgroup, "cgroup.procs").write_text("0", encoding="ascii")
    Path("/proc/self/oom_score_adj").write_text(str(orders.oom_score_adj), encoding="ascii")
    privileges.leave_groups()
    if orders.namespaces:
        namespaces.enter(orders)
    else:
        os.chdir(orders.work)
    privileges.limit(orders.rlimits)
    privileges.drop(orders.capabilities)
    if orders.landlock:
        _lock(orders)
    seccomp.install(orders.filters, channel if orders.listener else -1)
    kernel.close_on_exec(3)


def _lock(orders: Orders) -> None:
    scratch = ("/tmp", "/dev/shm") if orders.namespaces else ()  # noqa: S108 - its own
    made = [path for path, _ in orders.files]
    landlock.restrict(
        orders.landlock,
        read=(*orders.readable, *made, *(("/proc", "/dev") if orders.namespaces else ("/proc/self",))),
        write=(orders.work, *scratch),
        devices=orders.devices,
        own_tcp=orders.own_tcp,
    )
