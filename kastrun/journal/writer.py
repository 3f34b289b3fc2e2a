"""Appending: one write a batch, `seq` given here, fsync in groups, one writer at a time.

Each event is given as the bytes of its JSON object; the journal puts `seq` in front. A
line is whole in the kernel before anyone is shown it. A write that fails (full disk, I/O
error) is cut back to the last whole line, so that what was written stays readable.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from kastrun.errors import JournalError, UsageError

_BLOCK = 1 << 16
_SEQ = re.compile(rb'^\{"seq":(\d+),', re.MULTILINE)
_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "it reached the largest file size allowed (ulimit -f)",
}


class Journal:
    """An open journal that this process alone may write. Use as a context manager.

    Raises UsageError where another process holds it, JournalError where it cannot be
    opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dirty = False
        self._failed = False
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise JournalError(f"cannot open the journal {path}: {error.strerror}") from error
        self._lock()
        self._size = self._cut_torn_line()
        self._seq = self._last_seq()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, events: Iterable[bytes]) -> None:
        """Write JSON objects (bytes that begin with ``{`` and have at least one member) as lines."""
        if self._failed:
            raise JournalError(f"the journal {self.path} could not be written earlier on")
        lines = [b'{"seq":%d,%b\n' % (seq, event[1:]) for seq, event in enumerate(events, self._seq + 1)]
        self._write(b"".join(lines))
        self._seq += len(lines)
        self._dirty = True

    @property
    def empty(self) -> bool:
        """Whether nothing was ever written."""
        return self._size == 0

    @property
    def dirty(self) -> bool:
        """Whether anything was written since the last `sync`."""
        return self._dirty

    def sync(self) -> None:
        """Bring what was written to the disk. May be called from a thread. Raises JournalError."""
        self._dirty = False
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Sync and let go of the lock. Idempotent."""
        if self._fd < 0:
            return
        try:
            if self._dirty and not self._failed:
                self.sync()
        finally:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            self._failed = True
            os.ftruncate(self._fd, self._size)
            raise self._broken(error) from error
        self._size += len(data)

    def _cut_torn_line(self) -> int:
        """Drop the half line that a crash left at the end; the size of what is whole."""
        size = os.fstat(self._fd).st_size
        whole = size
        while whole:
            start = max(0, whole - _BLOCK)
            block = os.pread(self._fd, whole - start, start)
            if block.endswith(b"\n"):
                break
            whole = start + block.rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(self._fd, whole)
        return whole

    def _last_seq(self) -> int:
        """The number of the last line that has one, so that a resumed run goes on counting."""
        end, begun = self._size, b""
        while end > 0:
            start = max(0, end - _BLOCK)
            text = os.pread(self._fd, end - start, start) + begun
            begun, _, whole = text.partition(b"\n") if start else (b"", b"", text)
            if numbers := _SEQ.findall(whole):
                return int(numbers[-1])
            end = start
        return 0

    def _broken(self, error: OSError) -> JournalError:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        return JournalError(
            f"the journal {self.path} cannot be written: {reason}",
            hint=f"what was found until then is safe: `kastrun show {self.path.parent}`; "
            f"make room, then `kastrun resume {self.path.parent}`",
        )

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self._fd)
            os.close(self._fd)
            self._fd = -1
            raise UsageError(
                f"the journal {self.path} is being written by {holder}",
                hint="wait for that run to end, or stop it with Ctrl-C",
            ) from error


def held(path: Path) -> bool:
    """Whether a process is writing the journal at `path` now. Raises JournalError if it cannot be opened."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise JournalError(f"cannot open the journal {path}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _holder(fd: int) -> str:
    """``process 123`` by the kernel's list of locks, or ``another process``."""
    status = os.fstat(fd)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if wanted in fields and "FLOCK" in fields and "->" not in fields:
                return f"process {fields[4]}"
    except OSError:
        pass  # no such list here: the answer is then the one below
    return "another process"
