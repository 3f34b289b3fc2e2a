"""What a level of the sandbox costs a job: `/bin/true` started and waited for, beside a bare fork and exec.

By the launcher and a warden, as in a scan, and from a parent of 300 MB too, whose size must not matter.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial

import rounds
import trio

from kastrun.machine import examine
from kastrun.model import Limits
from kastrun.policy import Machine, Means, Policy, held
from kastrun.process import Family, Stream
from kastrun.sandbox.drafting import Subject, draft
from kastrun.sandbox.orders import Orders

TRUE = "/bin/true"
COUNT = 40
BALLAST = 300 << 20
LIMITS = Limits(total_s=60, idle_s=0, grace_s=0, memory_mb=256, output_mb=1)
LEVELS: dict[str, Means] = {"strict": "namespaces", "standard, without namespaces": "plain"}
GOALS = ["standard ≤ bare + 4 ms", "strict ≤ bare + 7 ms"]


def bare() -> float:
    """Milliseconds each, by fork and exec of this very process."""
    began = time.perf_counter()
    for _ in range(COUNT):
        pid = os.fork()
        if not pid:
            os.execv(TRUE, [TRUE])
        os.waitpid(pid, 0)
    return 1000 * (time.perf_counter() - began) / COUNT


def guarded(orders: Orders | None) -> float:
    """Milliseconds each, as kastrun starts a job; the launcher and its warden are there already."""
    return trio.run(_guarded, orders)


async def _guarded(orders: Orders | None) -> float:
    with Family() as family:
        await _once(family, orders)
        began = time.perf_counter()
        for _ in range(COUNT):
            await _once(family, orders)
        return 1000 * (time.perf_counter() - began) / COUNT


async def _once(family: Family, orders: Orders | None) -> None:
    child = family.spawn([TRUE], env={}, cwd="/", stdin=b"", orders=orders)
    open_ = {Stream.OUT, Stream.ERR, Stream.EXIT}
    while open_:
        for stream, data in await child.read(trio.current_time() + 60):
            if not data:
                open_.discard(stream)
    child.close()


async def _looked() -> Machine:
    with Family() as family:
        return await examine("standard", family, all_means=True)


def _orders(machine: Machine, means: Means, work: str) -> Orders:
    policy = Policy(
        means=means, network="scope", scope="enforce", ports="any", read=(), capabilities=(),
        held=held(machine, means),
    )  # fmt: skip
    subject = Subject(programs=(TRUE,), folders=(), path="", limits=LIMITS)
    return draft(policy, machine, subject)._replace(work=os.path.realpath(work))


def main() -> None:
    options = rounds.arguments(__doc__)
    machine = trio.run(_looked)
    with tempfile.TemporaryDirectory(prefix="kastrun-bench-") as work:
        contenders: dict[str, rounds.Measure] = {"bare fork and exec": bare, "off": lambda: guarded(None)}
        for name, means in LEVELS.items():
            if means not in machine.lacking:
                contenders[name] = partial(guarded, _orders(machine, means, work))
        tables = [rounds.compare("a process", "ms", contenders, options.rounds, GOALS)]
        ballast = bytearray(os.urandom(1 << 20) * (BALLAST >> 20))
        tables.append(
            rounds.compare("the same from 300 MB", "ms", contenders, options.rounds, ["as without them"])
        )
        del ballast
    rounds.show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
