"""A policy made into orders for this machine: every path looked up, every limit a number.

Done once a plugin and a run; a job's own folder is put in later (`Confinement.orders_for`).
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kastrun.model import Held, Limits
from kastrun.policy import Machine, Policy
from kastrun.sandbox import filters
from kastrun.sandbox.installed import SYSTEM, needs
from kastrun.sandbox.orders import Orders

_MIB: Final = 1 << 20
_FILE_BYTES: Final = 512 * _MIB
_SCRATCH_BYTES: Final = 256 * _MIB
_SCRATCH_INODES: Final = 16384
_LOCKED_BYTES: Final = _MIB
"""Memory that cannot be swapped out: enough for keys."""
_DESCRIPTORS: Final = 1024
_PROCESSES: Final = 512
_FIRST_TO_DIE: Final = 1000

_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ETC: Final = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts", "gai.conf"),
    *("host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic", "mime.types"),
    *("nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "protocols"),
    *(
        "pki/tls/openssl.cnf",
        "resolv.conf",
        "services",
        "ssl/certs",
        "ssl/openssl.cnf",
        "terminfo",
        "timezone",
    ),
)
"""Of /etc, what programs read and everybody may; never the folder itself, which holds keys too."""
_ETC_PATTERNS: Final = ("java*", "perl*", "python3*", "ruby*")
_ACCOUNTS: Final = ("/etc/passwd", "/etc/group")
_KERNEL: Final = (
    *("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version", "cgroups"),
    *("sys/kernel", "sys/vm/overcommit_memory", "sys/net/core/somaxconn"),
)
"""Of /proc, what says nothing of any process; where a job has a /proc of its own it sees all of that."""
_CPUS: Final = "/sys/devices/system/cpu"
_COPIED: Final = 256 << 10
"""Files up to this size are copied into a root of its own: that is faster than a mount."""

_CAPABILITIES: Final = {"net_raw": 13}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to be confined: `programs` it runs (names or paths) along `path`, `folders` that it reads."""

    programs: Sequence[str]
    folders: Sequence[str]
    path: str
    limits: Limits


def draft(policy: Policy, machine: Machine, subject: Subject) -> Orders:
    """The orders of a plugin's jobs, but for their folders. `policy.means` is not `off`."""
    spaces = policy.means == "namespaces"
    etc = [*_existing(f"/etc/{name}" for name in _ETC), *_matching(_ETC_PATTERNS)]
    files = _copied(etc) if spaces else {}
    home = str(Path.home())
    also = [*subject.folders, *policy.read, *(path for path in etc if path not in files)]
    if not spaces:
        also += _existing((*_ACCOUNTS, *(f"/proc/{name}" for name in _KERNEL), _CPUS))
    found = needs(subject.programs, subject.path, home=home, also=also)
    system = _existing(SYSTEM)
    return Orders(
        namespaces=spaces,
        netns=spaces and (machine.broker or policy.network == "none"),
        work="",
        readable=(*(path for path in system if not os.path.islink(path)), *found.paths),
        links=(*((path, os.readlink(path)) for path in system if os.path.islink(path)), *found.links),
        devices=_existing(_DEVICES),
        files=(*files.items(), *_accounts()) if spaces else (),
        tmpfs_bytes=_SCRATCH_BYTES,
        tmpfs_inodes=_SCRATCH_INODES,
        inner_ids=_inner_ids(),
        capabilities=sum(1 << _CAPABILITIES[name] for name in policy.capabilities),
        rlimits=_rlimits(subject.limits, spaces=spaces),
        oom_score_adj=_FIRST_TO_DIE,
        landlock=machine.landlock,
        own_tcp=not machine.broker,
        filters=_filters(policy, machine, spaces=spaces),
        listener=machine.broker,
        cgroup="",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What holds the jobs of a plugin: orders, none where nothing does, and what a result says of it."""

    held: Held | None
    orders: Orders | None

    def orders_for(self, work: str, files: Iterable[str] = ()) -> Orders | None:
        """The orders of one job, whose folder is `work`, and whose targets are these `files`."""
        if self.orders is None:
            return None
        orders = self.orders._replace(work=os.path.realpath(work))
        found = needs((), "", home=str(Path.home()), also=filter(os.path.isfile, files))
        links = found.links if orders.namespaces else ()
        return orders._replace(readable=(*orders.readable, *found.paths), links=(*orders.links, *links))


UNCONFINED: Final = Confinement(held=None, orders=None)


def confinement(policy: Policy, machine: Machine, subject: Subject) -> Confinement:
    """What a policy comes to on this machine."""
    orders = None if policy.means == "off" else draft(policy, machine, subject)
    return Confinement(held=policy.held, orders=orders)


def _filters(policy: Policy, machine: Machine, *, spaces: bool) -> tuple[bytes, ...]:
    if not machine.broker:
        return (filters.denying(namespaces=spaces),)
    return filters.programs(namespaces=spaces, joins=policy.network == "full")


def _rlimits(limits: Limits, *, spaces: bool) -> tuple[tuple[int, int], ...]:
    """Each is of one process; the number of processes is the user's, and only in namespaces the job's."""
    cpu_s = math.ceil(limits.total_s * (os.cpu_count() or 1)) + 1
    bounds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: min(cpu_s, 1 << 31),
        resource.RLIMIT_DATA: limits.memory_mb * _MIB,
        resource.RLIMIT_FSIZE: _FILE_BYTES,
        resource.RLIMIT_MEMLOCK: _LOCKED_BYTES,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _DESCRIPTORS,
        resource.RLIMIT_RTPRIO: 0,
    }
    if spaces:
        bounds[resource.RLIMIT_NPROC] = _PROCESSES
    return tuple(bounds.items())


def _copied(paths: Iterable[str]) -> dict[str, bytes]:
    """The content of those that are small files."""
    return {
        path: Path(path).read_bytes()
        for path in paths
        if os.path.isfile(path) and os.access(path, os.R_OK) and os.path.getsize(path) <= _COPIED
    }


def _accounts() -> Iterable[tuple[str, bytes]]:
    uid, gid = _inner_ids()
    yield "/etc/passwd", b"plugin:x:%d:%d::/:/bin/sh\n" % (uid, gid)
    yield "/etc/group", b"plugin:x:%d:\n" % gid


def _inner_ids() -> tuple[int, int]:
    """Our own, but never the superuser's: programs that see 0 try what they may not."""
    return os.geteuid() or 1000, os.getegid() or 1000


def _existing(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if os.path.exists(path))


def _matching(patterns: Iterable[str]) -> list[str]:
    return [str(path) for pattern in patterns for path in Path("/etc").glob(pattern)]
