"""What the broker costs: a connection, a datagram, a scan of 3,000 ports, and nothing once connected.

The same program natively and with its sockets lent, without the rest of the sandbox. All
of it on loopback.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import rounds
import stage

from kastrun.reach import Reach
from kastrun.sandbox import filters, seccomp
from kastrun.sandbox.broker import Broker
from kastrun.warden import wire

CALLS, BLOCKS, PORTS = 3000, 16_000, 3000
HERE = (4, 0x7F000001, 0, 0)
REACH = Reach("scope", "enforce", allowed=(HERE,), written=(HERE,))
_CPU: list[float] = []


def native(argv: list[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=stage.LIMIT_S).stdout


def lent(argv: list[str]) -> str:
    """The same in a child whose sockets are lent by this process."""
    ours, theirs = socket.socketpair()
    out, word = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(word, 1)
        seccomp.install(filters.programs(namespaces=False), theirs.fileno())
        os.execv(argv[0], argv)
    os.close(word)
    theirs.close()
    with ours:
        broker = Broker(wire.descriptor(ours), REACH, lambda _: None, lambda: (pid,))
    end, poll = os.pidfd_open(pid), select.poll()
    began = time.process_time()
    for each in (broker, end):
        poll.register(each, select.POLLIN)
    while not any(fd == end for fd, _ in poll.poll()):
        broker.serve()
    _CPU.append(time.process_time() - began)
    broker.close()
    os.close(end)
    _, status, _ = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{argv[0]} failed under the broker")
    with open(out, encoding="utf-8") as said:
        return said.read()


def timed(run: Callable[[list[str]], str], argv: list[str]) -> float:
    began = time.perf_counter()
    run(argv)
    return 1000 * (time.perf_counter() - began)


def cpu(argv: list[str], calls: int) -> float:
    """Microseconds of the broker's CPU a call."""
    lent(argv)
    return 1e6 * _CPU[-1] / calls


def serve() -> int:
    """A listener that reads and forgets; its port, free for UDP too."""
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(tcp.getsockname())

    def read(connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 18):
                pass

    def accept() -> None:
        while True:
            threading.Thread(target=read, args=(tcp.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    threading.Thread(target=lambda: [udp.recv(64) for _ in iter(int, 1)], daemon=True).start()
    return tcp.getsockname()[1]


def main() -> None:
    options = rounds.arguments(__doc__, rounds=5)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with stage.stage() as on:
        program = on.folder / "reach"
        source = Path(__file__).parent / "plugins" / "reach.c"
        subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
        port = serve()

        def call(what: str, count: int, at: int = port) -> list[str]:
            return [str(program), what, str(at), str(count)]

        tables = [
            rounds.compare(
                title,
                "us",
                {
                    "native": lambda argv=argv: float(native(argv)),
                    "lent": lambda argv=argv: float(lent(argv)),
                    "of it the broker's CPU": lambda argv=argv, n=calls: cpu(argv, CALLS * n) * n,
                },
                options.rounds,
                goals,
            )
            for title, argv, calls, goals in (
                ("socket, connect, close; a closed port", call("connect", CALLS, 1), 1, ["lent ≤ 140 us"]),
                ("the same, outside the scope", call("refused", CALLS, 1), 1, []),
                ("sendto of a byte", call("send", CALLS), 1, []),
            )
        ]
        stream = call("stream", BLOCKS)
        tables.append(
            rounds.compare(
                "a connection, once it is there",
                "MB/s",
                {"native": lambda: float(native(stream)), "lent": lambda: float(lent(stream))},
                options.rounds,
                ["lent ≥ 0.97 × native"],
            )
        )
        if (nmap := shutil.which("nmap")) is not None:
            scan = [nmap, "-n", "-Pn", "-sT", "-p", f"1-{PORTS}", "127.0.0.1"]
            tables.append(
                rounds.compare(
                    f"nmap -sT of {PORTS:,} ports",
                    "ms",
                    {"native": lambda: timed(native, scan), "lent": lambda: timed(lent, scan)},
                    options.rounds,
                )
            )
    rounds.show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
