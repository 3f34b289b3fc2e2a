"""The launcher: makes wardens when asked, and buries what a dead warden left.

Started by kastrun as a fresh, small Python, before any plugin runs. It holds no secret,
knows no job, and ends when kastrun does. Its own death stops no job: wardens hear
from kastrun, not from it; only new ones cannot be had any more.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress
from typing import Final

from kastrun.warden import tree, wire
from kastrun.warden.warden import guard

_HEARS_NOT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)


def main(fd: int) -> None:
    """Serve kastrun's end of descriptor `fd` until it is closed; then wait for every warden."""
    os.setsid()  # Ctrl-C in the terminal is kastrun's to hear
    for number in _HEARS_NOT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    tree.become_subreaper()
    wardens: set[int] = set()
    with socket.socket(fileno=fd) as kastrun:
        _serve(kastrun, wardens)
    while _bury(wardens, os.WEXITED):
        pass


def _serve(kastrun: socket.socket, wardens: set[int]) -> None:
    """Until kastrun is gone. Deaths come as bytes in a pipe, so that none is handled at a bad moment."""
    deaths, bell = os.pipe()
    os.set_blocking(bell, False)
    os.set_blocking(deaths, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(kastrun, select.POLLIN)
    poll.register(deaths, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready == deaths:
                os.read(deaths, 4096)
                while _bury(wardens, os.WEXITED | os.WNOHANG):
                    pass
                continue
            try:
                _, fds = wire.receive(kastrun)
            except wire.Closed:
                return
            with socket.socket(fileno=fds[0]) as control:
                try:
                    wardens.add(_warden(kastrun, control))
                except OSError as error:  # too many processes: as if the job's own could not be started
                    with suppress(wire.Closed):
                        wire.send(control, ("not", error.errno or 0, error.strerror or str(error)))


def _warden(kastrun: socket.socket, control: socket.socket) -> int:
    """A new warden that hears on `control`; its pid. Raises OSError."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kastrun.close()
        guard(control)
        code = 0
    finally:
        os._exit(code)


def _bury(wardens: set[int], how: int) -> bool:
    """Reap one that ended, if one has. What a dead warden guarded has become ours, and dies."""
    try:
        ended = os.waitid(os.P_ALL, 0, how)
    except ChildProcessError:
        return False
    if ended is None:
        return False
    wardens.discard(ended.si_pid)
    tree.kill(besides=wardens)
    return True
