"""Starts one attack as a warden would start a job: reads an order (JSON), confines, waits, ends alike."""

import json
import os
import resource
import select
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kastrun.reach import Reach
from kastrun.sandbox import filters, landlock, namespaces
from kastrun.sandbox.begin import Begun, Command, begin
from kastrun.sandbox.broker import Broker
from kastrun.sandbox.orders import Orders
from kastrun.warden import tree

READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def orders(order: dict) -> Orders:
    namespaces = order["level"] == "strict"
    return Orders(
        namespaces=namespaces,
        netns=namespaces,
        work=order["work"],
        readable=(
            *(path for path in READABLE if os.path.exists(path) and not os.path.islink(path)),
            *order.get("readable", ()),
        ),
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
            (resource.RLIMIT_DATA, order.get("memory_mb", 512) << 20),
        ),
        oom_score_adj=1000,
        landlock=landlock.abi(),
        own_tcp=False,
        filters=filters.programs(namespaces=namespaces),
        listener=True,
        cgroup="",
    )


def broker(order: dict, begun: Begun, listener: int) -> None:
    """Serve until the attack has ended; what it contacted goes into the file that the order names."""
    notes: list = []
    reach = order.get("reach") or {"network": "none", "scope": "enforce"}
    mine = Broker(listener, Reach(**reach), notes.append, lambda: tree.descendants(os.getpid()))
    end = begun.ended if begun.ended >= 0 else os.pidfd_open(begun.pid)
    poll = select.poll()
    poll.register(mine, select.POLLIN)
    poll.register(end, select.POLLIN)
    while True:
        seconds = mine.seconds()
        if any(fd == end for fd, _ in poll.poll(None if seconds is None else 1000 * seconds)):
            break
        mine.serve()
        for note in [note for note in notes if note[0] == "ask"]:
            notes.remove(note)
            mine.pin(note[1], dict(order.get("names", ())).get(note[1], ()))
    mine.close()
    if "told" in order:
        Path(order["told"]).write_text(json.dumps([line for _, lines in notes for line in lines]))


def main() -> int:
    order = json.loads(sys.argv[1])
    argv = [os.fsencode(word) for word in order["argv"]]
    if order["level"] == "off":
        os.chdir(order["work"])
        begun = Begun(os.posix_spawn(argv[0], argv, os.environ, setsid=True), -1)
    else:
        environment = {b"PATH": b"/usr/bin:/bin", b"HOME": os.fsencode(order["work"])}
        fds = [os.dup(fd) for fd in (0, 1, 2)]
        channel, theirs = socket.socketpair()
        begun = begin(orders(order), Command(argv[0], argv, environment, fds), theirs.fileno())
        _, listeners, _, _ = socket.recv_fds(channel, 1, 1)
        broker(order, begun, listeners[0])
    if begun.ended >= 0:
        (status,) = namespaces.ENDED.unpack(os.read(begun.ended, namespaces.ENDED.size))
    else:
        status = os.waitpid(begun.pid, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


sys.exit(main())
