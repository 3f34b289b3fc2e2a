"""Starts one attack as a warden would start a job: reads an order (JSON), confines, waits, ends alike."""

import json
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kastrun.sandbox import landlock, namespaces
from kastrun.sandbox.begin import Begun, Command, begin
from kastrun.sandbox.orders import Orders

READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def orders(order: dict) -> Orders:
    namespaces = order["level"] == "strict"
    return Orders(
        namespaces=namespaces,
        netns=namespaces,
        work=order["work"],
        readable=tuple(path for path in READABLE if os.path.exists(path) and not os.path.islink(path)),
        links=tuple((path, os.readlink(path)) for path in READABLE if os.path.islink(path)),
        devices=DEVICES,
        files=(("/etc/passwd", b"plugin:x:1000:1000::/:/bin/sh\n"),),
        tmpfs_bytes=64 << 20,
        tmpfs_inodes=8192,
        inner_ids=(1000, 1000),
        capabilities=0,
        rlimits=(
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 64 << 20),
            (resource.RLIMIT_NOFILE, 1024),
            (resource.RLIMIT_DATA, 512 << 20),
        ),
        oom_score_adj=1000,
        landlock=landlock.abi(),
        own_tcp=False,
        filters=(),
        listener=False,
        cgroup="",
    )


def main() -> int:
    order = json.loads(sys.argv[1])
    argv = [os.fsencode(word) for word in order["argv"]]
    if order["level"] == "off":
        os.chdir(order["work"])
        begun = Begun(os.posix_spawn(argv[0], argv, os.environ, setsid=True), -1)
    else:
        environment = {b"PATH": b"/usr/bin:/bin", b"HOME": os.fsencode(order["work"])}
        fds = [os.dup(fd) for fd in (0, 1, 2)]
        begun = begin(orders(order), Command(argv[0], argv, environment, fds))
    if begun.ended >= 0:
        (status,) = namespaces.ENDED.unpack(os.read(begun.ended, namespaces.ENDED.size))
    else:
        status = os.waitpid(begun.pid, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


sys.exit(main())
