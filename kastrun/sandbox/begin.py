"""A confined child, from the fork to the first instruction of its program.

What cannot be done is told back over a pipe that closes when the program begins, so the
caller knows: the program runs, confined as ordered, or there is no process.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from kastrun.sandbox.confine import confine
from kastrun.sandbox.orders import Orders

_ERRNO: Final = struct.Struct("i")
_TO_DEFAULT: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)
"""What Python or its parent ignores; a program that inherited that would be deaf."""


def begin(
    orders: Orders,
    program: bytes,
    argv: list[bytes],
    environment: Mapping[bytes, bytes],
    fds: Sequence[int],
    channel: int = -1,
) -> int:
    """Start `program` in a session of its own, confined; the pid to wait for.

    `fds` become its 0, 1 and 2; nothing else that is open reaches it. Call it in a process
    with one thread. Raises OSError where the program or its confinement cannot be.
    """
    said, word = os.pipe()
    pid = os.fork()
    if not pid:
        _become(orders, program, argv, environment, fds, channel, word)
    os.close(word)
    try:
        answer = _read(said)
    finally:
        os.close(said)
    if answer:
        os.waitpid(pid, 0)
        raise OSError(_ERRNO.unpack_from(answer)[0], answer[_ERRNO.size :].decode(errors="replace"))
    return pid


def _become(
    orders: Orders,
    program: bytes,
    argv: list[bytes],
    environment: Mapping[bytes, bytes],
    fds: Sequence[int],
    channel: int,
    word: int,
) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for ignored in _TO_DEFAULT:
            signal.signal(ignored, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
        os.umask(0o022)
        confine(orders, channel)
        os.execve(program, argv, environment)  # noqa: S606 - there is no shell to be had
    finally:
        _report(word, sys.exception())
        os._exit(127)


def _report(word: int, error: BaseException | None) -> None:
    """What went wrong; a bug too, for nobody else would ever hear of it."""
    number, text = 0, "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno and error.strerror:
        number, text = error.errno, error.strerror
    os.write(word, _ERRNO.pack(number) + text.encode())


def _read(fd: int) -> bytes:
    found = b""
    while block := os.read(fd, 4096):
        found += block
    return found
