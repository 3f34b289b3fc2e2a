"""System calls that Python has no name for, by number. x86_64 Linux only, and says so elsewhere.

Every call raises OSError, with the call's name in its text. Nothing here knows what it is
used for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from typing import Any, Final

from kastrun.sandbox.calls import NUMBERS

SUPPORTED: Final = os.uname()[0] == "Linux" and os.uname()[4] == "x86_64"
"""Whether these numbers mean here what they say."""

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_RAISE: Final = 2

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

_CAPABILITY_VERSION_3: Final = 0x20080522
_CLOSE_RANGE_CLOEXEC: Final = 4

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def call(name: str, *arguments: Any) -> int:
    """A system call by its name. Integers, bytes and None are passed as they are. Raises OSError."""
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _libc.syscall(ctypes.c_long(NUMBERS[name]), *passed)
    if result < 0:
        raise _failed(name)
    return result


def fork(flags: int) -> int:
    """Fork, the child born into the new namespaces that `flags` name. Raises OSError.

    Only for a process with one thread: glibc does not know of it.
    """
    if not flags:
        return os.fork()
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = _libc.syscall(
        ctypes.c_long(NUMBERS["clone"]), ctypes.c_long(flags | signal.SIGCHLD), 0, 0, 0, 0
    )
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(number, f"clone: {os.strerror(number)}")
    return pid


def default_signal(number: int) -> None:
    """The kernel's default action, in far fewer steps than Python's."""
    _libc.signal(number, None)


def write(path: str, content: bytes) -> None:
    """Into a file that is there, in one write. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, content)
    finally:
        os.close(file)


def prctl(option: int, *arguments: int) -> int:
    """Raises OSError."""
    padded = [*arguments, 0, 0, 0, 0][:4]
    result: int = _libc.prctl(option, *(ctypes.c_ulong(each) for each in padded))
    if result < 0:
        raise _failed(f"prctl {option}")
    return result


def mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    """Raises OSError."""
    encoded = [text.encode() for text in (source, target, kind)]
    if _libc.mount(*encoded, ctypes.c_ulong(flags), data.encode()) < 0:
        raise _failed(f"mount {kind} {target}")


def unmount(target: str, flags: int) -> None:
    """Raises OSError."""
    if _libc.umount2(os.fsencode(target), flags) < 0:
        raise _failed(f"umount {target}")


def disconnect(fd: int) -> None:
    """Of a socket: it may be connected anew. Raises OSError."""
    if _libc.connect(fd, bytes(16), 16) < 0:  # AF_UNSPEC
        raise _failed("connect")


def capabilities() -> int:
    """The effective capabilities of this thread, as a bit mask."""
    data = ctypes.create_string_buffer(24)
    call("capget", struct.pack("Ii", _CAPABILITY_VERSION_3, 0), data)
    low, _, _, high, _, _ = struct.unpack("6I", data.raw)
    return int(low | high << 32)


def set_capabilities(mask: int) -> None:
    """Effective, permitted and inheritable are `mask` from now on. Raises OSError."""
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    call("capset", header, struct.pack("6I", low, low, low, high, high, high))


def close_on_exec(first: int) -> None:
    """Every descriptor from `first` on closes when a program begins. Raises OSError."""
    call("close_range", first, 0xFFFFFFFF, _CLOSE_RANGE_CLOEXEC)


def close_from(first: int) -> None:
    """Close every descriptor from `first` on. Raises OSError."""
    call("close_range", first, 0xFFFFFFFF, 0)


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
