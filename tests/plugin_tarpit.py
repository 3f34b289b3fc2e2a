"""Targets that misbehave, and a plugin cut short: what every plugin that wraps a tool must survive.

Handlers for `kastrun.kit.site.serve`, a server that goes away while it is being looked at, and
`interrupted`, which sends SIGTERM at an event. Knows nothing of any one plugin.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import plugin_replay as replay

from kastrun.kit.site import Handler, read_head, until_closed


def reset(connection: socket.socket) -> None:
    """Closes with RST instead of FIN, once something was sent."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: socket.socket) -> None:
    """A response of ten minutes, one byte a second."""
    read_head(connection)
    connection.settimeout(1.0)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"<p>" * 200:
        connection.sendall(bytes([byte]))
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1):
                return


def page(body: str, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", body]).encode()


def answering(answer: bytes, seen: list[bytes] | None = None, times: int | None = None) -> Handler:
    """Gives `answer` to each request, or to the first `times`; after that it resets."""
    left = [times]

    def handle(connection: socket.socket) -> None:
        head = read_head(connection)
        if not head:
            return
        if seen is not None:
            seen.append(head)
        if left[0] == 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if left[0] is not None:
            left[0] -= 1
        connection.sendall(answer)

    return handle


def answering_then_silent(answer: bytes, times: int, reached: threading.Event) -> Handler:
    """Gives `answer` to the first `times` requests, then sets `reached` and says nothing more."""
    left = [times]

    def handle(connection: socket.socket) -> None:
        if read_head(connection) and left[0] > 0:
            left[0] -= 1
            connection.sendall(answer)
            return
        reached.set()
        until_closed(connection)

    return handle


@contextlib.contextmanager
def gone_after(connections: int) -> Iterator[int]:
    """A port that accepts so many connections, closing each, and then refuses."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError), listener:
            for _ in range(connections):
                listener.accept()[0].close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def interrupted(folder: Path, job: Mapping[str, Any], home: Path, event: threading.Event) -> replay.Told:
    """Runs the plugin, sends it (and it alone) SIGTERM once `event` is set, and gives what it said.

    `seconds` counts from the signal.
    """
    with subprocess.Popen(
        replay.argv(folder),
        cwd=home,
        env=replay.environment(folder, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            assert child.stdin is not None
            child.stdin.write(replay.job_line(job, home))
            child.stdin.close()
            child.stdin = None
            assert event.wait(30), "the event never came"
            begin = time.monotonic()
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=30)
        except BaseException:
            child.kill()
            raise
    return replay.Told(
        messages=tuple(replay.parse(out.decode())),
        returncode=child.returncode,
        stderr=err.decode(errors="replace"),
        seconds=time.monotonic() - begin,
    )
