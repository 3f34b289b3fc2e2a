"""Another process's memory, read and written from outside.

An ancestor with the same user may do that, except to a process that made itself undumpable;
then the call whose arguments cannot be read fails.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Sequence
from typing import Final

from kastrun.sandbox.calls import NUMBERS

_MOST_PIECES: Final = 1024


class _Piece(ctypes.Structure):
    _fields_ = (("address", ctypes.c_size_t), ("size", ctypes.c_size_t))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SYSCALL: Final = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long
_READ: Final = ctypes.c_long(NUMBERS["process_vm_readv"])
_WRITE: Final = ctypes.c_long(NUMBERS["process_vm_writev"])


def read(tid: int, address: int, size: int) -> bytes:
    """Raises OSError: EFAULT where it is not there, EACCES where we may not look."""
    return gather(tid, ((address, size),)) if size else b""


def gather(tid: int, pieces: Sequence[tuple[int, int]]) -> bytes:
    """What lies at addresses of these sizes, joined. Raises OSError as `read` does."""
    if len(pieces) > _MOST_PIECES:
        raise OSError(errno.EMSGSIZE, "too many pieces")
    total = sum(size for _, size in pieces)
    buffer = ctypes.create_string_buffer(total)
    remote = (_Piece * len(pieces))(*(_Piece(*piece) for piece in pieces))
    local = _Piece(ctypes.addressof(buffer), total)
    _move(_READ, tid, local, remote, total)
    return buffer.raw


def write(tid: int, address: int, data: bytes) -> None:
    """Raises OSError as `read` does."""
    buffer = ctypes.create_string_buffer(data, len(data))
    local = _Piece(ctypes.addressof(buffer), len(data))
    _move(_WRITE, tid, local, (_Piece * 1)(_Piece(address, len(data))), len(data))


def _move(number: ctypes.c_long, tid: int, local: _Piece, remote: ctypes.Array[_Piece], size: int) -> None:
    moved = _SYSCALL(
        number,
        tid,
        ctypes.byref(local),
        ctypes.c_long(1),
        remote,
        ctypes.c_long(len(remote)),
        ctypes.c_long(0),
    )
    if moved == size:
        return
    number_ = ctypes.get_errno() if moved < 0 else errno.EFAULT
    raise OSError(errno.EACCES if number_ == errno.EPERM else number_, "memory of another process")
