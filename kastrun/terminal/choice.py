"""Which running job the user points at in the live view, and what a key does to that. Pure.

The keys are those of htop: the arrows choose, `k` or F9 asks, `y` or Enter says yes.
"""

from __future__ import annotations

from typing import Final

from kastrun.tally import Running, Tally

_KEYS: Final = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down", b"\x1b[20~": "k", b"\x1b": "esc",
    b"\r": "y", b"\n": "y",
}  # fmt: skip


def decode(data: bytes) -> list[str]:
    """The keys of what one read of a terminal gave; what is none of ours is itself."""
    keys: list[str] = []
    while data:
        known = next(
            (code for code in sorted(_KEYS, key=len, reverse=True) if data.startswith(code)), data[:1]
        )
        keys.append(_KEYS.get(known) or known.decode("latin-1").lower())
        data = data[len(known) :]
    return keys


def processes(tally: Tally) -> list[Running]:
    """What runs, the oldest first; the first job of a batch stands for its process."""
    first = {job.process: job for job in reversed(tally.running.values())}
    return list(reversed(first.values()))


class Choice:
    """Nothing is chosen until an arrow or `k` is pressed, and what ends is not chosen any more."""

    def __init__(self) -> None:
        self._process: str | None = None
        self._asking = False

    def chosen(self, running: list[Running]) -> Running | None:
        """The process that is pointed at."""
        return next((job for job in running if job.process == self._process), None)

    @property
    def asking(self) -> bool:
        """Whether the next key answers the question."""
        return self._asking

    def press(self, key: str, tally: Tally) -> Running | None:
        """Take a key; the process that is to be given up, once that was confirmed."""
        running = processes(tally)
        chosen = self.chosen(running)
        if self._asking:
            self._asking = False
            return chosen if key == "y" else None
        if key in {"up", "down"} and running:
            self._process = running[_next(running, chosen, 1 if key == "down" else -1)].process
        elif key == "k" and running:
            self._process = (chosen or running[0]).process
            self._asking = True
        elif key == "esc":
            self._process = None
        return None


def _next(running: list[Running], chosen: Running | None, step: int) -> int:
    if chosen is None:
        return 0 if step > 0 else len(running) - 1
    return min(max(running.index(chosen) + step, 0), len(running) - 1)
