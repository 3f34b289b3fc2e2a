"""Who is contacted outside: listeners on loopback that write down everything that reaches them."""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType
from typing import Self

GREETING = b"hello"


class Listeners:
    """TCP and UDP at one port of several addresses, served by a thread. `heard` is asked at the end."""

    def __init__(self, *addresses: str, answer: bytes = GREETING) -> None:
        self._answer = answer
        self._heard: list[tuple[str, str, bytes]] = []
        self._selector = selectors.DefaultSelector()
        self._own, self._bell = socket.socketpair()
        self._selector.register(self._own, selectors.EVENT_READ)
        self.port = 0
        while not self._open_all(addresses):  # the port is taken at one of them
            self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _open_all(self, addresses: tuple[str, ...]) -> bool:
        doors: list[tuple[socket.socket, str]] = []
        for address in addresses:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                door = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
                doors.append((door, address))
                if door.family == socket.AF_INET6:
                    door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    door.bind((address, self.port))
                except OSError:
                    for each, _ in doors:
                        each.close()
                    return False
                self.port = door.getsockname()[1]
        for door, address in doors:
            if door.type == socket.SOCK_STREAM:
                door.listen(1024)
            self._selector.register(door, selectors.EVENT_READ, address)
        return True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bell.close()
        self._thread.join()
        for key in tuple(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._own:
                    return
                self._hear(key.fileobj, key.data)

    def _hear(self, door: socket.socket, address: str | None) -> None:
        if address is None:
            self._read(door)
        elif door.type == socket.SOCK_DGRAM:
            data, peer = door.recvfrom(65536)
            self._heard.append((address, "udp", data))
            door.sendto(self._answer, peer)
        else:
            connection, _ = door.accept()
            self._heard.append((address, "tcp", b""))
            self._selector.register(connection, selectors.EVENT_READ, None)
            try:
                connection.sendall(self._answer)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has gone; what counts is that it came

    def _read(self, connection: socket.socket) -> None:
        """Closed only when the other side is: data that nobody reads would make it a reset."""
        try:
            if connection.recv(65536):
                return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()

    def heard(self, *addresses: str) -> list[tuple[str, str, bytes]]:
        """What has reached these addresses so far, and nothing that is still on its way."""
        for key in tuple(self._selector.get_map().values()):
            if key.data in addresses and key.fileobj.type == socket.SOCK_DGRAM:
                self._knock(key.data)
        return [each for each in self._heard if each[0] in addresses and each[2] != b"knock"]

    def _knock(self, address: str) -> None:
        """Whatever was sent before a knock that was heard has been heard too."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as tcp:
            tcp.connect((address, self.port))
            while tcp.recv(100):
                pass
        self._heard.remove((address, "tcp", b""))
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.settimeout(20)
            udp.sendto(b"knock", (address, self.port))
            udp.recv(100)
