"""The broker: a job names destinations, and the broker goes there with its own copy of the socket.

Runs in the job's warden, in its loop: no thread, no waiting. It looks at nothing that the
job could change afterwards: address and data are copied, judged, and used from the copy.
When it is gone every call that would need it fails.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import struct
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final

from kastrun.reach import Reach
from kastrun.sandbox import kernel, message
from kastrun.sandbox.calls import NUMBERS
from kastrun.sandbox.copies import Copies, Copy
from kastrun.sandbox.destinations import INTERNET, STREAM, Destinations
from kastrun.sandbox.ledger import Ledger
from kastrun.sandbox.message import Message
from kastrun.sandbox.notify import Call, Gone, Listener
from kastrun.sandbox.rules import Rules
from kastrun.sandbox.sending import Sending
from kastrun.sandbox.sockaddr import family_of, parse
from kastrun.sandbox.stub import Stub
from kastrun.sandbox.waiting import READY, Waiting

Note = Callable[[tuple[Any, ...]], None]
"""Told `("ask", name)` where a name has to be pinned, and `("egress", lines)` at the end."""

_AT_ONCE: Final = 32
"""Calls that are answered before the warden is heard again."""
_MOST_COPIES: Final = 16_384
_OTHER_DESCRIPTORS: Final = 256
_LINES: Final = 64
"""Of the ledger, told at once: a packet has its limit."""
_PROTOCOLS: Final[dict[int, tuple[int, int]]] = {
    socket.SOCK_STREAM: (0, socket.IPPROTO_TCP),
    socket.SOCK_DGRAM: (0, socket.IPPROTO_UDP),
}
_NETLINK_ADDRESS: Final = struct.Struct("=HHII")
_BEGUN: Final = (0, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN)


class Broker:
    """One job's broker. Its `fileno` is ready when `serve` has something to do.

    `note` hears what is for kastrun; `pids` gives the processes of the job.
    """

    def __init__(self, listener: int, reach: Reach, note: Note, pids: Callable[[], Iterable[int]]) -> None:
        self._listener, self._note = Listener(listener), note
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._rules, self._ledger = Rules(reach), Ledger()
        self._stub = Stub(self._rules, self._ledger, lambda name: note(("ask", name)), self._epoll)
        self._destinations = Destinations(
            self._rules, self._ledger, self._stub, resolves=reach.network == "scope"
        )
        self._copies = Copies(self._listener, pids, min(_MOST_COPIES, _descriptors() - _OTHER_DESCRIPTORS))
        self._waiting = Waiting(self._epoll)
        self._sending = Sending(self._listener, self._destinations, self._waiting)
        self._handlers = {
            NUMBERS["socket"]: self._socket,
            NUMBERS["connect"]: self._connect,
            NUMBERS["bind"]: self._bind,
            NUMBERS["sendto"]: self._sendto,
            NUMBERS["sendmsg"]: self._sendmsg,
            NUMBERS["sendmmsg"]: self._sendmmsg,
        }

    def fileno(self) -> int:
        """Of an epoll: to be waited for, not to be read."""
        return self._epoll.fileno()

    def seconds(self) -> float | None:
        """How long from now `serve` has to be called though nothing is ready; None: not at all."""
        return self._waiting.seconds()

    def serve(self) -> None:
        """Answer what can be answered."""
        for _ in range(_AT_ONCE):
            ready = self._epoll.poll(0)
            if not ready:
                break
            for fd, events in ready:
                self._hear(fd, events)
        for call, go_on in self._waiting.overdue():
            self._conclude(call, go_on)

    def pin(self, name: str, addresses: Iterable[str]) -> None:
        """The answer to `("ask", name)`; no address where it has none, or must not be reached."""
        self._rules.pin(name, addresses)
        self._stub.known(name)

    def close(self) -> None:
        """Tell what was contacted, and let go of everything."""
        lines = self._ledger.lines() if self._rules.told else iter(())
        while told := list(islice(lines, _LINES)):
            self._note(("egress", told))
        self._stub.close()
        self._waiting.close()
        self._copies.close()
        self._epoll.close()
        self._listener.close()

    def _hear(self, fd: int, events: int) -> None:
        if fd == self._listener.fd:
            if events & select.EPOLLHUP:
                self._epoll.unregister(fd)  # nobody is left who could call
                return
            try:
                call = self._listener.receive()
            except Gone:
                return
            self._conclude(call, partial(self._handlers[call.number], call))
        elif not self._stub.serve(fd):
            for call, go_on in self._waiting.ready(fd):
                self._conclude(call, go_on)

    def _conclude(self, call: Call, act: Callable[[], int | None]) -> None:
        """Answer a call with what comes of `act`; None is answered later, or was already."""
        try:
            value = act()
        except Gone:
            return
        except OSError as error:
            self._listener.fail(call, error.errno or errno.EACCES)
            return
        if value is not None:
            self._listener.answer(call, value)

    def _socket(self, call: Call) -> None:
        family, kind, protocol = (call.int(place) for place in range(3))
        if protocol not in _PROTOCOLS[kind & 0xF]:
            raise OSError(errno.EPROTONOSUPPORT, "neither TCP nor UDP")
        self._copies.lend(call, family, kind, protocol)

    def _connect(self, call: Call) -> int | None:
        raw = message.read_name(call.tid, call.arguments[1], call.int(2))
        return self._with_copy(call, lambda copy: self._go(call, copy, raw))

    def _bind(self, call: Call) -> int | None:
        raw = message.read_name(call.tid, call.arguments[1], call.int(2))
        return self._with_copy(call, lambda copy: _bind(copy, raw))

    def _sendto(self, call: Call) -> int | None:
        name = message.read_name(call.tid, call.arguments[4], call.int(5))
        pieces = ((call.arguments[1], call.arguments[2]),)
        return self._send(call, Message(call.tid, name, pieces, (), call.int(3)))

    def _sendmsg(self, call: Call) -> int | None:
        return self._send(call, message.read_header(call.tid, call.arguments[1], call.int(2)))

    def _send(self, call: Call, sent: Message) -> int | None:
        def send(copy: Copy) -> int | None:
            return self._sending.one(call, copy, sent, patient=_patient(copy, sent.flags))

        return self._with_copy(call, send)

    def _sendmmsg(self, call: Call) -> int | None:
        def send(copy: Copy) -> int | None:
            return self._sending.many(call, copy, patient=_patient(copy, call.int(3)))

        return self._with_copy(call, send)

    def _with_copy(self, call: Call, act: Callable[[Copy], int | None]) -> int | None:
        copy = self._copies.find(call)
        try:
            self._listener.check(call)  # so what was read was its maker's
            return act(copy)
        finally:
            self._copies.give_back(copy)

    # Connections

    def _go(self, call: Call, copy: Copy, raw: bytes) -> int | None:
        if family_of(raw) == socket.AF_UNSPEC and copy.family in INTERNET:
            kernel.disconnect(copy.socket.fileno())
            self._copies.hold(copy)
            return 0
        to, led = self._destinations.of(copy, raw)
        if copy.kind == STREAM:
            return self._begin(call, copy, to, led=led)
        copy.socket.connect(to)
        if led:
            self._destinations.reached(copy)
        return 0

    def _begin(self, call: Call, copy: Copy, to: tuple[Any, ...], *, led: bool) -> int | None:
        """Begin a TCP connection; whoever wants to be kept waiting is."""
        patient, fd = copy.blocks, copy.socket.fileno()
        os.set_blocking(fd, False)
        number = copy.socket.connect_ex(to)
        if led:
            self._destinations.reached(copy)
        if patient and number in (errno.EINPROGRESS, errno.EALREADY):
            self._waiting.add(call, copy, partial(self._connected, copy))
            return None
        os.set_blocking(fd, patient)
        if number in _BEGUN:
            self._copies.let_go(copy)
        if number:
            raise OSError(number, "connect")
        return 0

    def _connected(self, copy: Copy, waited: Copy, why: int) -> int:
        ours = waited.socket
        number = ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if why == READY else why
        os.set_blocking(ours.fileno(), True)
        if number:
            raise OSError(errno.EINPROGRESS if number == errno.EAGAIN else number, "connect")
        self._copies.let_go(copy)
        return 0


def _bind(copy: Copy, raw: bytes) -> int:
    """To a port of the kernel's choosing: a port of one's own would be one to be called at."""
    if copy.family == socket.AF_NETLINK and len(raw) >= _NETLINK_ADDRESS.size:
        copy.socket.bind(_NETLINK_ADDRESS.unpack_from(raw)[2:])
        return 0
    if copy.family not in INTERNET:
        raise OSError(errno.EACCES, "a local socket for others")
    address = parse(raw, nowhere=True)
    if address.port:
        raise OSError(errno.EACCES, "a port of its own")
    copy.socket.bind(address.to(copy.family))
    return 0


def _patient(copy: Copy, flags: int) -> bool:
    return not flags & socket.MSG_DONTWAIT and copy.blocks


def _descriptors() -> int:
    """As many descriptors as we may have, for ours to be no fewer than a job's. Its own limit is set anew."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
