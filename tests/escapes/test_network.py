"""Attacks 48 to 56, 61 and 66 to 70: no packet leaves the scope, whatever names its destination.

In scope is 127.0.0.3. What must not be reached listens at 127.0.0.1 and at ::1.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from arena import Arena, Said
from listeners import Listeners

from kastrun.reach import Reach

INSIDE, OUTSIDE, OUTSIDE6 = "127.0.0.3", "127.0.0.1", "::1"


def one(address: str, port: int = 0) -> tuple[int, int, int, int]:
    return 4, int.from_bytes(socket.inet_aton(address), "big"), 0, port


REACH = Reach("scope", "enforce", allowed=(one(INSIDE),), written=(one(INSIDE),))


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    with Listeners(INSIDE, OUTSIDE, OUTSIDE6) as found:
        yield found


def judged(arena: Arena, listeners: Listeners, said: Said, errnos: set[str]) -> None:
    """The inside was reached in any case, so that silence outside means something."""
    assert listeners.heard(INSIDE), said
    outside = listeners.heard(OUTSIDE, OUTSIDE6)
    attempts = {name: word for name, word in said.attempts.items() if name != "inside"}
    assert said.attempts["inside"] == "done", said
    arena.judge(Said("".join(f"{name} {word}\n" for name, word in attempts.items()), said.err, said.code),
                escaped=bool(outside), errnos=errnos)  # fmt: skip


REACHING = f"""
PORT = int(ARGS[0])
INSIDE, OUTSIDE, OUTSIDE6 = "{INSIDE}", "{OUTSIDE}", "{OUTSIDE6}"
def tcp(host, family=socket.AF_INET, *rest):
    with socket.socket(family) as s:
        s.connect((host, PORT, *rest))
        s.recv(100)
def udp(host, family=socket.AF_INET, *rest):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.sendto(b"out", (host, PORT, *rest))
attempt("inside", lambda: (tcp(INSIDE), udp(INSIDE)))
"""


def test_48_tcp(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
attempt("tcp", lambda: tcp(OUTSIDE))
attempt("tcp6", lambda: tcp(OUTSIDE6, socket.AF_INET6))
def later():
    with socket.socket() as s:
        s.setblocking(False)
        try:
            s.connect((OUTSIDE, PORT))
        except BlockingIOError:
            pass
attempt("nonblocking", later)
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


def test_49_mapped_addresses(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
attempt("tcp", lambda: tcp("::ffff:" + OUTSIDE, socket.AF_INET6))
attempt("udp", lambda: udp("::ffff:" + OUTSIDE, socket.AF_INET6))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


def test_50_nowhere(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
for name, act in (("tcp", tcp), ("udp", udp)):
    attempt(name, lambda: act("0.0.0.0"))
    attempt(name + "6", lambda: act("::", socket.AF_INET6))
    attempt(name + "-mapped", lambda: act("::ffff:0.0.0.0", socket.AF_INET6))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


SENDMMSG = """
def sendmmsg(s, *addresses):
    raw = [struct.pack("=HH4s8x", 2, socket.htons(PORT), socket.inet_aton(each)) for each in addresses]
    names = [ctypes.create_string_buffer(each, 16) for each in raw]
    data = ctypes.create_string_buffer(b"many", 4)
    piece = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(data), 4), 16)
    headers = b"".join(struct.pack("=QI4xQQQQi4xI4x", ctypes.addressof(name), 16, ctypes.addressof(piece), 1,
                                   0, 0, 0, 0) for name in names)
    table = ctypes.create_string_buffer(headers, len(headers))
    sent = syscall(307, s.fileno(), ctypes.byref(table), len(names), 0)
    return sent, [struct.unpack_from("=I", table.raw, 64 * place + 56)[0] for place in range(sent)]
"""


def test_51_udp_in_four_ways(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + SENDMMSG + """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt("sendto", lambda: s.sendto(b"x", (OUTSIDE, PORT)))
attempt("sendmsg", lambda: s.sendmsg([b"x", b"y"], [], 0, (OUTSIDE, PORT)))
attempt("sendmmsg", lambda: sendmmsg(s, OUTSIDE))
attempt("connected", lambda: (s.connect((OUTSIDE, PORT)), s.send(b"x")))
print("first", *sendmmsg(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), INSIDE, OUTSIDE))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})
    sent = "2 [4, 4]" if not arena.cell.confined else "1 [4]"
    assert f"first {sent}" in said.out  # those before the first that is refused have gone
    assert (INSIDE, "udp", b"many") in listeners.heard(INSIDE)


