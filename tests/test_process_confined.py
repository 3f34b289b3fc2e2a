"""Confined children: what their warden says of them is what it says of any other."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Literal

import pytest
import trio
from profile_rooms import plugin

from kastrun.model import Limits, SandboxWish
from kastrun.policy import Machine, decide
from kastrun.process import Child, Exit, Family, NotStarted, Stream
from kastrun.sandbox import landlock
from kastrun.sandbox.drafting import Subject, draft
from kastrun.sandbox.orders import Orders

LIMITS = Limits(total_s=60, idle_s=0, grace_s=0, memory_mb=256, output_mb=1)
Means = Literal["namespaces", "plain"]


@pytest.fixture(params=[pytest.param("namespaces", marks=pytest.mark.namespaces), "plain"])
def orders(request: pytest.FixtureRequest, tmp_path: Path) -> Orders:
    machine = Machine(landlock=landlock.abi())
    policy = decide(plugin("any"), SandboxWish(), machine, request.param)
    subject = Subject(programs=(), folders=(), path="/usr/bin:/bin", limits=LIMITS)
    return draft(policy, machine, subject)._replace(work=str(tmp_path.resolve()))


def spawn(family: Family, orders: Orders, script: str, *, program: str = "/bin/sh") -> Child:
    argv = [program, "-c", script]
    return family.spawn(argv, env={"PATH": "/usr/bin:/bin"}, cwd=orders.work, stdin=b"in", orders=orders)


async def over(child: Child) -> tuple[Exit, str]:
    """Its end, and all that it printed."""
    said = b""
    open_ = {Stream.OUT, Stream.ERR, Stream.EXIT}
    with trio.fail_after(60):
        while open_:
            for stream, data in await child.read(trio.current_time() + 60):
                said += data
                if not data:
                    open_.discard(stream)
    child.close()
    assert child.exit is not None
    return child.exit, said.decode()


async def test_an_exit_code_is_the_programs(orders: Orders) -> None:
    with Family() as family:
        ended, said = await over(spawn(family, orders, "cat; exit 7"))
    assert (ended.code, ended.signal, ended.left, said) == (7, None, 0, "in")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_a_death_by_signal_is_the_programs(orders: Orders, number: signal.Signals) -> None:
    with Family() as family:
        ended, _ = await over(spawn(family, orders, f"kill -{int(number)} $$"))
    assert (ended.code, ended.signal) == (None, number)


async def test_what_a_program_leaves_is_counted_and_named(orders: Orders) -> None:
    with Family() as family:
        ended, _ = await over(spawn(family, orders, "exec sleep 600 & setsid sleep 601 & exit 0"))
    assert (ended.code, ended.left, len(ended.survivors)) == (0, 2, 2)


async def test_sigterm_reaches_the_program_and_those_that_outlive_it_have_their_grace(orders: Orders) -> None:
    outlives = "trap 'echo heir; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    script = f"sh -c \"{outlives}\" & trap 'exit 3' TERM; while :; do sleep 0.05; done"
    with Family() as family:
        child = spawn(family, orders, script)
        said = b""
        while b"ready" not in said:
            said += b"".join(data for _, data in await child.read(trio.current_time() + 60))
        child.terminate()
        ended, rest = await over(child)
    assert ended.code == 3
    assert "heir" in rest


async def test_what_it_used_is_measured(orders: Orders) -> None:
    with Family() as family:
        ended, _ = await over(spawn(family, orders, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"))
    assert ended.cpu_s > 0.05


async def test_a_warden_serves_one_after_another(orders: Orders) -> None:
    with Family() as family:
        for code in range(3):
            ended, _ = await over(spawn(family, orders, f"exit {code}"))
            assert ended.code == code


async def test_a_program_that_is_not_there_is_told(orders: Orders) -> None:
    with Family() as family:
        child = spawn(family, orders, "", program="/usr/bin/no-such-program")
        with pytest.raises(NotStarted) as caught:
            await over(child)
        child.close()
    assert caught.value.errno == errno.ENOENT


async def test_a_confinement_that_cannot_be_is_no_process(orders: Orders) -> None:
    with Family() as family:
        child = spawn(family, orders._replace(filters=(b"no program at all",)), "")
        with pytest.raises(NotStarted):
            await over(child)
        child.close()


async def test_it_sees_nothing_of_ours(orders: Orders) -> None:
    script = "import os; print(sorted(os.listdir('/proc/self/fd'))); print(os.environ)"
    with Family() as family:
        _, said = await over(spawn(family, orders, script, program="/usr/bin/python3"))
    assert said.startswith("['0', '1', '2', '3']")  # the last is of the looking itself
    assert str(os.environ.get("HOME")) not in said
