"""What a child reads from standard input, on its way in.

Both ends of the pipe stay ours, so that what was left unread can be counted. What fits
the pipe is in it before the child is started; the rest is pushed as there is room.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios


class Stdin:
    """A pipe that holds `content`, or its beginning."""

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
        """Whether bytes of it were never read."""
        size: int = struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"\0" * 4))[0]
        return size > 0 or bool(self.pending)

    def close(self) -> None:
        """Let go of both ends. Idempotent: a child that is closed early is closed again at its end."""
        self.end()
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1
