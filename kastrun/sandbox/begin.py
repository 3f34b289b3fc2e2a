"""A confined child, from the fork to the first instruction of its program.

What cannot be done is told back over a pipe that closes when the program begins, so the
caller knows: the program runs, confined as ordered, or there is no process.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NoReturn

from kastrun.sandbox import kernel, namespaces, privileges
from kastrun.sandbox.confine import confine
from kastrun.sandbox.orders import Orders

_ERRNO: Final = struct.Struct("i")
TO_DEFAULT: Final = tuple(
    map(
        int,
        (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGTSTP,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ),
    )
)
"""What Python or its parent ignores; a program that inherited that would be deaf."""


class Begun(NamedTuple):
    """A child that runs. `pid` is the program, or where it has namespaces the init above it."""

    pid: int
    ended: int
    """Says how the program ended when it has (`namespaces.ENDED`); -1 where `pid` is it."""


class Command(NamedTuple):
    """What to start: the program's path, argv, environment, and what becomes its 0, 1 and 2."""

    program: bytes
    argv: list[bytes]
    environment: Mapping[bytes, bytes]
    fds: Sequence[int]


def begin(orders: Orders, command: Command, channel: int = -1) -> Begun:
    """Start a program in a session of its own, confined; nothing that is open reaches it but its `fds`.

    Call it in a process with one thread, whose descriptors 0 to 2 are not among `fds`.
    Raises OSError where the program or its confinement cannot be.
    """
    privileges.leave_groups()  # ours too, for it cannot be done in a user namespace; we have no use for them
    said, word = os.pipe()
    ear, mouth = os.pipe() if orders.namespaces else (-1, -1)
    ids = os.geteuid(), os.getegid()
    pid = kernel.fork(namespaces.flags(orders))
    if not pid:
        _become(orders, command, channel, word, mouth, ids)
    os.close(word)
    if mouth >= 0:
        os.close(mouth)
    answer = _read(said)
    os.close(said)
    if answer:
        os.waitpid(pid, 0)
        if ear >= 0:
            os.close(ear)
        raise OSError(_ERRNO.unpack_from(answer)[0], answer[_ERRNO.size :].decode(errors="replace"))
    return Begun(pid, ear)


def _become(
    orders: Orders, command: Command, channel: int, word: int, mouth: int, ids: tuple[int, int]
) -> NoReturn:
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        for ignored in TO_DEFAULT:
            kernel.default_signal(ignored)
        os.setsid()
        os.umask(0o022)
        for number, fd in enumerate(command.fds):
            os.dup2(fd, number)
        if orders.namespaces:
            namespaces.settle(orders, *ids)
        confine(orders, channel)
        if orders.namespaces:
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
            started = os.posix_spawn(command.program, command.argv, command.environment, setsid=True)
            namespaces.reign(started, mouth)
        os.execve(command.program, command.argv, command.environment)  # noqa: S606 - there is no shell to be had
    finally:
        _report(word, sys.exception())
        os._exit(127)


def _report(word: int, error: BaseException | None) -> None:
    """What went wrong; a bug too, for nobody else would ever hear of it."""
    if isinstance(error, OSError) and error.errno and error.strerror:
        number, text = error.errno, error.strerror
    else:
        import traceback  # slow to load, and never wanted

        number, text = 0, "".join(traceback.format_exception(error))
    os.write(word, _ERRNO.pack(number) + text.encode())


def _read(fd: int) -> bytes:
    found = b""
    while block := os.read(fd, 4096):
        found += block
    return found
