"""The user's keys while the live view is shown, without Enter and without echo; Ctrl-C stays a signal.

The terminal's mode is given back whatever happens, and never touched where this process is not
in the foreground: a shell's job in the background would be stopped for it.
"""

from __future__ import annotations

import os
import signal
import termios
import tty
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final, Self, TextIO

import trio

from kastrun.terminal.choice import Choice, decode

_LOOK_S: Final = 0.5
"""How often a job in the background looks whether it is in the foreground again."""


def open_hand(stdin: TextIO, screen: TextIO, environ: Mapping[str, str]) -> Hand | None:
    """The keys of the terminal on which the live view is drawn; None where there is none."""
    with suppress(OSError, ValueError):
        live = screen.isatty() and environ.get("TERM", "dumb") != "dumb"
        if live and stdin.isatty() and os.ttyname(stdin.fileno()) == os.ttyname(screen.fileno()):
            return Hand(stdin.fileno())
    return None


class Hand:
    """A context manager that holds the terminal's mode; `choice` is what the keys have chosen."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[Any] | None = None
        self.choice = Choice()

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            self._set(self._saved)

    def take(self) -> None:
        """Keys without Enter and echo; again after the shell had the terminal (SIGCONT)."""
        if not self._in_foreground():
            return
        with suppress(termios.error):  # it hung up
            self._saved = self._saved or termios.tcgetattr(self._fd)
            mode = termios.tcgetattr(self._fd)
            mode[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON)
            mode[tty.CC][termios.VMIN], mode[tty.CC][termios.VTIME] = 1, 0
            self._set(mode)

    async def keys(self) -> AsyncIterator[str]:
        """Each key as it is pressed, until the terminal is gone."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            if not self._in_foreground():
                await trio.sleep(_LOOK_S)  # what is typed there is the shell's
                continue
            try:
                data = os.read(self._fd, 64)
            except OSError:
                return
            if not data:
                return
            for key in decode(data):
                yield key

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def _set(self, mode: list[Any]) -> None:
        # In the background this would stop us (SIGTTOU), just when the mode is to be given back.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        signal.signal(signal.SIGTTOU, before)
