"""Names to addresses: asked once in a run, pinned for the rest of it.

Floor 3. The system's resolver is asked, in a thread and in bounded time. A name without
an answer has no addresses, and the plugin that meets it says so.
"""

from __future__ import annotations

import socket

import trio

LIMIT_S = 10.0
_REMEMBERED = 65536


class Names:
    """One run's answers. Memory is bounded: past 65,536 names the oldest answer is asked again."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[str, ...]] = {}
        self._asking: dict[str, trio.Event] = {}

    def known(self, name: str) -> tuple[str, ...] | None:
        """What was answered already; None where it was not asked for."""
        return self._answers.get(name)

    async def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of `name`, empty where it has none or the resolver does not answer in time."""
        if name in self._asking:
            await self._asking[name].wait()
        if name not in self._answers:
            await self._ask(name)
        return self._answers.get(name, ())

    async def _ask(self, name: str) -> None:
        self._asking[name] = trio.Event()
        try:
            answer = await _resolve(name)
            if len(self._answers) >= _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[name] = answer
        finally:
            self._asking.pop(name).set()


async def _resolve(name: str) -> tuple[str, ...]:
    found: list[tuple[object, ...]] = []
    with trio.move_on_after(LIMIT_S):
        try:
            found = [*await trio.socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError):
            return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found if isinstance(entry[4], tuple)))
