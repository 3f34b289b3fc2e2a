"""Real children: pipes, exits, stdin of any size, and descriptors that all come back."""

from __future__ import annotations

import math
import os
import signal
import sys

import pytest
import trio

from kastrun.process import Child, Exit, Stream, spawn

pytestmark = pytest.mark.usefixtures("nothing_left")
ENV = {"PATH": os.environ["PATH"]}


async def finish(child: Child, *, deadline: float = math.inf) -> tuple[bytes, bytes, Exit]:
    out, err, waiting = b"", b"", {Stream.OUT, Stream.ERR, Stream.EXIT}
    with trio.fail_after(20):
        while waiting:
            for stream, data in await child.read(deadline):
                out += data if stream is Stream.OUT else b""
                err += data if stream is Stream.ERR else b""
                if not data:
                    waiting.discard(stream)
    exit_ = child.reap()
    child.close()
    return out, err, exit_


def python(code: str, stdin: bytes = b"", memory_mb: int | None = None) -> Child:
    return spawn([sys.executable, "-I", "-S", "-c", code], env=ENV, cwd="/", stdin=stdin, memory_mb=memory_mb)


async def test_both_streams_and_the_exit_code() -> None:
    child = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    out, err, exit_ = await finish(child)
    assert (out, err, exit_.code, exit_.signal) == (b"out\n", b"err\n", 7, None)


async def test_a_signal_is_told_from_a_code() -> None:
    _, _, exit_ = await finish(python("import os; os.kill(os.getpid(), 11)"))
    assert (exit_.code, exit_.signal) == (None, signal.SIGSEGV)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
async def test_stdin_of_any_size_arrives_and_ends(size: int) -> None:
    child = python("import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * size)
    out, _, _ = await finish(child)
    assert out == b"%d\n" % size


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_stdin_that_nobody_reads_hurts_no_one_and_is_noticed(size: int) -> None:
    child = python("print('deaf')", stdin=b"x" * size)
    waiting = {Stream.OUT, Stream.ERR, Stream.EXIT}
    with trio.fail_after(20):
        while waiting:
            waiting -= {stream for stream, data in await child.read(math.inf) if not data}
    assert child.stdin_unread()
    assert child.reap().code == 0
    child.close()


async def test_a_session_of_its_own() -> None:
    child = python("import os; print(os.getsid(0) == os.getpid())")
    assert (await finish(child))[0] == b"True\n"


async def test_no_descriptor_but_the_three() -> None:
    leak = os.open("/", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        # The listing itself opens one more.
        child = python("import os; print(len(os.listdir('/proc/self/fd')))")
        assert (await finish(child))[0] == b"4\n"
    finally:
        os.close(leak)


async def test_memory_is_bounded() -> None:
    code = "import time\ntime.sleep(0.2)\ntry: b = bytearray(300 << 20)\nexcept MemoryError: print('no')"
    assert (await finish(python(code, memory_mb=128)))[0] == b"no\n"


async def test_resources_are_those_of_the_child() -> None:
    _, _, exit_ = await finish(python("b = bytearray(400 << 20); sum(range(2_000_000))"))
    assert exit_.cpu_s > 0.01
    assert exit_.max_rss_mb is not None
    assert exit_.max_rss_mb > 400


async def test_memory_below_our_own_is_not_told() -> None:
    _, _, exit_ = await finish(spawn(["true"], env=ENV, cwd="/", stdin=b""))
    assert exit_.max_rss_mb is None


async def test_a_deadline_gives_nothing_and_loses_nothing() -> None:
    child = python("import sys; sys.stdin.read(); print('late')", stdin=b"")
    assert await child.read(trio.current_time()) in ([], [(Stream.OUT, b"late\n")])
    await finish(child)


async def test_wake_ends_a_wait() -> None:
    child = spawn(["sleep", "60"], env=ENV, cwd="/", stdin=b"")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_wake_soon, child)
        with trio.fail_after(10):
            assert await child.read(math.inf) == []
    os.kill(child.pid, signal.SIGKILL)
    assert (await finish(child))[2].signal == signal.SIGKILL


async def _wake_soon(child: Child) -> None:
    child.wake()


@pytest.mark.parametrize(
    ("argv", "error"),
    [(["/nonexistent"], FileNotFoundError), (["/"], PermissionError), (["a\0b"], OSError)],
)
async def test_what_cannot_be_started_leaves_nothing_open(argv: list[str], error: type[OSError]) -> None:
    with pytest.raises(error):
        spawn(argv, env=ENV, cwd="/", stdin=b"x" * 100_000)
