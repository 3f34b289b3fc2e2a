"""Ordinary programs under the broker: they reach what is in scope and are told of what is not.

Each is run at both levels, unchanged, by name and by address: what the attacks may not do
must not be paid for by what scanners do all day.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import create_server

import programs
import pytest
from arena import Arena, Cell, Garrison, Said, cells
from listeners import Listeners
from test_network import INSIDE, OUTSIDE, one

from kastrun.reach import Reach

NAME = "target.example"
REACH = Reach(
    "scope",
    "enforce",
    written=(one(INSIDE),),
    names=((NAME, False, 0),),
    pins=((NAME, (INSIDE,)),),
)
PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CELLS = [cell for cell in cells() if cell.confined and cell.who == "user"]


@pytest.fixture(params=CELLS, ids=str)
def arena(request: pytest.FixtureRequest, garrisons: Callable[[Cell], Garrison]) -> Iterator[Arena]:
    folder = Path(tempfile.mkdtemp(prefix="kastrun-arena-"))
    yield Arena(folder, request.param, garrisons(request.param))
    shutil.rmtree(folder)


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    with Listeners(INSIDE, OUTSIDE, answer=PAGE) as found:
        yield found


def run(arena: Arena, *argv: object, readable: tuple[str, ...] = ()) -> Said:
    program = shutil.which(str(argv[0])) or str(argv[0])
    wishes = {"reach": tuple(REACH), "also": readable, "memory_mb": 4096}
    return arena.run("os.execv(ARGS[0], ARGS)", program, *argv[1:], **wishes)


@pytest.mark.needs("curl")
def test_curl(arena: Arena, listeners: Listeners):
    port = listeners.port
    said = run(
        arena,
        "curl",
        "-sS",
        f"http://{NAME}:{port}/",
        f"http://{INSIDE}:{port}/",
        f"http://{OUTSIDE}:{port}/",
    )
    assert said.out == "hellohello" and said.code == 7, said
    assert listeners.heard(OUTSIDE) == []
    said = run(arena, "curl", "-sS", f"http://other.example:{port}/")
    assert said.code == 6, said  # it cannot be resolved
    assert ("other.example", "dns", "refused") in [line[:3] for line in said.told]


@pytest.mark.needs("nmap")
def test_nmap(arena: Arena, listeners: Listeners):
    said = run(arena, "nmap", "-n", "-Pn", "-sT", "-p", f"1,{listeners.port}", "--reason", NAME)
    assert f"{listeners.port}/tcp open" in said.out and "1/tcp" in said.out, said
    assert "closed" in said.out.split("1/tcp")[1].splitlines()[0], said
    said = run(
        arena, "nmap", "-n", "-Pn", "-sT", "-p", listeners.port, "--reason", "--max-retries", "0", OUTSIDE
    )
    assert "filtered" in said.out and "open" not in said.out, said
    assert listeners.heard(OUTSIDE) == []


@pytest.mark.needs("sslscan", "openssl")
def test_sslscan(arena: Arena, tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    making = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        f"/CN={NAME}",
        "-days",
        "2",
    )
    command = [*making, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with create_server((INSIDE, 0)) as server:
        threading.Thread(target=_shake_hands, args=(server, context), daemon=True).start()
        said = run(arena, "sslscan", "--no-colour", "--no-heartbleed", f"{NAME}:{server.getsockname()[1]}")
    assert "TLSv1.3   enabled" in said.out and NAME in said.out, said


def _shake_hands(server, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()


NODE = """
const net = require("net"), [name, outside, port] = process.argv.slice(1)
net.connect(port, name).on("data", data => console.log(data.toString().includes("hello")))
net.connect(port, outside).on("error", error => console.log(error.code))
"""


@pytest.mark.needs("node")
def test_node(arena: Arena, listeners: Listeners):
    said = run(arena, "node", "-e", NODE, NAME, OUTSIDE, listeners.port)
    assert sorted(said.out.split()) == ["EACCES", "true"], said
    assert listeners.heard(OUTSIDE) == []


JAVA_SOURCE = """
import java.net.Socket;
public class Main {
  public static void main(String[] args) throws Exception {
    for (int i = 0; i < 2; i++)
      try (Socket s = new Socket(args[i], Integer.parseInt(args[2]))) {
        System.out.println(new String(s.getInputStream().readAllBytes()).contains("hello"));
      } catch (java.io.IOException e) {
        System.out.println(e.getClass().getSimpleName());
      }
  }
}
"""


@pytest.mark.needs("java", "javac")
def test_java(arena: Arena, listeners: Listeners):
    place = arena.folder / "java"
    place.mkdir()
    (place / "Main.java").write_text(JAVA_SOURCE)
    subprocess.run(["javac", "-d", place, place / "Main.java"], check=True, capture_output=True)
    place.chmod(0o755)
    command = ("java", "-Xmx64m", "-cp", place, "Main", NAME, OUTSIDE, listeners.port)
    said = run(arena, *command, readable=(str(place),))
    assert said.out.split()[0] == "true" and "true" not in said.out.split()[1:], said
    assert listeners.heard(OUTSIDE) == []


GO = """
package main
import ("fmt"; "io"; "net"; "os"; "strings")
func main() {
  for _, host := range os.Args[2:] {
    connection, err := net.Dial("tcp", host+":"+os.Args[1])
    if err != nil { fmt.Println("refused:", strings.Contains(err.Error(), "permission denied")); continue }
    page, _ := io.ReadAll(connection)
    fmt.Println("page:", strings.Contains(string(page), "hello"))
  }
  packets, _ := net.Dial("udp", os.Args[2]+":"+os.Args[1])
  packets.Write([]byte("x"))
  answer := make([]byte, 100)
  size, err := packets.Read(answer)
  fmt.Println("packet:", size > 0, err)
}
"""


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO)
    env = {"PATH": "/usr/local/go/bin:/usr/bin:/bin", "HOME": str(folder), "GOCACHE": str(folder / "cache"),
           "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}  # fmt: skip
    subprocess.run(
        ["go", "build", "-o", folder / "reach", folder / "main.go"], check=True, env=env, cwd=folder
    )
    return folder / "reach"


@pytest.mark.needs("go")
def test_a_static_go_program(arena: Arena, listeners: Listeners, go: Path):
    program = Path(shutil.copy(go, arena.folder / "reach"))
    said = run(arena, program, listeners.port, NAME, INSIDE, OUTSIDE, readable=(str(program),))
    assert said.out.splitlines() == ["page: true", "page: true", "refused: true", "packet: true <nil>"], said
    assert listeners.heard(OUTSIDE) == []


ASYNCIO = """
import asyncio, socket
async def main():
    reader, writer = await asyncio.open_connection(ARGS[0], int(ARGS[2]))
    writer.writelines([b"GET / HTTP/1.0\\r\\n", b"\\r\\n"])
    print(b"hello" in await reader.read())
    writer.close()
    try:
        await asyncio.open_connection(ARGS[1], int(ARGS[2]))
    except PermissionError:
        print("refused")
