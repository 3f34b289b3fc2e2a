"""Which system calls a job may make: the rules, and the programs that are made of them.

Two programs are stacked in a child, in this order. `lending` sends what names a destination to
the broker; `denying` takes away what no scanner needs. Where both have a say the stricter
counts. They decide by numbers alone: what a pointer leads to can change after a look.
"""

from __future__ import annotations

import errno
from functools import cache
from typing import Final

from kastrun.sandbox.bpf import ALLOW, NOTIFY, Rule, Test, assemble, fail

HANDOVER: Final = 0x20000804  # MSG_FASTOPEN, MSG_CONFIRM, MSG_DONTROUTE
"""With these flags, which no program has a use for together, `sendmsg` carries the listener out."""

_NOT_PERMITTED: Final = fail(errno.EPERM)
_NO_SUCH_CALL: Final = fail(errno.ENOSYS)
_NO_SUCH_FAMILY: Final = fail(errno.EAFNOSUPPORT)

_TYPE: Final = 0xF
"""The bits of a socket's type that are no flags."""
_ROUTE: Final = 0
"""NETLINK_ROUTE: interfaces, addresses, routes."""
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _AF_PACKET = 1, 2, 10, 16, 17
_STREAM, _DGRAM, _RAW = 1, 2, 3

_SOL_IP: Final = 0
_IP_OPTIONS: Final = 4
_IP_JOINS: Final = (35, 39, 42, 46)
_SOL_IPV6: Final = 41
_IPV6_ROUTED: Final = (3, 4, 5, 6, 32, 54, 55, 57, 59)
"""Options that bring in extension headers, and so a routing header; a flow label (32) may hold one."""
_IPV6_JOINS: Final = (20, 27, 42, 46)

_NAMESPACES: Final = 0x7E020000
"""CLONE_NEW…: user, mount, PID, network, IPC, UTS, cgroup. (`clone` cannot make a time namespace.)"""
_PRIO_USER: Final = 2
_IOPRIO_WHO_USER: Final = 3
"""With 0 these mean every process of the user."""
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C

_SYSTEM: Final = """
    mount umount2 pivot_root chroot open_tree open_tree_attr move_mount mount_setattr
    fsopen fsconfig fsmount fspick open_by_handle_at
    unshare setns
    init_module finit_module delete_module kexec_load kexec_file_load reboot
    swapon swapoff acct quotactl quotactl_fd nfsservctl syslog
    settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname
    iopl ioperm vhangup modify_ldt uselib ustat sysfs lookup_dcookie
    bpf perf_event_open userfaultfd fanotify_init
    keyctl add_key request_key
    move_pages migrate_pages
"""
"""The machine, its kernel, and the keys of whoever is logged in: an attack surface and nothing else."""
_OTHERS: Final = "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd"
"""Other processes, looked into."""
_SHARED: Final = """
    shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink
"""
"""What all processes of a user share, where there is no IPC namespace."""
_ATTRIBUTES: Final = """
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat file_setattr
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
"""
"""Rights, owners and times of files, of which Landlock knows nothing: where a root of its own does not
keep a job from the user's files it may change none, its own neither, for a name can lead anywhere."""
_SET_FLAGS: Final = (0x40086602, 0x401C5820)
"""FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR: as `chattr`."""
_TIMED: Final = "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr"
"""Limits and priorities of the process that the first argument names; 0 is the caller."""


@cache
def programs(*, namespaces: bool, joins: bool = False) -> tuple[bytes, ...]:
    """What a job with a broker is held to, in the order in which it is installed.

    `joins`: it may join multicast groups, which tells the network of it.
    """
    return lending(joins=joins), denying(namespaces=namespaces)


