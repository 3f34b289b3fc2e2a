"""Landlock: which files a process and its descendants may touch, whom they may signal.

Only ever takes away, cannot be undone, needs no privilege. What a version of the kernel
does not know is left out; `abi` says which version there is.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable
from typing import Final

from kastrun.sandbox import kernel

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_MAKE_CHAR: Final = 1 << 6
_MAKE_BLOCK: Final = 1 << 11
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_IOCTL_DEV: Final = 1 << 15

_FS: Final = (0, 0x1FFF, 0x1FFF | _REFER, 0x7FFF, 0x7FFF, 0xFFFF)
"""The file rights that each version knows; later ones know no more."""
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE: Final = 0xFFFF & ~(_EXECUTE | _MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV)
"""In the job's own folder. Without execute: what it writes there is no program."""
_DEVICE: Final = _READ_FILE | _WRITE_FILE | _IOCTL_DEV

_TCP: Final = 0b11
_NET_SINCE: Final = 4
SCOPES_SINCE: Final = 6
"""The version that keeps signals and abstract sockets within."""
_SCOPES: Final = 0b11

_VERSION_FLAG: Final = 1
_PATH_BENEATH: Final = 1


def abi() -> int:
    """The version that this kernel has; 0 where it has none, or has it switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _VERSION_FLAG)
    except OSError as error:
        if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
            return 0
        raise


def restrict(
    version: int, *, read: Iterable[str], write: Iterable[str], devices: Iterable[str], own_tcp: bool
) -> None:
    """Hold this process to these paths, from now on. Needs NO_NEW_PRIVS. Raises OSError.

    A path that is not there gives nothing, which is no less safe.
    """
    files = _FS[min(version, len(_FS) - 1)]
    net = 0 if own_tcp or version < _NET_SINCE else _TCP
    scopes = _SCOPES if version >= SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", files, net, scopes)[: _size(version)]
    ruleset = kernel.call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for paths, rights in ((read, _READ), (write, _WRITE), (devices, _DEVICE)):
            for path in paths:
                _allow(ruleset, path, rights & files)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _size(version: int) -> int:
    """Of the attributes as the version knows them; one that is longer is refused."""
    if version < _NET_SINCE:
        return 8
    return 16 if version < SCOPES_SINCE else 24


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, file)
        kernel.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(file)
