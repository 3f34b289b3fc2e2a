"""One child: spawned on the caller's thread, its pipes and its death in one wait.

Enters argv, environment, folder and what stdin holds; leaves byte chunks and an exit.
Spawned with vfork by subprocess (no preexec_fn, which would fork) from the thread that
lives as long as the run. An epoll of its own holds stdout, stderr and the pidfd, so one
task waits for all three and a grandchild that holds a pipe cannot hide the death.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import trio

_CHUNK = 65536


class Stream(Enum):
    """Where a chunk came from. An empty chunk of OUT or ERR is its end; EXIT has none."""

    OUT = "stdout"
    ERR = "stderr"
    EXIT = "exit"


class Exit(NamedTuple):
    """How a child ended: exit code or signal number (the other None), CPU seconds and peak memory.

    `max_rss_mb` (2**20 bytes) is None where it is not above our own: after vfork a child
    starts with the parent's peak, so that a smaller figure would be ours.
    """

    code: int | None
    signal: int | None
    cpu_s: float
    max_rss_mb: float | None


class Child:
    """A running child. Made by `spawn`; `close` when done, whatever happened."""

    def __init__(self, pid: int, out: int, err: int, stdin: _Stdin) -> None:
        self.pid = pid
        self._stdin = stdin
        self._pidfd = os.pidfd_open(pid)
        self._epoll = select.epoll()
        self._streams = {out: Stream.OUT, err: Stream.ERR, self._pidfd: Stream.EXIT}
        for fd in self._streams:
            self._epoll.register(fd, select.EPOLLIN)
        if stdin.pending:
            self._epoll.register(stdin.writer, select.EPOLLOUT)
        self._wait = trio.CancelScope()
        self._woken = False

    async def read(self, deadline: float) -> list[tuple[Stream, bytes]]:
        """What came since, waiting for it; empty at `deadline` (trio's clock) or after `wake`.

        EXIT is given once; OUT and ERR end with an empty chunk, once each.
        """
        if not self._woken:
            with trio.CancelScope(deadline=deadline) as self._wait:
                await trio.lowlevel.wait_readable(self._epoll.fileno())
        self._woken = False
        got = self._ready()
        if any(stream is Stream.EXIT for stream, _ in got):
            got += self._ready()  # what it wrote last has been taken: its pipes usually end here
        return got

    def wake(self) -> None:
        """End the wait of `read` at once, or the next one."""
        self._woken = True
        self._wait.cancel()

    def reap(self) -> Exit:
        """The exit of a child whose EXIT was read. Raises ChildProcessError where it was not ours."""
        _, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Exit(
            code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cpu_s=usage.ru_utime + usage.ru_stime,
            max_rss_mb=usage.ru_maxrss / 1024 if usage.ru_maxrss > floor else None,
        )

    def stdin_unread(self) -> bool:
        """Whether bytes of the job line were never read."""
        return self._stdin.unread()

    def close(self) -> None:
        """Close every descriptor that is ours; a grandchild that still writes gets EPIPE. Idempotent."""
        for fd in list(self._streams):
            self._drop(fd)
        self._stdin.close()
        self._epoll.close()

    def _ready(self) -> list[tuple[Stream, bytes]]:
        return [self._take(fd) for fd, _ in self._epoll.poll(0) if not self._feed(fd)]

    def _take(self, fd: int) -> tuple[Stream, bytes]:
        stream = self._streams[fd]
        data = b"" if stream is Stream.EXIT else os.read(fd, _CHUNK)
        if not data:
            self._drop(fd)
        return stream, data

    def _feed(self, fd: int) -> bool:
        """Whether `fd` was stdin's, with room for more of a long job line."""
        if fd != self._stdin.writer:
            return False
        if not self._stdin.push():
            self._epoll.unregister(fd)
            self._stdin.end()
        return True

    def _drop(self, fd: int) -> None:
        # Unregister first: a sibling caught between vfork and exec may still hold the pipe,
        # and then closing alone leaves a stale event behind.
        self._epoll.unregister(fd)
        os.close(fd)
        del self._streams[fd]


class _Stdin:
    """The job line on its way in. Both ends stay ours, so that what was left unread can be counted."""

    def __init__(self, content: bytes) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.pending = memoryview(content)
        if not self.push():
            self.end()

    def push(self) -> bool:
        """Write what the pipe takes; whether anything is left."""
        try:
            self.pending = self.pending[os.write(self.writer, self.pending) :]
        except BlockingIOError:
            return True
        return bool(self.pending)

    def end(self) -> None:
        """Close the writing end: the child sees the end of its input."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def unread(self) -> bool:
        size: int = struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"\0" * 4))[0]
        return size > 0 or bool(self.pending)

    def close(self) -> None:
        """Let go of both ends. Idempotent: a child that is closed early is closed again at its end."""
        self.end()
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1


def spawn(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stdin: bytes, memory_mb: int | None = None
) -> Child:
    """Start `argv` in a session of its own, with `stdin` as its whole input.

    `memory_mb` bounds the private memory of each of its processes (RLIMIT_DATA, set just
    after the spawn, before any program of this world has allocated much). Raises OSError
    where it cannot be started; nothing is left open then.
    """
    given = _Stdin(stdin)
    out, out_writer = os.pipe()
    err, err_writer = os.pipe()
    try:
        popen = subprocess.Popen(
            list(argv),
            stdin=given.reader,
            stdout=out_writer,
            stderr=err_writer,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        given.close()
        os.close(out)
        os.close(err)
        if isinstance(error, OSError):
            raise
        raise OSError(0, str(error)) from error
    finally:
        os.close(out_writer)
        os.close(err_writer)
    popen.returncode = 0  # reaped here with wait4, which also gives the resource use
    if memory_mb is not None:
        _bound_memory(popen.pid, memory_mb)
    return Child(popen.pid, out, err, given)


def _bound_memory(pid: int, megabytes: int) -> None:
    size = megabytes << 20
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
    except ProcessLookupError:
        return  # it has ended already
