"""Run a command as in a container with a usual engine's default profile: `container.py COMMAND …`.

No namespace can be made, nothing mounted, no descriptor of another process taken, and the
superuser has a part of its capabilities. A subset of moby's seccomp profile and capabilities.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kastrun.sandbox import kernel, seccomp
from kastrun.sandbox.bpf import Rule, Test, assemble, fail

NAMESPACES = 0x7E020000
VSOCK = 40
SYS_ADMIN = 21
FORBIDDEN = """
    acct add_key bpf clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig
    fsmount fsopen fspick init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
    mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree perf_event_open
    pidfd_getfd pivot_root process_madvise quotactl quotactl_fd reboot request_key sethostname
    setdomainname setns settimeofday swapoff swapon syslog sysfs umount2 unshare uselib userfaultfd
    ustat vhangup io_uring_setup io_uring_enter io_uring_register
"""
KEPT = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 19, 27, 29, 31)
"""CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT,
MKNOD, AUDIT_WRITE, SETFCAP; and SYS_PTRACE, with which tests look at what an attack has done."""


def main() -> None:
    refused = fail(errno.EPERM)
    profile = assemble(
        [
            Rule(FORBIDDEN, refused),
            Rule("clone", refused, (Test(0, "has", NAMESPACES),)),
            Rule("clone3", fail(errno.ENOSYS)),
            Rule("socket", refused, (Test(0, "is", VSOCK),)),
        ]
    )
    if not kernel.capabilities() >> SYS_ADMIN & 1:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    seccomp.install((profile,), -1)
    if not os.geteuid():
        _drop()
    os.execvp(sys.argv[1], sys.argv[1:])


def _drop() -> None:
    for number in range(64):
        try:
            if number not in KEPT:
                kernel.prctl(kernel.PR_CAPBSET_DROP, number)
        except OSError:
            return  # one past the last


if __name__ == "__main__":
    main()
