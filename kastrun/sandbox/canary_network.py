"""Canaries for the network: a confined process tries to reach what is in nobody's scope.

Runs in a warden, which lends the child its sockets as it would lend them to a job.
"""

from __future__ import annotations

import array
import errno
import marshal
import os
import select
import socket
from collections.abc import Callable
from typing import Any, Final, NoReturn

from kastrun.reach import Reach
from kastrun.sandbox import kernel, namespaces
from kastrun.sandbox.broker import Broker
from kastrun.sandbox.canary import HAPPENED
from kastrun.sandbox.confine import confine
from kastrun.sandbox.orders import Orders

_HERE: Final = ("127.0.0.1", 0)
_ROOM: Final = socket.CMSG_SPACE(array.array("i").itemsize)


def look(orders: Orders, sweep: Callable[[], object]) -> dict[str, int]:
    """`tcp` and `udp`, each with its errno or HAPPENED.

    Raises OSError where no sockets can be lent, which is tried too: what is in the scope must be reached.
    """
    ours, theirs = socket.socketpair()
    said, word = os.pipe()
    with (
        ours,
        socket.create_server(_HERE) as inside,
        socket.create_server(_HERE) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(_HERE)
        places = {"inside": inside.getsockname(), "tcp": tcp.getsockname(), "udp": udp.getsockname()}
        ids = os.geteuid(), os.getegid()
        pid = kernel.fork(namespaces.flags(orders))
        if not pid:
            _attempt(orders, theirs, word, ids, places)
        theirs.close()
        os.close(word)
        try:
            _serve(ours, said, places["inside"][1])
            told = marshal.loads(os.read(said, 4096) or marshal.dumps(()))  # noqa: S302 - our own child
        finally:
            os.close(said)
            os.waitpid(pid, 0)
            sweep()
        if not isinstance(told, dict):
            raise OSError(*told) if told else OSError(errno.EPERM, "it was killed")
        seen: dict[str, int] = told
        if number := seen.pop("inside"):
            raise OSError(number, f"a lent socket does not connect: {os.strerror(number)}")
        for name, door in (("tcp", tcp), ("udp", udp)):
            seen[name] = HAPPENED if _was_reached(door) else seen[name] or errno.EACCES
        return seen


def _attempt(
    orders: Orders, theirs: socket.socket, word: int, ids: tuple[int, int], places: dict[str, Any]
) -> NoReturn:
    try:
        os.setsid()
        if orders.namespaces:
            namespaces.settle(orders, *ids)
        # What is kept open lies above what `confine` closes at an exec, and there is none.
        confine(orders, theirs.fileno())
        theirs.close()
        seen = {
            "inside": _errno(lambda: socket.socket().connect(places["inside"])),
            "tcp": _errno(lambda: socket.socket().connect(places["tcp"])),
            "udp": _errno(
                lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"canary", places["udp"])
            ),
        }
        os.write(word, marshal.dumps(seen))
    except OSError as error:
        os.write(word, marshal.dumps((error.errno, str(error))))
    finally:
        os._exit(0)


def _errno(act: Callable[[], object]) -> int:
    try:
        act()
    except OSError as error:
        return error.errno or errno.EPERM
    return HAPPENED


def _serve(ours: socket.socket, said: int, port: int) -> None:
    """Lend sockets until the child has said what came of it; `port` of this machine is in its scope."""
    inside = ((4, int.from_bytes(socket.inet_aton(_HERE[0])), 0, port),)
    reach = Reach("scope", "enforce", allowed=inside, written=inside)
    _, extra, _, _ = ours.recvmsg(1, _ROOM, socket.MSG_CMSG_CLOEXEC)
    for _, _, some in extra:
        broker = Broker(array.array("i", some)[0], reach, lambda _: None, tuple)
        poll = select.poll()
        poll.register(broker, select.POLLIN)
        poll.register(said, select.POLLIN)
        while not any(fd == said for fd, _ in poll.poll()):
            broker.serve()
        broker.close()


def _was_reached(door: socket.socket) -> bool:
    return bool(select.select([door], [], [], 0)[0])