def test_52_fast_open_by_sending(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
FASTOPEN = 0x20000000
attempt("sendto", lambda: socket.socket().sendto(b"x", FASTOPEN, (OUTSIDE, PORT)))
attempt("sendmsg", lambda: socket.socket().sendmsg([b"x"], [], FASTOPEN, (OUTSIDE, PORT)))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EOPNOTSUPP", "ENOTSUP"})


def test_53_fast_open_by_connecting(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
def fast(host):
    with socket.socket() as s:
        s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
        s.connect((host, PORT))
        s.send(b"x")
        s.recv(100)
fast(INSIDE)
attempt("fast", lambda: fast(OUTSIDE))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


def test_54_connecting_anew(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
def anew(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.connect((INSIDE, PORT))
        if libc.connect(s.fileno(), bytes(16), 16) < 0:
            raise OSError(ctypes.get_errno(), "disconnect")
        s.connect((INSIDE, PORT))
        if libc.connect(s.fileno(), bytes(16), 16) < 0:
            raise OSError(ctypes.get_errno(), "disconnect")
        s.connect((OUTSIDE, PORT))
        s.send(b"x")
attempt("tcp", lambda: anew(socket.SOCK_STREAM))
attempt("udp", lambda: anew(socket.SOCK_DGRAM))
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


RACE = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static struct sockaddr_in target;
static volatile int over;
static uint32_t inside, outside;
static void *flip(void *unused) {
  (void)unused;
  volatile uint32_t *address = &target.sin_addr.s_addr;
  while (!over) { *address = inside; *address = outside; }
  return 0;
}
int main(int argc, char **argv) {
  (void)argc;
  int tries = atoi(argv[2]), refused = 0, gone = 0;
  inside = inet_addr(argv[3]), outside = inet_addr(argv[4]);
  target.sin_family = AF_INET, target.sin_port = htons(atoi(argv[1])), target.sin_addr.s_addr = inside;
  pthread_t thread;
  pthread_create(&thread, 0, flip, 0);
  for (int i = 0; i < tries; i++) {
    int kind = i & 1 ? SOCK_DGRAM : SOCK_STREAM, s = socket(AF_INET, kind, 0), r;
    if (i & 2 && kind == SOCK_DGRAM) r = sendto(s, "x", 1, 0, (struct sockaddr *)&target, sizeof target) - 1;
    else r = connect(s, (struct sockaddr *)&target, sizeof target);
    if (r < 0 && errno == EACCES) refused++; else gone++;
    if (r == 0 && kind == SOCK_DGRAM) send(s, "x", 1, 0);
    close(s);
  }
  over = 1;
  pthread_join(thread, 0);
  printf("refused %d\ngone %d\n", refused, gone);
  return 0;
}
"""
TRIES = 2500
"""In each of four cells: 10,000."""


@pytest.fixture(scope="session")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("race")
    (folder / "race.c").write_text(RACE)
    flags = ("-O1", "-Wall", "-Werror", "-pthread", "-static")
    subprocess.run(["gcc", *flags, "-o", folder / "race", folder / "race.c"], check=True)
    return folder / "race"


@pytest.mark.needs("gcc")
def test_55_an_address_that_changes_while_it_is_looked_at(arena: Arena, listeners: Listeners, race: Path):
    program = arena.folder / "race"
    program.write_bytes(race.read_bytes())
    program.chmod(0o755)
    said = arena.run("os.execv(ARGS[0], ARGS)", program, listeners.port, TRIES, INSIDE, OUTSIDE,
                     reach=tuple(REACH), also=[str(program)])  # fmt: skip
    counts = {name: int(word) for name, word in said.attempts.items()}
    assert sum(counts.values()) == TRIES, said
    leaked = len(listeners.heard(OUTSIDE))
    if not arena.cell.confined:
        assert leaked, "nothing went out unguarded, so this proves nothing"
        return
    assert leaked == 0
    assert counts["refused"] and counts["gone"], f"the address never changed in time: {counts}"


def test_56_a_descriptor_that_changes_while_it_is_looked_at(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
import threading
stream, packets = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shared = os.dup(stream.fileno())
over = False
def swap():
    while not over:
        os.dup2(packets.fileno(), shared)
        os.dup2(stream.fileno(), shared)
thread = threading.Thread(target=swap)
thread.start()
there = struct.pack("=HH4s8x", 2, socket.htons(PORT), socket.inet_aton(OUTSIDE))
words = set()
connect = lambda: libc.connect(shared, there, 16)
send = lambda: libc.sendto(shared, b"x", 1, 0x40, there, 16)
for _ in range(300):
    for act in (connect, send):
        words.add("done" if act() >= 0 else errno.errorcode[ctypes.get_errno()])
over = True
thread.join()
for word in words:
    print(word, word)
""", listeners.port, reach=tuple(REACH))  # fmt: skip
    # A descriptor that is a stream at the moment takes no address to send to.
    judged(arena, listeners, said, {"EACCES", "EISCONN"})


def test_61_being_called(arena: Arena, listeners: Listeners):
    with socket.socket() as probe:
        probe.bind(("127.0.0.4", 0))
        port = probe.getsockname()[1]
    called, over = [], threading.Event()

    def call() -> None:
        while not over.wait(0.02):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.4", port)) == 0:
                    called.append(port)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        said = arena.run("""
s = socket.socket()
s.settimeout(3)
attempt("bind", lambda: s.bind(("127.0.0.4", int(ARGS[0]))))
attempt("listen", s.listen)
attempt("anywhere", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("", int(ARGS[0]))))
try:
    s.accept()
except OSError:
    pass
""", port, reach=tuple(REACH))  # fmt: skip
    finally:
        over.set()
        thread.join()
    arena.judge(said, escaped=bool(called), errnos={"EACCES"})


def test_66_a_redirect_to_an_excluded_host(arena: Arena):
    everywhere = (4, 0x7F000000, 24, 0)
    reach = REACH._replace(allowed=(everywhere,), written=(everywhere,), excluded=(one(OUTSIDE),))
    with Listeners(OUTSIDE) as outside:
        there = f"http://{OUTSIDE}:{outside.port}/"
        answer = f"HTTP/1.0 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        with Listeners(INSIDE, answer=answer) as inside:
            said = arena.run("""
import http.client, urllib.parse
def get(url):
    at = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=20)
    connection.request("GET", at.path)
    try:
        return connection.getresponse().headers["Location"]
    except http.client.BadStatusLine:
        return None
there = get(ARGS[0])
print("led", there)
attempt("redirect", lambda: get(there))
""", f"http://{INSIDE}:{inside.port}/", reach=tuple(reach))  # fmt: skip
        assert f"led {there}" in said.out, said
        said = Said(said.out.replace("led ", "led to "), said.err, said.code)
        arena.judge(said, escaped=bool(outside.heard(OUTSIDE)), errnos={"EACCES"})


def test_67_everyone_at_once(arena: Arena):
    group, broadcast = "239.255.77.88", "127.255.255.255"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("", 0))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                       socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))  # fmt: skip
        ear.setblocking(False)
        said = arena.run("""
group, broadcast, port = ARGS[0], ARGS[1], int(ARGS[2])
lo = socket.inet_aton("127.0.0.1")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, lo)
attempt("multicast", lambda: s.sendto(b"x", (group, port)))
attempt("broadcast", lambda: s.sendto(b"x", (broadcast, port)))
membership = socket.inet_aton(group) + lo
attempt("join", lambda: s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership))
""", group, broadcast, ear.getsockname()[1], reach=tuple(REACH))  # fmt: skip
        heard = []
        try:
            while True:
                heard.append(ear.recv(100))
        except BlockingIOError:
            pass
        arena.judge(said, escaped=len(heard) == 2, errnos={"EACCES", "EPERM"})
        assert not arena.cell.confined or heard == []


