"""The weak site and its hardened twin as context managers: two listeners each, and where they are.

Here ports become URLs and the shipped certificates become TLS contexts; what is served
is `pages`, how it is served is `server`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kastrun.demo import pages
from kastrun.demo.flaws import WEAK_FLAWS, Flaw
from kastrun.demo.server import Listener
from kastrun.errors import UsageError

_CERTS: Final = Path(__file__).resolve().parent / "certs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running site. The URLs end at the port: add a path that begins with a slash.

    `ca_file` is the authority to trust, None where the certificate deserves no trust;
    `flaws` is what was planted, and `targets` the URLs to scan so that each can be met.
    """

    http_url: str
    https_url: str
    ca_file: Path | None
    flaws: tuple[Flaw, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """Both front pages, then every other page that has a flaw."""
        flawed = (f"{self.http_url if f.scheme == 'http' else self.https_url}{f.path}" for f in self.flaws)
        return tuple(dict.fromkeys((f"{self.http_url}/", f"{self.https_url}/", *flawed)))


@contextmanager
def weak_site(*, http_port: int = 0, https_port: int = 0) -> Iterator[Site]:
    """The weak site on 127.0.0.1 until the block ends; a port of 0 is a free one.

    Raises UsageError where a port cannot be had.
    """
    with ExitStack() as listening:
        https = listening.enter_context(closing(_listen(https_port, pages.WEAK, _weak_tls())))
        http = listening.enter_context(closing(_listen(http_port, pages.WEAK)))
        yield Site(
            http_url=_url("http", http), https_url=_url("https", https), ca_file=None, flaws=WEAK_FLAWS
        )


@contextmanager
def hardened_site(*, http_port: int = 0, https_port: int = 0) -> Iterator[Site]:
    """The hardened twin, as `weak_site`; its certificate is good for whoever trusts `ca_file`."""
    with ExitStack() as listening:
        https = listening.enter_context(closing(_listen(https_port, pages.HARDENED, _hardened_tls())))
        https_url = _url("https", https)
        http = listening.enter_context(closing(_listen(http_port, pages.sent_on(https_url))))
        yield Site(http_url=_url("http", http), https_url=https_url, ca_file=_CERTS / "ca.pem", flaws=())


def _url(scheme: str, listener: Listener) -> str:
    return f"{scheme}://127.0.0.1:{listener.server_port}"


def _listen(port: int, served: pages.Pages, tls: ssl.SSLContext | None = None) -> Listener:
    try:
        return Listener(port, served, tls)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise UsageError(
            f"the demo site cannot listen on port {port} of 127.0.0.1: {reason}",
            hint="name another port, or 0 for a free one",
        ) from error


def _weak_tls() -> ssl.SSLContext:
    """Whatever this OpenSSL still speaks: TLS 1.0, static RSA, a 1024-bit key (CWE-326, CWE-327)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")  # before the key: level 0 is what lets a small one in
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.load_cert_chain(_CERTS / "weak.pem")
    return context


def _hardened_tls() -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only (Mozilla's intermediate set)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(_CERTS / "hardened.pem")
    return context
