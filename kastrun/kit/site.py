"""Servers on loopback, described by data: canned HTTP, a banner, silence, a closed port.

What a replay's `CASE.site.json` and the plugins' own tests start; the fields are in
docs/conformance.md. Each server binds 127.0.0.1, port 0, and ends with its `with` block.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kastrun.kit.certs import Authority

Handler = Callable[[socket.socket], None]


@dataclass(slots=True, kw_only=True)
class Site:
    """What runs: a port for each server, the requests that were seen (head bytes), the CA if there is TLS."""

    ports: dict[str, int] = field(default_factory=dict)
    seen: list[bytes] = field(default_factory=list)
    ca_file: Path | None = None

    @property
    def port(self) -> int:
        """The port of the server called `port`, or of the only one."""
        return self.ports["port"]


@contextlib.contextmanager
def site(description: Mapping[str, Any], folder: Path) -> Iterator[Site]:
    """Starts the servers of `description`; `folder` holds the certificates, where any are wanted."""
    running = Site()
    servers: Mapping[str, Mapping[str, Any]] = description.get("servers", {"port": description})
    with contextlib.ExitStack() as stack:
        for name, server in servers.items():
            if server.get("kind") == "closed":
                running.ports[name] = stack.enter_context(closed_port())
                continue
            context = _tls(server["tls"], folder, running) if "tls" in server else None
            running.ports[name] = stack.enter_context(serve(_handler(server, running), context))
        yield running


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that no one else takes it, but not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Runs `handler` in a thread for each connection, after the handshake where there is `tls`."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: set[socket.socket] = set()
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        # What the far side does to a fixture (resets, failed handshakes) is what the tests are about.
        try:
            with contextlib.suppress(OSError):
                if tls is not None:
                    connection.settimeout(10)
                    connection = tls.wrap_socket(connection, server_side=True)
                    open_ones.add(connection)
                handler(connection)
        finally:
            connection.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.add(connection)
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for end in (listener, *open_ones):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def read_head(connection: socket.socket) -> bytes:
    """The request's head, without its body; what there was, where the client stopped."""
    head = b""
    while b"\r\n\r\n" not in head and (chunk := connection.recv(65536)):
        head += chunk
    return head


def until_closed(connection: socket.socket) -> None:
    """Waits, silent, until the client has gone."""
    while connection.recv(65536):
        pass


def _handler(server: Mapping[str, Any], running: Site) -> Handler:
    kind = server.get("kind", "http")
    if kind == "silent":
        return until_closed
    if kind == "tcp":
        banner = server.get("banner", "").encode()

        def greet(connection: socket.socket) -> None:
            connection.sendall(banner)
            until_closed(connection)

        return greet
    if kind != "http":
        raise ValueError(f"no such kind of server: {kind!r} (http, tcp, silent or closed)")
    routes: Mapping[str, Mapping[str, Any]] = server["routes"]

    def answer(connection: socket.socket) -> None:
        head = read_head(connection)
        if not head:
            return
        running.seen.append(head)
        path = head.split(b" ", 2)[1].decode("latin-1").split("?")[0]
        route = routes.get(path) or routes.get("*") or {"status": 404}
        connection.sendall(_response(route, running, with_body=not head.startswith(b"HEAD ")))

    return answer


def _response(route: Mapping[str, Any], running: Site, *, with_body: bool) -> bytes:
    body = route.get("body", "").encode()
    headers = [*route.get("headers", []), ["Content-Length", str(len(body))], ["Connection", "close"]]
    lines = [f"HTTP/1.1 {route.get('status', 200)} Canned", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join([*lines, "", ""])
    for name, port in running.ports.items():
        head = head.replace(f"{{{name}}}", str(port))
    return head.encode("latin-1") + (body if with_body else b"")


def _tls(wanted: Mapping[str, Any], folder: Path, running: Site) -> ssl.SSLContext:
    authority = Authority(folder / f"ca{len(running.ports)}")
    certificate = authority.issue(
        names=tuple(wanted.get("names", ["localhost"])),
        addresses=tuple(wanted.get("addresses", ["127.0.0.1"])),
        days=wanted.get("days", 365),
        bits=wanted.get("bits", 2048),
        self_signed=wanted.get("self_signed", False),
    )
    running.ca_file = authority.ca_file
    return server_context(certificate.chain, most=wanted.get("max"))


def server_context(chain: Path, *, most: str | None = None) -> ssl.SSLContext:
    """A server's TLS as it should be; `most` ("TLSv1.2") caps the version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    if most is not None:
        context.maximum_version = ssl.TLSVersion[most.replace(".", "_")]
    context.load_cert_chain(chain)
    return context
