"""One GET, with an Origin or none, and the head of its response: time and size bounded.

`http.client` connects, tunnels and writes the request; the head is read here, so that a
body of any size or speed is never waited for. Certificates are the tls plugin's affair:
one that cannot be verified is logged, and the visit goes on without the profile's own
headers, which may be secrets.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

HEAD_BYTES = 256 * 1024  # what browsers accept of a response's head
Log = Callable[[str, str], None]


class NoAnswerError(Exception):
    """The target gave no complete response head; the text says why."""


class SettingError(Exception):
    """The profile's http table holds something this plugin cannot follow."""


@dataclass(frozen=True, slots=True)
class Page:
    """A response's head. `headers` are (lower-case name, value) in order, folds joined, Latin-1."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for other, value in self.headers if other == name]

    def first(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


@dataclass(slots=True)
class Browser:
    """How requests are made: `wishes` (the job's `http`), and the seconds that each may take."""

    wishes: Mapping[str, Any]
    seconds: float
    log: Log
    _unverified: bool = False

    def get(self, url: SplitResult, origin: str | None = None) -> Page:
        """Raises NoAnswerError, SettingError."""
        deadline = time.monotonic() + self.seconds
        try:
            return self._exchange(url, origin, deadline)
        except ssl.SSLCertVerificationError as error:
            self._unverified = True
            self.log(
                "warn",
                f"the certificate could not be verified ({error.verify_message}): going on unverified, "
                "without the profile's own headers; name its CA in [http] ca_file",
            )
        return self.get(url, origin)

    def _exchange(self, url: SplitResult, origin: str | None, deadline: float) -> Page:
        connection = self._connection(url)
        try:
            connection.connect()
            self._ask(connection, url, origin)
            return _parse(url.geturl(), _read_head(connection.sock, deadline, self.seconds))
        except ssl.SSLCertVerificationError:
            raise
        except TimeoutError as error:
            raise NoAnswerError(f"{url.geturl()} gave no answer within {self.seconds:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{url.geturl()} cannot be reached{self._through()}: {error}") from error
        finally:
            connection.close()

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        proxy = self._proxy()
        at = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
        if url.scheme == "http":
            return http.client.HTTPConnection(*at, timeout=self.seconds)
        connection = http.client.HTTPSConnection(*at, timeout=self.seconds, context=self._tls())
        if proxy:
            connection.set_tunnel(host, port, headers=_proxy_login(proxy))
        return connection

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.wishes.get("ca_file"))
        except OSError as error:
            raise SettingError(f"[http] ca_file {self.wishes['ca_file']} cannot be used: {error}") from error
        if self._unverified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def _ask(self, connection: http.client.HTTPConnection, url: SplitResult, origin: str | None) -> None:
        target = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
        headers = {"user-agent": self.wishes["user_agent"], "accept": "text/html,*/*;q=0.8"}
        if not self._unverified:
            headers |= {name.lower(): value for name, value in self.wishes.get("headers", {}).items()}
        if origin is not None:
            headers["origin"] = origin
        if url.scheme == "http" and (proxy := self._proxy()):
            target = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
            headers |= _proxy_login(proxy)
        connection.putrequest("GET", target, skip_host="host" in headers, skip_accept_encoding=True)
        for name, value in {**headers, "connection": "close"}.items():
            connection.putheader(name, value)
        connection.endheaders()

    def _proxy(self) -> SplitResult | None:
        proxy: str | None = self.wishes.get("proxy")
        if not proxy:
            return None
        parts = urlsplit(proxy)
        if parts.scheme != "http" or not parts.hostname:
            raise SettingError(
                f"[http] proxy: only http://HOST:PORT proxies can be used here, not {parts.scheme}://"
            )
        return parts

    def _through(self) -> str:
        proxy = self._proxy()
        return f" through the proxy {proxy.hostname}:{proxy.port or 80}" if proxy else ""


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"proxy-authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def _read_head(connection: socket.socket, deadline: float, seconds: float) -> bytes:
    """The final response's status line and headers; 1xx responses before it are passed over."""
    buffer = b""
    while True:
        head, blank, rest = buffer.replace(b"\r\n", b"\n").partition(b"\n\n")
        if blank and not head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")):
            return head
        if blank:
            buffer = rest
            continue
        if len(buffer) > HEAD_BYTES:
            raise NoAnswerError(
                f"the headers are larger than {HEAD_BYTES // 1024} KiB; a browser would give up here too"
            )
        if len(buffer) > 5 and not buffer.startswith(b"HTTP/"):
            raise NoAnswerError(f"this is not HTTP: the server began with {buffer[:40]!r}")
        chunk = _receive(connection, deadline)
        if chunk is None and buffer:
            raise NoAnswerError(
                f"the server sent {len(buffer)} bytes in {seconds:g} s and was not done with its headers"
            )
        if chunk is None:
            raise NoAnswerError(f"the server accepted the request and gave no answer within {seconds:g} s")
        if not chunk:
            when = "in the middle of its headers" if buffer else "without a word"
            raise NoAnswerError(f"the server closed the connection {when}")
        buffer += chunk


def _receive(connection: socket.socket, deadline: float) -> bytes | None:
    """What has come, empty at the end; None when the time is up, however steadily bytes drip in."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    connection.settimeout(left)
    try:
        return connection.recv(65536)
    except TimeoutError:
        return None


def _parse(url: str, head: bytes) -> Page:
    first, *lines = head.decode("latin-1").split("\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/") or not rest[:3].isascii() or not rest[:3].isdigit():
        raise NoAnswerError(f"this is not HTTP: the server began with {first[:40]!r}")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in {" ", "\t"} and headers:
            last, so_far = headers[-1]
            headers[-1] = (last, f"{so_far} {line.strip()}")
        elif colon and name.strip():
            headers.append((name.strip().lower(), value.strip()))
    return Page(url, int(rest[:3]), tuple(headers))
