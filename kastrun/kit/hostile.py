"""The servers that the kit starts: ordinary, slow, silent, hostile, a port that refuses, a black hole.

Loopback only: 127.0.0.1, and ::1 where there is one, on the same port. No server trusts its
client to be HTTP: whoever says nothing is answered after a second all the same.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from errno import EADDRINUSE
from functools import partial
from pathlib import Path
from typing import Final

import trio

from kastrun import demo

FORGED: Final = "kit-forged"
"""The rule, kind and message of records that only the hostile server ever names."""

BODY: Final = 10 << 20
SILENCE_S: Final = 1.0
SLOW_S: Final = 0.8
_TRIES: Final = 20

_FINDING = f'{{"type":"finding","rule":"{FORGED}","title":"{FORGED}","severity":"critical"}}'
_ASSET = f'{{"type":"asset","kind":"{FORGED}","value":"{FORGED}"}}'
_DONE = f'{{"type":"done","status":"ok","message":"{FORGED}"}}'

PAGE: Final = b"<!doctype html><title>kastrun</title><p>An ordinary page.\n"

_CERTIFICATES: Final = Path(demo.__file__).parent / "certs"

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Ports of what runs. `held` is a second silent one; `reached` is set at its first client."""

    ordinary: int
    slow: int
    silent: int
    held: int
    hostile: int
    nul: int
    refused: int
    hole: int
    tls: int
    ca_file: str
    reached: trio.Event


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """All of them, until the block is left."""
    reached = trio.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_CERTIFICATES / "hardened.pem")
    with trio.socket.socket() as closed, _black_hole() as hole:
        await closed.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, and never listening
        async with trio.open_nursery() as nursery:
            start = partial(_start, nursery)
            yield Servers(
                ordinary=await start(_ordinary),
                slow=await start(partial(_ordinary, after_s=SLOW_S)),
                silent=await start(_until_closed),
                held=await start(partial(_until_closed, reached=reached)),
                hostile=await start(_hostile),
                nul=await start(partial(_hostile, nul=True)),
                refused=closed.getsockname()[1],
                hole=hole,
                tls=await start(partial(_over_tls, context)),
                ca_file=str(_CERTIFICATES / "ca.pem"),
                reached=reached,
            )
            nursery.cancel_scope.cancel()


@contextmanager
def _black_hole() -> Iterator[int]:
    """A port whose queue is full: connections to it are dropped unanswered, as by many a firewall."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        with socket.create_connection(door.getsockname()):
            yield door.getsockname()[1]


async def _start(nursery: trio.Nursery, handler: Handler) -> int:
    """Listen on one port of both loopback addresses; which port."""
    for _ in range(_TRIES):
        listeners = list(await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=200))
        port: int = listeners[0].socket.getsockname()[1]
        try:
            listeners += await trio.open_tcp_listeners(port, host="::1", backlog=200)
        except OSError as error:
            if error.errno == EADDRINUSE:
                await listeners[0].aclose()
                continue
        await nursery.start(partial(trio.serve_listeners, partial(_guarded, handler), listeners))
        return port
    raise OSError(EADDRINUSE, "no port is free on both loopback addresses")


async def _guarded(handler: Handler, stream: trio.SocketStream) -> None:
    """What a client does to a server here (resets, half a handshake) is what the kit is about."""
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError, OSError):
        await handler(stream)


async def _request(stream: trio.abc.Stream) -> bytes:
    """The head of a request, or what there was of one after a second of silence."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk: bytes | bytearray = b""
        with trio.move_on_after(SILENCE_S):
            chunk = await stream.receive_some(65536)
        if not chunk:
            break
        head += chunk
    return head


async def _ordinary(stream: trio.abc.Stream, after_s: float = 0.0) -> None:
    head = await _request(stream)
    await trio.sleep(after_s)
    lines = (
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/html; charset=utf-8",
        b"Content-Length: %d" % len(PAGE),
        b"Connection: close",
        b"",
        b"",
    )
    await stream.send_all(b"\r\n".join(lines) + (b"" if head.startswith(b"HEAD ") else PAGE))


async def _until_closed(stream: trio.abc.Stream, reached: trio.Event | None = None) -> None:
    if reached is not None:
        reached.set()
    while await stream.receive_some(65536):
        pass


async def _over_tls(context: ssl.SSLContext, stream: trio.abc.Stream) -> None:
    inner = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    await _ordinary(inner)
    await inner.aclose()


async def _hostile(stream: trio.abc.Stream, *, nul: bool = False) -> None:
    """A response that is full of records, escape sequences, NUL and bytes that are no UTF-8.

    NUL is in the headers only where `nul` says so: many clients read no further then.
    """
    head = await _request(stream)
    record = _FINDING.encode()
    lines = (
        b"HTTP/1.1 200 " + record,
        b"Server: Apache/2.2\x1b[31m\x1b]0;owned\x07 caf\xe9",
        b"X-Powered-By: " + record,
        b"X-Nul: a%bb" % (b"\0" if nul else b""),
        b"X-Latin: \xe9\xff\xfe",
        b"Set-Cookie: " + record + b"; Path=/",
        b"Set-Cookie: sid=\xe9\x1b[2J; Path=/",
        b"Content-Type: text/html; charset=latin-1",
        b"Content-Length: %d" % BODY,
        b"Connection: close",
        b"",
        b"",
    )
    await stream.send_all(b"\r\n".join(lines))
    if head.startswith(b"HEAD "):
        return
    start = b"<html><title>caf\xe9\0\x1b[31m</title>\r\n" + b"\n".join(
        each.encode() for each in (_FINDING, _ASSET, _DONE, "")
    )
    await stream.send_all(start)
    block = (record + b"\n" + b"\xe9\0\x1b[2J" * 1000 + b"\n").ljust(65536, b"<")
    left = BODY - len(start)
    while left > 0:
        await stream.send_all(block[: min(left, len(block))])
        left -= len(block)