def test_68_a_descriptor_passed_on(arena: Arena):
    said = arena.run("""
import array
a, b = socket.socketpair()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))]
attempt("pass", lambda: a.sendmsg([b"x"], rights))
b.setblocking(False)
try:
    print("received", len(b.recvmsg(10, 100)[1]), "descriptor")
except BlockingIOError:
    pass
""")  # fmt: skip
    arena.judge(said, escaped="received 1 descriptor" in said.out, errnos={"EPERM"})


def test_69_zones_and_translated_addresses(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
lo = socket.if_nametoindex("lo")
attempt("zone", lambda: tcp(OUTSIDE6, socket.AF_INET6, 0, lo))
attempt("zone-udp", lambda: udp(OUTSIDE6, socket.AF_INET6, 0, lo))
if len(ARGS) > 1:  # there is no translator here: the control would only meet silence
    attempt("nat64", lambda: udp("64:ff9b::" + OUTSIDE, socket.AF_INET6))
    attempt("6to4", lambda: udp("2002:7f00:1::1", socket.AF_INET6))
    attempt("compatible", lambda: udp("::" + OUTSIDE, socket.AF_INET6))
""", listeners.port, *(["all"] if arena.cell.confined else []), reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})


FLOOD = 20_000


def test_70_a_flood_of_refused_connections(arena: Arena, listeners: Listeners):
    said = arena.run(REACHING + """
there = struct.pack("=HH4s8x", 2, socket.htons(PORT), socket.inet_aton(OUTSIDE))
s = socket.socket()
words = set()
for place in range(int(ARGS[1])):
    if libc.connect(s.fileno(), there, 16) == 0:
        words.add("done")
        s = socket.socket()
    else:
        words.add(errno.errorcode[ctypes.get_errno()])
for word in words:
    print(word, word)
""", listeners.port, FLOOD if arena.cell.confined else 50, reach=tuple(REACH))  # fmt: skip
    judged(arena, listeners, said, {"EACCES"})
    if arena.cell.confined:
        assert len(said.told) == 3, said.told
        assert [line[:4] for line in said.told if line[2] == "refused"] == [
            (OUTSIDE, "tcp", "refused", FLOOD)
        ]