asyncio.run(main())
with socket.create_connection((ARGS[0], int(ARGS[2]))) as s:  # what is sent in pieces is sent by the broker
    print(s.sendmsg([b"a" * 70_000, b"b" * 500_000]))
"""


def test_asyncio_and_messages_on_a_stream(arena: Arena, listeners: Listeners):
    said = arena.run(ASYNCIO, NAME, OUTSIDE, listeners.port, reach=tuple(REACH))
    assert said.out.split()[:2] == ["True", "refused"], said
    # In a container that refuses pidfd_getfd there are no messages on a stream (docs/security.md).
    refused = "PermissionError" in said.err and not programs.makes_namespaces()
    assert said.out.split()[2:] == ["570000"] or refused, said


def test_an_alarm_ends_a_wait(arena: Arena):
    """Whoever waits for the broker can be reached by a signal that it handles."""
    with create_server((INSIDE, 0), backlog=0) as server:
        port = server.getsockname()[1]
        said = arena.run("""
class Late(Exception):
    pass
def late(*_):
    raise Late
signal.signal(signal.SIGALRM, late)
held = []
signal.setitimer(signal.ITIMER_REAL, 1)
try:
    while True:  # until the queue is full, and nobody takes any out
        s = socket.socket()
        held.append(s)
        s.connect((ARGS[0], int(ARGS[1])))
except Late:
    print("late", len(held))
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("=qq", 0, 300_000))
try:
    s.connect((ARGS[0], int(ARGS[1])))
except BlockingIOError:
    print("limit kept")
""", INSIDE, port, reach=tuple(REACH))  # fmt: skip
    assert said.out.startswith("late") and "limit kept" in said.out, said
