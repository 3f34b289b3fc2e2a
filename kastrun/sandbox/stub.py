"""The resolver that a job really speaks to, whichever it means to: on loopback, out of the pins.

Whoever sends to port 53 outside the scope is led here, so no question leaves the machine.
A name of the scope that nothing is known of yet is asked of kastrun, which asks once for the
whole run. Only sockets that were led here are answered.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from kastrun.sandbox import dns
from kastrun.sandbox.ledger import Ledger
from kastrun.sandbox.rules import Rules
from kastrun.sandbox.sockaddr import Address

PORT: Final = 53
_AT_ONCE: Final = 64
_MOST_CONNECTIONS: Final = 64
_MOST_WAITING: Final = 256
_MOST_BYTES: Final = 4096
_LENGTH: Final = struct.Struct("!H")


class _Asker(NamedTuple):
    """Whom an answer goes to: a peer of a UDP socket, or the other end of a connection."""

    socket: socket.socket
    peer: tuple[str, int] | None

    def tell(self, packet: bytes) -> None:
        with suppress(OSError):  # it has closed, or takes no more: it asked, it may ask again
            if self.peer is not None:
                self.socket.sendto(packet, self.peer)
            else:
                self.socket.send(_LENGTH.pack(len(packet)) + packet, socket.MSG_DONTWAIT)


class Stub:
    """Its sockets are in `epoll`; `serve` is called with those that are ready. Made when first needed."""

    def __init__(self, rules: Rules, ledger: Ledger, ask: Callable[[str], None], epoll: select.epoll) -> None:
        self._rules, self._ledger, self._ask, self._epoll = rules, ledger, ask, epoll
        self._doors: dict[tuple[str, int], socket.socket] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._connections: dict[int, bytes] = {}
        self._expected: set[int] = set()
        self._waiting: dict[str, list[tuple[dns.Question, _Asker]]] = {}

    def lead(self, meant: Address, kind: int) -> Address:
        """The address to contact instead of a resolver's. Raises OSError where none can be had."""
        text = "::1" if meant.version == 6 else str(meant) if meant.number >> 24 == 127 else "127.0.0.1"
        door = self._doors.get((text, kind))
        if door is None:
            door = self._doors[text, kind] = self._open(text, kind)
        port = door.getsockname()[1]
        number = 1 if text == "::1" else int.from_bytes(socket.inet_aton(text), "big")
        return meant._replace(number=number, port=port, zone=0)

    def expect(self, port: int) -> None:
        """A socket of the job, bound to this port, was led here."""
        self._expected.add(port)

    def serve(self, fd: int) -> bool:
        """Whether `fd` is the stub's; then what came is answered."""
        found = self._sockets.get(fd)
        if found is None:
            return False
        if found.type == socket.SOCK_DGRAM:
            self._hear_packets(found)
        elif fd in self._connections:
            self._hear_connection(found)
        else:
            self._accept(found)
        return True

    def known(self, name: str) -> None:
        """A name has been pinned: answer whoever asked for it."""
        for question, asker in self._waiting.pop(name, ()):
            self._answer(question, asker)

    def close(self) -> None:
        """Close everything."""
        for each in self._sockets.values():
            each.close()

    def _open(self, text: str, kind: int) -> socket.socket:
        door = socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET, kind)
        try:
            door.setblocking(False)
            door.bind((text, 0))
            if kind == socket.SOCK_STREAM:
                door.listen()
        except OSError:
            door.close()
            raise
        self._keep(door)
        return door

    def _keep(self, each: socket.socket) -> None:
        self._sockets[each.fileno()] = each
        self._epoll.register(each.fileno(), select.EPOLLIN)

    def _drop(self, each: socket.socket) -> None:
        fd = each.fileno()
        self._epoll.unregister(fd)
        del self._sockets[fd]
        del self._connections[fd]
        each.close()

    def _hear_packets(self, door: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet, peer = door.recvfrom(_MOST_BYTES)
            except OSError:  # no more, or an error of an answer that nobody took
                return
            if peer[1] in self._expected:
                self._hear(packet, _Asker(door, peer))

    def _accept(self, door: socket.socket) -> None:
        with suppress(OSError):
            new, peer = door.accept()
            if peer[1] not in self._expected or len(self._connections) >= _MOST_CONNECTIONS:
                new.close()
                return
            new.setblocking(False)
            self._connections[new.fileno()] = b""
            self._keep(new)

    def _hear_connection(self, connection: socket.socket) -> None:
        fd = connection.fileno()
        try:
            data = connection.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        held = self._connections[fd] + data
        while len(held) >= 2 and len(held) >= 2 + (size := _LENGTH.unpack_from(held)[0]):
            self._hear(held[2 : 2 + size], _Asker(connection, None))
            held = held[2 + size :]
        self._connections[fd] = held

    def _hear(self, packet: bytes, asker: _Asker) -> None:
        question = dns.read(packet)
        if question is None:
            return
        name = question.name
        if not question.plain or name in self._rules.pins or not self._rules.knows(name):
            self._answer(question, asker)
        elif sum(map(len, self._waiting.values())) >= _MOST_WAITING:
            asker.tell(dns.answer(question, dns.FAILED, by_udp=asker.peer is not None))
        elif name in self._waiting:
            self._waiting[name].append((question, asker))
        else:
            self._waiting[name] = [(question, asker)]
            self._ask(name)

    def _answer(self, question: dns.Question, asker: _Asker) -> None:
        addresses = self._rules.pins.get(question.name) if self._rules.knows(question.name) else None
        code = dns.ANSWERED if addresses else dns.NO_SUCH_NAME
        self._ledger.ask(question.name, "allowed" if addresses or self._in_scope(question) else "refused")
        asker.tell(dns.answer(question, code, addresses or (), by_udp=asker.peer is not None))

    def _in_scope(self, question: dns.Question) -> bool:
        """Whether it asks for the name of an address that may be contacted; it has none here."""
        address = question.reverse
        return address is not None and self._rules.judge(*address, 0) == "allowed"
