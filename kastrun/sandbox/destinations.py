"""Where a job's packet may go: judged, written into the ledger, led to the stub.

The one place that turns an address that a job named into one that is acted on.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from kastrun.sandbox.copies import Copy
from kastrun.sandbox.ledger import Ledger, Protocol
from kastrun.sandbox.rules import Rules
from kastrun.sandbox.sockaddr import parse, unix_path
from kastrun.sandbox.stub import PORT, Stub

INTERNET: Final = (int(socket.AF_INET), int(socket.AF_INET6))
STREAM: Final = int(socket.SOCK_STREAM)


class Destinations:
    """A job's. `resolves`: resolvers outside the scope are the stub."""

    def __init__(self, rules: Rules, ledger: Ledger, stub: Stub, *, resolves: bool) -> None:
        self._rules, self._ledger, self._stub, self._resolves = rules, ledger, stub, resolves

    def of(self, through: Copy, raw: bytes) -> tuple[tuple[Any, ...], bool]:
        """Where to go, as `through` takes it, and whether that is the stub. Raises OSError: not there."""
        if through.family not in INTERNET:
            self._refuse_local(through, raw)
        address = parse(raw)
        verdict = self._rules.judge(address.version, address.number, address.port)
        if verdict == "refused" and address.port == PORT and self._resolves:
            return self._stub.lead(address, through.kind).to(through.family), True
        protocol: Protocol = "tcp" if through.kind == STREAM else "udp"
        self._ledger.contact(protocol, address.version, address.number, address.port, verdict)
        if verdict == "refused":
            raise OSError(errno.EACCES, "outside the scope")
        return address.to(through.family), False

    def reached(self, through: Copy) -> None:
        """It was led to the stub and is bound now: let the stub know whom to answer."""
        self._stub.expect(through.socket.getsockname()[1])

    def _refuse_local(self, through: Copy, raw: bytes) -> None:
        if through.family == socket.AF_UNIX:
            self._ledger.path(unix_path(raw), "refused")
        raise OSError(errno.EACCES, "a local socket of somebody else")
