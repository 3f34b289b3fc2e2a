"""Handshakes by Python's ssl module: what may be offered, what the server answers.

Every handshake is its own connection, through the profile's proxy where there is one,
and bounded in time. Nothing is sent but a handshake.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: OpenSSL has it, ssl.VerifyFlags does not name it
LEGACY_SERVERS = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT: named by ssl from Python 3.12 on
EVERYTHING = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
)


class SettingError(Exception):
    """The profile's http table holds something this plugin cannot follow."""


@dataclass(frozen=True, slots=True)
class Shake:
    """What a completed handshake showed. `decoded` is empty unless the certificate was verified."""

    version: str
    cipher: str
    der: bytes | None
    decoded: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is asked; `seconds` bound the connection, and again the handshake."""

    host: str
    port: int
    proxy: str | None
    seconds: float

    def shake(self, context: ssl.SSLContext) -> Shake:
        """Raises OSError: ssl.SSLError where the server answered but would not, others where it did not."""
        plain = self._connect()
        try:
            plain.settimeout(self.seconds)
            with context.wrap_socket(plain, server_hostname=self.host) as secure:
                cipher = secure.cipher()
                return Shake(
                    version=secure.version() or "",
                    cipher=cipher[0] if cipher else "",
                    der=secure.getpeercert(binary_form=True),
                    decoded=secure.getpeercert() or {},
                )
        finally:
            plain.close()

    def _connect(self) -> socket.socket:
        if self.proxy is None:
            return socket.create_connection((self.host, self.port), self.seconds)
        parts = proxy_parts(self.proxy)
        tunnel = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=self.seconds)
        tunnel.set_tunnel(self.host, self.port, headers=_login(parts))
        try:
            tunnel.connect()
        except http.client.HTTPException as error:
            tunnel.close()
            raise ConnectionError(f"the proxy's answer cannot be read: {error!r}") from error
        except OSError:
            tunnel.close()
            raise
        return tunnel.sock


def proxy_parts(proxy: str) -> SplitResult:
    """Raises SettingError for anything but an http proxy."""
    parts = urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise SettingError(
            f"[http] proxy: only http://HOST:PORT proxies can be used here, not {parts.scheme}://"
        )
    return parts


def _login(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def loose() -> ssl.SSLContext:
    """Takes any certificate, version and cipher that this OpenSSL knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.options |= LEGACY_SERVERS
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(EVERYTHING)
    return context


def only_version(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = loose()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are deprecated: that is why we ask
        context.minimum_version = version
        context.maximum_version = version
    return context


def only_ciphers(names: str) -> ssl.SSLContext:
    """Up to TLS 1.2 with these ciphers alone. Raises ssl.SSLError where this OpenSSL has none of them."""
    context = loose()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{names}:@SECLEVEL=0")
    return context


def pinned(der: bytes, *, check_name: bool) -> ssl.SSLContext:
    """Trusts just this certificate, whatever its dates: to have it decoded, or its name checked."""
    context = _verifying()
    context.load_verify_locations(cadata=der)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    context.check_hostname = check_name
    return context


def trusting(ca_file: str | None, *, check_time: bool) -> ssl.SSLContext:
    """Trusts the system's CAs, and `ca_file`'s. Raises SettingError where that cannot be read."""
    context = _verifying()
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise SettingError(f"[http] ca_file {ca_file} cannot be used: {error}") from error
    if not check_time:
        context.verify_flags |= NO_CHECK_TIME
    return context


def _verifying() -> ssl.SSLContext:
    context = loose()
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def answered_in_another_tongue(error: OSError) -> bool:
    """Whether the far side is alive and does not speak TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in NOT_TLS
