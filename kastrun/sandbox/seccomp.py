"""Installing seccomp programs, and handing over the listener of the first."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

from kastrun.sandbox import kernel
from kastrun.sandbox.filters import HANDOVER

_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 1 << 3
_WAIT_KILLABLE: Final = 1 << 5
_INSTRUCTION: Final = 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(filters: Sequence[bytes], channel: int) -> None:
    """Install each, for good. `channel` takes the first one's listener; -1 for none. Raises OSError."""
    for index, code in enumerate(filters):
        if index or channel < 0:
            _install(code, 0)
        else:
            _hand_over(_listening(code), channel)


def _listening(code: bytes) -> int:
    try:
        return _install(code, _NEW_LISTENER | _WAIT_KILLABLE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _install(code, _NEW_LISTENER)  # before Linux 5.19


def _hand_over(listener: int, channel: int) -> None:
    with socket.socket(fileno=os.dup(channel)) as out:
        # Not send_fds, which does not pass its flags on (Python 3.11).
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))
        out.sendmsg([b"L"], [rights], HANDOVER)
    os.close(listener)


def _install(code: bytes, flags: int) -> int:
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // _INSTRUCTION, ctypes.addressof(buffer))
    return kernel.call("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(program))
