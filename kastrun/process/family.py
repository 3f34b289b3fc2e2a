"""Every child that kastrun starts: each under a warden of its own, and gone with it.

The one way to start a process. Whatever it begets, daemons and sessions of their own too,
dies with it; all of it dies with kastrun. One for a process; `close` it, or use it as a
context manager.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import trio

from kastrun.process.child import Child, GuardLost, LauncherLost
from kastrun.process.guards import Guard, Guards
from kastrun.process.stdin import Stdin
from kastrun.sandbox.orders import Orders
from kastrun.warden import wire


class Family:
    """Starts children; `start` has the launcher ready before the first of them is wanted."""

    def __init__(self) -> None:
        self._guards = Guards()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the launcher, which takes a moment, now. Raises OSError where it cannot be."""
        self._guards.start()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        stdin: bytes,
        memory_mb: int | None = None,
        orders: Orders | None = None,
    ) -> Child:
        """Start `argv` in a session of its own, with `stdin` as its whole input; nothing is waited for.

        Confined as `orders` say, which bound its memory too, or else not at all; then `memory_mb`
        bounds the private memory of each of its processes (RLIMIT_DATA). Where it
        cannot be started, the child's `read` says so; raises OSError for what is known before,
        LauncherLost where there is no warden to be had. Nothing is left open then.
        """
        given = Stdin(stdin)
        pipes: list[int] = []
        try:
            order = (
                "start",
                _program(argv[0], env.get("PATH", os.defpath)),
                [_raw(word) for word in argv],
                {_raw(name): _raw(value) for name, value in env.items()},
                os.fsencode(cwd),
                (memory_mb or 0) << 20,
                None if orders is None else tuple(orders),
            )
            for _ in range(2):
                pipes += os.pipe()
            out, out_writer, err, err_writer = pipes
            guard = self._ordered(order, (given.reader, out_writer, err_writer))
        except BaseException:
            given.close()
            _close(pipes)
            raise
        _close((out_writer, err_writer))
        return Child(guard, self._guards, out, err, given)

    async def look(self, orders: Orders, secret: str) -> dict[str, int]:
        """What a process confined like this could do all the same (`sandbox.canary`): errnos by attempt.

        Raises OSError where none can be confined like this, GuardLost where there is no warden.
        """
        guard = self._ordered(("look", tuple(orders), secret), ())
        said = None
        while said is None:
            await trio.lowlevel.wait_readable(guard.fd)
            try:
                said = guard.hear()
            except wire.Closed as error:
                raise GuardLost("a warden died while it was looking at this machine") from error
        self._guards.give_back(guard)
        what, *rest = said
        if what == "seen":
            seen: dict[str, int] = rest[0]
            return seen
        if what == "not":
            raise OSError(*rest)
        raise RuntimeError(f"in a warden: {rest[0]}")

    def _ordered(self, order: tuple[Any, ...], fds: tuple[int, ...]) -> Guard:
        """The warden that has taken an order; one that died while it was idle is passed over."""
        while True:
            try:
                guard = self._guards.take()
            except wire.Closed as error:
                raise LauncherLost from error
            try:
                wire.send(guard.control, order, fds)
            except wire.Closed:
                self._guards.dismiss(guard)
            except BaseException:
                self._guards.dismiss(guard)
                raise
            else:
                return guard

    def close(self) -> None:
        """Kill whatever still runs, and wait until nothing is left. Idempotent."""
        self._guards.close()


_raw = lru_cache(4096)(os.fsencode)
"""Most words of one job are those of the next."""


@lru_cache(256)
def _program(name: str, path: str) -> bytes:
    """Where `argv[0]` is: as it stands, or along the child's own PATH. Raises OSError."""
    if "\0" in name:
        raise OSError(errno.EINVAL, "its name holds a NUL byte")
    if "/" in name:
        return os.fsencode(name)
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return os.fsencode(found)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