def lending(*, joins: bool = False) -> bytes:
    """Every way to name a destination asks the listener; other ways to the network are closed."""
    return assemble(
        [
            *(
                Rule("socket", NOTIFY, (Test(0, "is", family), Test(1, "is", kind, _TYPE)))
                for family in (_AF_INET, _AF_INET6)
                for kind in (_STREAM, _DGRAM)
            ),
            *_local_sockets(),
            Rule("connect bind sendmmsg", NOTIFY),
            Rule("sendto", NOTIFY, (Test(4, "given"),)),  # without an address it is `send`
            Rule("sendmsg", ALLOW, (Test(2, "is", HANDOVER),)),  # closed by `denying`
            Rule("sendmsg", NOTIFY),
            Rule("listen", fail(errno.EACCES)),
            *_routed(),
            *(() if joins else _joined()),
        ]
    )


def denying(*, namespaces: bool) -> bytes:
    """What no job may do, broker or not. In namespaces it may have what is its own there."""
    zero_only = (Test(0, "is not", 0),)
    return assemble(
        [
            Rule("ioctl", _NOT_PERMITTED, (Test(1, "is", _TIOCSTI),)),
            Rule("ioctl", _NOT_PERMITTED, (Test(1, "is", _TIOCLINUX),)),
            Rule("clone", _NOT_PERMITTED, (Test(0, "has", _NAMESPACES),)),
            Rule("clone3", _NO_SUCH_CALL),  # its flags are behind a pointer; libraries fall back to clone
            Rule("sendmsg", _NOT_PERMITTED, (Test(2, "is", HANDOVER),)),
            Rule("io_uring_setup io_uring_enter io_uring_register", _NO_SUCH_CALL),
            Rule(_OTHERS, _NOT_PERMITTED),
            Rule(_SYSTEM, _NOT_PERMITTED),
            *(
                ()
                if namespaces
                else (
                    Rule(_SHARED, _NOT_PERMITTED),
                    Rule(_ATTRIBUTES, _NOT_PERMITTED),
                    *(Rule("ioctl", _NOT_PERMITTED, (Test(1, "is", flags),)) for flags in _SET_FLAGS),
                    # The times of an open file to now: `touch` does no more.
                    Rule("utimensat", _NOT_PERMITTED, (Test(1, "given"),)),
                    Rule("utimensat", _NOT_PERMITTED, (Test(2, "given"),)),
                    Rule(_TIMED, _NOT_PERMITTED, zero_only),
                    Rule("setpriority ioprio_set", _NOT_PERMITTED, (Test(1, "is not", 0),)),
                    Rule("setpriority", _NOT_PERMITTED, (Test(0, "is", _PRIO_USER),)),
                    Rule("ioprio_set", _NOT_PERMITTED, (Test(0, "is", _IOPRIO_WHO_USER),)),
                )
            ),
        ]
    )


def _local_sockets() -> list[Rule]:
    """What stays in the machine is the kernel's own; everything not named before is refused."""
    return [
        Rule("socket", ALLOW, (Test(0, "is", _AF_UNIX),)),
        Rule("socket", ALLOW, (Test(0, "is", _AF_NETLINK), Test(2, "is", _ROUTE))),
        *(
            Rule("socket", _NOT_PERMITTED, (Test(0, "is", family), Test(1, "is", _RAW, _TYPE)))
            for family in (_AF_INET, _AF_INET6)
        ),
        Rule("socket", _NOT_PERMITTED, (Test(0, "is", _AF_PACKET),)),
        Rule("socket", _NO_SUCH_FAMILY),
        Rule("socketpair", _NO_SUCH_FAMILY, (Test(0, "is not", _AF_UNIX),)),
    ]


def _routed() -> list[Rule]:
    """A packet goes where its destination says, by no way of the sender's choosing."""
    options = [(_SOL_IP, _IP_OPTIONS), *((_SOL_IPV6, option) for option in _IPV6_ROUTED)]
    return [_option(level, option) for level, option in options]


def _joined() -> list[Rule]:
    """To join a group is to send it a packet."""
    options = [(_SOL_IP, option) for option in _IP_JOINS]
    options += [(_SOL_IPV6, option) for option in _IPV6_JOINS]
    return [_option(level, option) for level, option in options]


def _option(level: int, option: int) -> Rule:
    return Rule("setsockopt", _NOT_PERMITTED, (Test(1, "is", level), Test(2, "is", option)))
