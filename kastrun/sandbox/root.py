"""A root of its own for a job: an empty tmpfs into which only what it may see is mounted.

Runs as the init of new namespaces, once, and leaves the old root out of reach. The trees
are taken before the new root covers them.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Final

from kastrun.sandbox import kernel
from kastrun.sandbox.orders import Orders

_NEW: Final = "/tmp"  # noqa: S108 - only a place to mount on, in a mount namespace of our own
_ROOT_SIZE: Final = "size=4m,nr_inodes=4096,mode=755"

_MS_RDONLY: Final = 1
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2

_RDONLY: Final = 1
_NOSUID: Final = 2
_NODEV: Final = 4

_CLONE: Final = 1 | os.O_CLOEXEC
_RECURSIVE: Final = 0x8000
_EMPTY_PATH: Final = 0x1000
_FROM_EMPTY_PATH: Final = 0x4
_HERE: Final = -100

_LINKS: Final = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)


def build(orders: Orders) -> None:
    """Make the root that `orders` describe, and enter it. Raises OSError."""
    _set(_HERE, b"/", _RECURSIVE, propagation=_MS_PRIVATE)
    trees = [(path, _tree(path, _RDONLY | _NOSUID | _NODEV)) for path in orders.readable]
    trees += [(path, _tree(path, _NOSUID)) for path in orders.devices]
    work = _tree(orders.work, _NOSUID | _NODEV)
    kernel.mount("tmpfs", _NEW, "tmpfs", _MS_NOSUID | _MS_NODEV, _ROOT_SIZE)
    os.chdir(_NEW)
    _mount_scratch(orders)
    for path, tree in sorted(trees):
        _attach(tree, path)
    _attach(work, orders.work)
    for path, target in (*_LINKS, *orders.links):
        _link(path, target)
    for path, content in orders.files:
        _write(path, content)
    os.makedirs("proc", 0o755, exist_ok=True)
    kernel.mount("proc", "proc", "proc", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "")
    _enter()


def _mount_scratch(orders: Orders) -> None:
    """`/tmp` and `/dev/shm`, which are one."""
    for folder in ("dev/shm", "tmp"):
        os.makedirs(folder, 0o755)
    size = f"size={orders.tmpfs_bytes},nr_inodes={orders.tmpfs_inodes},mode=1777"
    kernel.mount("tmpfs", "tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, size)
    _attach(_tree("tmp", _NOSUID | _NODEV), "/dev/shm")  # noqa: S108 - the job's own


def _tree(path: str, attributes: int) -> int:
    """A copy of all that is mounted at and below `path`, attached nowhere yet, with `attributes` added."""
    tree = kernel.call("open_tree", _HERE, os.fsencode(path), _CLONE | _RECURSIVE)
    _set(tree, b"", _RECURSIVE | _EMPTY_PATH, attributes)
    return tree


def _set(folder: int, path: bytes, flags: int, attributes: int = 0, propagation: int = 0) -> None:
    packed = struct.pack("4Q", attributes, 0, propagation, 0)
    kernel.call("mount_setattr", folder, path, flags, packed, len(packed))


def _attach(tree: int, path: str) -> None:
    """Put a tree at its place below the working directory, and let go of it."""
    place = path.lstrip("/")
    _make_room(place, folder=stat.S_ISDIR(os.fstat(tree).st_mode))
    kernel.call("move_mount", tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
    os.close(tree)


def _make_room(place: str, *, folder: bool) -> None:
    """A mount point, where there is none yet."""
    if os.path.lexists(place):
        return
    os.makedirs(place if folder else os.path.dirname(place), 0o755, exist_ok=True)
    if not folder:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _link(path: str, target: str) -> None:
    place = path.lstrip("/")
    if not os.path.lexists(place):
        os.makedirs(os.path.dirname(place) or ".", 0o755, exist_ok=True)
        os.symlink(target, place)


def _write(path: str, content: bytes) -> None:
    place = path.lstrip("/")
    os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
    with open(place, "wb") as file:
        file.write(content)


def _enter() -> None:
    """The working directory becomes the root, the old one is let go of, and the new one is read-only."""
    kernel.call("pivot_root", b".", b".")
    kernel.unmount(".", _MNT_DETACH)
    os.chdir("/")
    _set(_HERE, b"/", 0, _RDONLY | _NOSUID | _NODEV)
