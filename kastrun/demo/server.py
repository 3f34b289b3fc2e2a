"""One HTTP/1.1 listener on loopback, with or without TLS, for clients of any manners.

Enters: Pages (pages.py) and perhaps a TLS context. Each connection has a thread, and
the TLS handshake is made there, never in accept, so that a client that says nothing, half
a handshake or garbage costs its own thread ten seconds and nobody else anything. Nothing
is read from disk and nothing is logged. `close` ends every connection and waits for its thread.
"""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, SHUT_WR, socket
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from kastrun.demo.pages import Pages, Reply

SILENCE_S: Final = 10.0
"""How long a client may say nothing, in a handshake, in a request or between two."""
LINGER_S: Final = 1.0
"""How long a closing connection is still read, so that the client gets the last answer before a reset."""
MAX_BODY: Final = 64 * 1024
"""The most bytes of a request's body; its head is held to 100 lines of 64 KiB by http.server."""
MAX_CONNECTIONS: Final = 250
"""Past this many at once a new connection is closed unread: a bound on threads and descriptors."""

_ALLOWED: Final = ("GET", "HEAD", "OPTIONS")


class Handler(BaseHTTPRequestHandler):
    """One connection's requests, answered from the server's pages."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # a status line even where the request was no HTTP at all
    timeout = SILENCE_S
    disable_nagle_algorithm = True  # head and body are two writes, and the second must not wait for an ACK
    server: Listener

    def do_GET(self) -> None:
        """Answer GET; the body, should there be one, is read first to keep the connection in step."""
        if not self._body_taken():
            return
        try:
            path = urlsplit(self.path).path  # the target may be a whole URL (RFC 9112 section 3.2.2)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
        else:
            self._send(self.server.pages.answer(unquote(path, errors="replace") or "/"))

    do_HEAD = do_GET  # noqa: N815 - _send leaves the body out

    def do_OPTIONS(self) -> None:
        """Say which methods there are."""
        if self._body_taken():
            self._send(Reply(status=204, headers=(("Allow", ", ".join(_ALLOWED)),)))

    def _body_taken(self) -> bool:
        """Read and drop the request's body; False where it was refused and the connection will close."""
        lengths = self.headers.get_all("Content-Length", ["0"])
        if "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            self.send_error(HTTPStatus.BAD_REQUEST)
        elif len(lengths[0]) > 9 or int(lengths[0]) > MAX_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            return len(self.rfile.read(int(lengths[0]))) == int(lengths[0])
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that reached no page, in the site's own words, and close."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:  # http.server's word for a method without do_METHOD
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(self.server.pages.failure(code, HTTPStatus(code).phrase))

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in (("Date", self.date_time_string()), *reply.headers):
            self.send_header(name, value)
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(_ALLOWED))
        if reply.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name for it
        """Say nothing: a scanner's thousand odd requests are no news."""


class Listener(ThreadingHTTPServer):
    """Serves `pages` on 127.0.0.1 from its construction until `close`.

    Port 0 is a free one; `server_port` tells which. Raises OSError or OverflowError for a
    port that cannot be had.
    """

    request_queue_size = 128

    def __init__(self, port: int, pages: Pages, tls: ssl.SSLContext | None = None) -> None:
        self.pages, self.tls = pages, tls
        self._open: dict[socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(0.05,), name="kastrun-demo", daemon=True
        )
        self._accepting.start()

    def server_bind(self) -> None:
        """Bind, without http.server's reverse look-up of the address: nothing here asks a name server."""
        self.socket.bind(self.server_address)
        self.server_address = self.server_name, self.server_port = self.socket.getsockname()

    def close(self) -> None:
        """Stop listening, cut every connection and wait until each thread has ended."""
        self.shutdown()
        self._accepting.join()
        self.server_close()
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                _cut(connection)
        for thread in threads:
            thread.join()

    def get_request(self) -> tuple[socket, Any]:
        """Accept; a TLS connection is wrapped here, without a byte read, and shakes hands in its thread."""
        connection, address = super().get_request()
        connection.settimeout(SILENCE_S)
        if self.tls is None:
            return connection, address
        try:
            return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
        except OSError:
            connection.close()
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection its thread, which `close` will find."""
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="kastrun-demo-client", daemon=True
        )
        with self._lock:
            crowded = len(self._open) >= MAX_CONNECTIONS
            if not crowded:
                self._open[request] = thread
        if crowded:
            request.close()
        else:
            thread.start()

    def _serve(self, request: socket, client_address: Any) -> None:
        try:
            # Whatever a client does to its own connection (resets, garbage for a handshake, silence) ends it.
            with suppress(OSError):
                if isinstance(request, ssl.SSLSocket):
                    request.do_handshake()
                self.finish_request(request, client_address)
                if isinstance(request, ssl.SSLSocket):
                    _notify(request)
            with suppress(OSError):
                _linger(request)
        finally:
            with (
                self._lock
            ):  # closed under it too: `close` must not cut a descriptor that is someone else's by now
                del self._open[request]
                request.close()


def _notify(connection: ssl.SSLSocket) -> None:
    """Send TLS's close_notify, without waiting for the client's own."""
    connection.settimeout(0)
    with suppress(ssl.SSLWantReadError):
        connection.unwrap()


def _linger(connection: socket) -> None:
    """Close our half, then read on briefly beneath TLS: to close on unread bytes resets the last answer."""
    socket.shutdown(connection, SHUT_WR)
    connection.settimeout(LINGER_S)
    left = 4 * MAX_BODY
    while left > 0 and (chunk := socket.recv(connection, 65536)):
        left -= len(chunk)


def _cut(connection: socket) -> None:
    """Wake the thread that reads or writes here. Not SSLSocket's own shutdown: that races with its reader."""
    with suppress(OSError):  # the client was faster
        socket.shutdown(connection, SHUT_RDWR)
