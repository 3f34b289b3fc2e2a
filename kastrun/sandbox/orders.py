"""What one job's process may do: decided, resolved, ready to be carried out.

Plain members only, so that it travels as a marshalled tuple: `tuple(orders)` there,
`Orders(*packet)` here. Every path is absolute and exists; nothing is looked up any more.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Orders(NamedTuple):
    """What `confine` shall make of a process."""

    namespaces: bool
    """User, mount, PID, IPC, UTS and cgroup namespaces, and a root of its own."""
    netns: bool
    """A network namespace with nothing in it; only with `namespaces`."""
    work: str
    """The job's folder, at the same path inside: the only place on disk that it may write."""
    readable: tuple[str, ...]
    """Files and folders that it may read and execute, at the same paths inside."""
    links: tuple[tuple[str, str], ...]
    """Symbolic links made for it, path and target (`/bin`); only with `namespaces`."""
    devices: tuple[str, ...]
    """Device files that it may read and write."""
    files: tuple[tuple[str, bytes], ...]
    """Files made for it, by their path (`/etc/passwd`); only with `namespaces`."""
    tmpfs_bytes: int
    """Size of `/tmp` and `/dev/shm`, which are one; only with `namespaces`."""
    tmpfs_inodes: int
    inner_ids: tuple[int, int]
    """User and group that it sees itself as; only with `namespaces`."""
    capabilities: int
    """Those that it keeps, as a bit mask. All others go, for good."""
    rlimits: tuple[tuple[int, int], ...]
    """Resource and value, for the soft and the hard limit."""
    oom_score_adj: int
    """How soon the kernel shall kill it when memory runs out; 1000 is first."""
    landlock: int
    """The Landlock version to use; 0 where there is none."""
    own_tcp: bool
    """Whether it may bind and connect TCP sockets of its own; not where a broker lends them."""
    filters: tuple[bytes, ...]
    """seccomp programs, installed in this order as the very last thing."""
    listener: bool
    """Whether the first of `filters` notifies a listener, which goes out on the channel."""
    cgroup: str
    """The folder of a cgroup to enter; empty for none."""
    reach: tuple[Any, ...] = ("none", "enforce")
    """What the broker holds it to, where there is a `listener`: the members of a `Reach`."""
