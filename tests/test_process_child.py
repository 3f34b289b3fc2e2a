"""Real children: pipes, exits, stdin of any size, and descriptors that all come back."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator
from errno import EACCES, ENOENT

import pytest
import trio

from kastrun.process import Child, Exit, Family, NotStarted, Stream

pytestmark = pytest.mark.usefixtures("nothing_left")
ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


@pytest.fixture
def family(nothing_left: None) -> Iterator[Family]:
    with Family() as family:
        yield family


async def finish(child: Child, *, deadline: float = math.inf) -> tuple[bytes, bytes, Exit]:
    out, err, waiting = b"", b"", {Stream.OUT, Stream.ERR, Stream.EXIT}
    with trio.fail_after(20):
        while waiting:
            for stream, data in await child.read(deadline):
                out += data if stream is Stream.OUT else b""
                err += data if stream is Stream.ERR else b""
                if not data:
                    waiting.discard(stream)
    child.close()
    assert child.exit is not None
    return out, err, child.exit


def python(family: Family, code: str, stdin: bytes = b"", memory_mb: int | None = None) -> Child:
    argv = [sys.executable, "-I", "-S", "-c", code]
    return family.spawn(argv, env=ENV, cwd="/", stdin=stdin, memory_mb=memory_mb)


async def test_both_streams_and_the_exit_code(family: Family) -> None:
    child = python(family, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    out, err, exit_ = await finish(child)
    assert (out, err, exit_.code, exit_.signal) == (b"out\n", b"err\n", 7, None)


async def test_a_signal_is_told_from_a_code(family: Family) -> None:
    _, _, exit_ = await finish(python(family, "import os; os.kill(os.getpid(), 11)"))
    assert (exit_.code, exit_.signal) == (None, signal.SIGSEGV)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
async def test_stdin_of_any_size_arrives_and_ends(family: Family, size: int) -> None:
    child = python(family, "import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * size)
    out, _, _ = await finish(child)
    assert out == b"%d\n" % size


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_stdin_that_nobody_reads_hurts_no_one_and_is_noticed(family: Family, size: int) -> None:
    child = python(family, "print('deaf')", stdin=b"x" * size)
    waiting = {Stream.OUT, Stream.ERR, Stream.EXIT}
    with trio.fail_after(20):
        while waiting:
            waiting -= {stream for stream, data in await child.read(math.inf) if not data}
    assert child.stdin_unread()
    assert child.exit is not None
    assert child.exit.code == 0
    child.close()


async def test_a_session_of_its_own(family: Family) -> None:
    child = python(family, "import os; print(os.getsid(0) == os.getpid())")
    assert (await finish(child))[0] == b"True\n"


async def test_nothing_of_ours_is_inherited(family: Family) -> None:
    """No descriptor but the three, no variable but its own, no signal ignored but what Python ignores."""
    leak = os.open("/", os.O_RDONLY)
    os.set_inheritable(leak, True)
    code = """
import os, signal
print(len(os.listdir('/proc/self/fd')), sorted(os.environ), os.getcwd())  # the listing opens one more
print([n for n in range(1, 32) if signal.getsignal(n) is signal.SIG_IGN], signal.pthread_sigmask(0, ()))
"""
    try:
        out, _, _ = await finish(python(family, code))
    finally:
        os.close(leak)
    ignored = f"[{int(signal.SIGPIPE)}, {int(signal.SIGXFSZ)}]"
    assert out.decode().splitlines() == [f"4 {sorted(ENV)} /", f"{ignored} set()"]


async def test_memory_is_bounded(family: Family) -> None:
    code = "import time\ntime.sleep(0.2)\ntry: b = bytearray(300 << 20)\nexcept MemoryError: print('no')"
    assert (await finish(python(family, code, memory_mb=128)))[0] == b"no\n"


async def test_resources_are_those_of_the_child(family: Family) -> None:
    _, _, exit_ = await finish(python(family, "b = bytearray(400 << 20); sum(range(2_000_000))"))
    assert exit_.cpu_s > 0.01
    assert exit_.max_rss_mb is not None
    assert exit_.max_rss_mb > 400


async def test_memory_below_the_wardens_own_is_not_told(family: Family) -> None:
    _, _, exit_ = await finish(family.spawn(["true"], env=ENV, cwd="/", stdin=b""))
    assert exit_.max_rss_mb is None


async def test_a_deadline_gives_nothing_and_loses_nothing(family: Family) -> None:
    child = python(family, "import sys; sys.stdin.read(); print('late')", stdin=b"")
    assert await child.read(trio.current_time()) in ([], [(Stream.OUT, b"late\n")])
    await finish(child)


async def test_wake_ends_a_wait(family: Family) -> None:
    child = family.spawn(["sleep", "60"], env=ENV, cwd="/", stdin=b"")
    with trio.fail_after(10):
        while not child.tree():  # the warden has said its name, and the child is there
            await trio.sleep(0.01)
        child.wake()
        assert await child.read(math.inf) == []
    child.kill()
    assert (await finish(child))[2].signal == signal.SIGKILL


async def test_a_warden_serves_one_child_after_another(family: Family) -> None:
    parents = [int((await finish(python(family, "import os; print(os.getppid())")))[0]) for _ in range(3)]
    assert len(set(parents)) == 1
    pair = [python(family, "import os, sys; print(os.getppid()); sys.stdin.read()") for _ in range(2)]
    assert len({(await finish(child))[0] for child in pair}) == 2


@pytest.mark.parametrize(
    ("argv", "number"), [(["/nonexistent"], ENOENT), (["/"], EACCES), (["nothing-of-that-name"], ENOENT)]
)
async def test_what_cannot_be_started_leaves_nothing_open(
    family: Family, argv: list[str], number: int
) -> None:
    async def tried() -> None:  # known before, or told by the warden
        child = family.spawn(argv, env=ENV, cwd="/", stdin=b"x" * 100_000)
        try:
            await finish(child)
        finally:
            child.close()

    with pytest.raises(OSError) as raised:
        await tried()
    assert raised.value.errno == number


async def test_a_name_with_a_nul_is_refused(family: Family) -> None:
    with pytest.raises(OSError, match="NUL"):
        family.spawn(["a\0b"], env=ENV, cwd="/", stdin=b"x" * 100_000)


async def test_after_a_failed_start_the_warden_goes_on(family: Family) -> None:
    child = family.spawn(["/nonexistent"], env=ENV, cwd="/", stdin=b"")
    with pytest.raises(NotStarted):
        await finish(child)
    child.close()
    assert (await finish(family.spawn(["true"], env=ENV, cwd="/", stdin=b"")))[2].code == 0
