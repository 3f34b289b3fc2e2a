"""What a plugin wrote to stderr: always taken, its first and last part kept (protocol rule 7).

Pure. Secrets are replaced before anything is thrown away, so that no cut can leave half
of one; what might be the beginning of a secret is held back until more is known.
"""

from __future__ import annotations

from collections.abc import Sequence

from kastrun.protocol import Redactor

HEAD = 8 << 10
TAIL = 56 << 10
_WIDEST = len("\\ud83d\\ude00")
"""The most bytes that one character of a secret takes, escaped as JSON may escape it."""


class Stderr:
    """Keeps the first 8 and the last 56 KiB."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._redactor = Redactor.of(tuple(secrets))
        self._longest = max((_WIDEST * len(secret) for secret in secrets), default=1)
        self._held = b""
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take what came."""
        if not self._redactor:
            self._keep(data)
            return
        data = self._redactor.data(self._held + data)
        cut = max(0, len(data) - self._longest + 1)
        self._held = data[cut:]
        self._keep(data[:cut])

    def text(self) -> str:
        """What was kept, with a line that says how much was not."""
        self._keep(self._redactor.data(self._held))
        self._held = b""
        self._trim()
        head, tail = bytes(self._head), bytes(self._tail)
        gap = f"\n… {self._dropped} bytes left out …\n".encode() if self._dropped else b""
        return (head + gap + tail).decode(errors="replace")

    def _keep(self, data: bytes) -> None:
        room = HEAD - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * TAIL:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._tail) - TAIL
        if surplus > 0:
            self._dropped += surplus
            del self._tail[:surplus]
