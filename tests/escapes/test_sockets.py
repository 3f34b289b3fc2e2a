"""Attacks 57 to 60, 62 and 63: the ways to the network, and to other programs, that name no TCP or UDP."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from arena import Arena
from listeners import Listeners
from test_network import INSIDE, OUTSIDE, REACH, judged

CRAFTING = """
def crafted(host, port):
    data = b"crafted"
    udp = struct.pack("!4H", 4000, port, 8 + len(data), 0) + data
    lo, there = socket.inet_aton("127.0.0.1"), socket.inet_aton(host)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, lo, there)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + udp
"""


def permitted(arena: Arena) -> bool:
    """An ordinary user has no raw sockets anywhere: then there is nothing to take away, nor to show."""
    return arena.cell.who == "root"


def test_57_raw_packets(arena: Arena):
    with Listeners(OUTSIDE) as outside:
        said = arena.run(CRAFTING + """
def raw():
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(crafted(ARGS[0], int(ARGS[1])), (ARGS[0], 0))
attempt("raw", raw)
attempt("raw6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58))
""", OUTSIDE, outside.port, reach=tuple(REACH))  # fmt: skip
        escaped = (OUTSIDE, "udp", b"crafted") in outside.heard(OUTSIDE)
    if permitted(arena):
        arena.judge(said, escaped=escaped, errnos={"EPERM"})
    assert escaped is (str(arena.cell) == "none-root")


ETHERTYPE = 0x88B5
"""For experiments (IEEE 802): nobody else sends it."""


def test_58_frames(arena: Arena):
    mark = f"crafted by {arena.folder.name}".encode()
    attack = """
def frame():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("lo", int(ARGS[0])))
        s.send(bytes(12) + struct.pack("!H", int(ARGS[0])) + ARGS[1].encode())
attempt("frame", frame)
attempt("cooked", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300))
"""
    if not permitted(arena):
        assert "done" not in arena.run(attack, ETHERTYPE, mark.decode(), reach=tuple(REACH)).attempts.values()
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE)) as ear:
        ear.bind(("lo", ETHERTYPE))
        said = arena.run(attack, ETHERTYPE, mark.decode(), reach=tuple(REACH))
        ear.setblocking(False)
        heard = b""
        try:
            while mark not in heard:
                heard = ear.recv(2000)
        except BlockingIOError:
            pass
    arena.judge(said, escaped=mark in heard, errnos={"EPERM"})


def test_59_other_families_and_protocols(arena: Arena):
    other = ["all"] if arena.cell.confined else []
    with Listeners(INSIDE, OUTSIDE) as listeners:
        said = arena.run("""
def multipath():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:
        s.connect((ARGS[1], int(ARGS[0])))
        s.recv(100)
with socket.create_connection((ARGS[2], int(ARGS[0]))) as s:
    s.recv(100)
print("inside done")
attempt("multipath", multipath)
attempt("audit", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9))
attempt("diag", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
if len(ARGS) > 3:  # the machine may have none of these
    attempt("alg", lambda: socket.socket(38, 5))
    attempt("tipc", lambda: socket.socket(30, socket.SOCK_STREAM))
    attempt("xdp", lambda: socket.socket(44, socket.SOCK_RAW))
    attempt("smc", lambda: socket.socket(43, socket.SOCK_STREAM))
    attempt("sctp", lambda: socket.socket(socket.AF_INET, 5, 132))
    attempt("sctp-stream", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132))
    attempt("ping", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1))
    attempt("udplite", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136))
""", listeners.port, OUTSIDE, INSIDE, *other, reach=tuple(REACH))  # fmt: skip
        judged(arena, listeners, said, {"EAFNOSUPPORT", "EPROTONOSUPPORT"})


def test_60_a_route_of_its_own_choosing(arena: Arena):
    said = arena.run("""
def source_route():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(0, 4, b"\\x83\\x07\\x04" + socket.inet_aton("127.0.0.1") + b"\\0")
        return s.getsockopt(0, 4, 40)
def header():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.setsockopt(41, 57, b"")
got = [attempt("options", source_route), attempt("header", header)]
if got[0]:
    print("routed")
""", reach=tuple(REACH))  # fmt: skip
    if str(arena.cell) != "none-user":  # newer kernels refuse an ordinary user by themselves
        arena.judge(said, escaped="routed" in said.out, errnos={"EPERM"})


def test_60_a_route_hidden_in_a_message(arena: Arena):
    said = arena.run("""
route = [(0, 7, b"\\x83\\x07\\x04" + socket.inet_aton("127.0.0.1") + b"\\0")]  # IP_RETOPTS
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt("message", lambda: s.sendmsg([b"x"], route, 0, (ARGS[0], 4000)))
""", INSIDE, reach=tuple(REACH))  # fmt: skip
    if str(arena.cell) != "none-user":
        arena.judge(said, escaped=said.attempts == {"message": "done"}, errnos={"EPERM"})


def test_62_abstract_sockets(arena: Arena):
    name = f"kastrun-test-{os.getpid()}-{arena.folder.name}"
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as packets:
        stream.bind(f"\0{name}")
        stream.listen()
        packets.bind(f"\0{name}-packets")
        said = arena.run("""
name = ARGS[0]
packets = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
attempt("stream", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + name))
attempt("packet", lambda: packets.sendto(b"x", "\\0" + name + "-packets"))
attempt("message", lambda: packets.sendmsg([b"x"], [], 0, "\\0" + name + "-packets"))
attempt("connected", lambda: (packets.connect("\\0" + name + "-packets"), packets.send(b"x")))
""", name, reach=tuple(REACH))  # fmt: skip
        for each in (stream, packets):
            each.setblocking(False)
        heard = []
        for hear in (stream.accept, lambda: packets.recv(10)):
            try:
                heard.append(hear())
            except BlockingIOError:
                continue
        arena.judge(said, escaped=len(heard) == 2, errnos={"EACCES"})
        assert not arena.cell.confined or heard == []
        for each in heard:
            if isinstance(each, tuple):
                each[0].close()


@pytest.mark.parametrize("name", ["docker.sock", "bus"])
def test_63_a_socket_of_a_service(arena: Arena, name: str):
    folder = Path(tempfile.mkdtemp(prefix="kr-"))  # a path of a socket is short
    folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(folder / name))
        (folder / name).chmod(0o777)
        service.listen()
        said = arena.run(
            """
attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect(ARGS[0]))
""",
            folder / name,
            reach=tuple(REACH),
            also=[str(folder)],
        )
        service.setblocking(False)
        try:
            service.accept()[0].close()
            escaped = True
        except BlockingIOError:
            escaped = False
    (folder / name).unlink()
    folder.rmdir()
    arena.judge(said, escaped=escaped, errnos={"EACCES"})
