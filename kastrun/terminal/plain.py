"""Progress where there is no terminal: a line at the start, at each failure and now and then.

The lines are pure functions of the tally; `PlainScreen` writes them. One line each, no
colour, no rich: they end in CI logs, which people grep.
"""

from __future__ import annotations

from typing import Final, TextIO

from kastrun.facts import JobEnded
from kastrun.tally import Tally, coverage
from kastrun.terminal.failure import details, one_line
from kastrun.terminal.pace import left_s
from kastrun.terminal.wording import about, at, by_severity, clean, counted

EVERY_S: Final = 30.0
AT_ONCE: Final = 20
"""Most failures said at one update; the rest of a burst is counted."""


def due(now: float, last: float) -> bool:
    """Whether a progress line is due at `now`, the last one having come at `last` (seconds)."""
    return now - last >= EVERY_S


def start_line(tally: Tally, now: float) -> str:
    """``12:30:00Z shop: 400 jobs, 8 at once, fail_on high``."""
    if (run := tally.run) is None:
        return f"{at(now)} starting"
    jobs = "jobs" if run.planned is None else counted(run.planned, "job")
    kept = tally.ended() - coverage(tally).cancelled  # those run again
    done = f", {counted(kept, 'job')} of an earlier start kept" if kept else ""
    return f"{at(now)} {clean(run.name)}: {jobs}, {run.max_workers} at once, fail_on {run.fail_on}{done}"


def status_line(tally: Tally, now: float) -> str:
    """``12:30:05Z 120/400 jobs, 3 failed, findings: 2 high 5 low, 5 running, about 4 min left``."""
    parts = [f"{done_of(tally)} jobs", *troubles(tally)]
    parts.append(f"findings: {by_severity(tally.severities())}")
    parts.append(f"{len(tally.running):,} running")
    parts += [f"{len(tally.again):,} to be tried again"] if tally.again else []
    if tally.held:
        parts.append(tally.held)
    elif (left := left_s(tally, now)) is not None:
        parts.append(about(left))
    return f"{at(now)} {', '.join(parts)}"


def done_of(tally: Tally) -> str:
    """``120/400``, or ``120`` where the plan is not counted."""
    planned = tally.planned()
    return f"{tally.ended():,}" + ("" if planned is None else f"/{planned:,}")


def troubles(tally: Tally) -> list[str]:
    """What did not end ok, so far: ``["3 failed", "1 skipped"]``."""
    cover = coverage(tally)
    counts = {
        "failed": cover.failed,
        "partial": cover.partial,
        "skipped": cover.skipped + cover.upstream_failed,
        "cancelled": cover.cancelled,
    }
    return [f"{count:,} {word}" for word, count in counts.items() if count]


def new_failures(tally: Tally, seen: int) -> tuple[list[JobEnded], int]:
    """The failures since `seen` had been (AT_ONCE at most, the latest), and how many more there were."""
    fresh = tally.failures_seen - seen
    if not fresh:
        return [], 0
    shown = list(tally.failures.values())[-min(fresh, AT_ONCE) :]
    return shown, fresh - len(shown)


class PlainScreen:
    """Writes plain lines to `file`; with `verbose` also what plugins log, and failures in full."""

    def __init__(self, file: TextIO, *, verbose: bool = False) -> None:
        self._file = file
        self._verbose = verbose
        self._seen = 0
        self._last = 0.0

    def start(self, tally: Tally, now: float) -> None:
        """Say what begins; failures that a resumed run brought along are not news."""
        self._seen = tally.failures_seen
        self._last = now
        self._say(start_line(tally, now))

    def update(self, tally: Tally, now: float) -> None:
        """Say the new failures, and where the run stands if that is due."""
        failures, more = new_failures(tally, self._seen)
        self._seen = tally.failures_seen
        for fact in failures:
            self._say(f"{at(now)} {one_line(fact)}")
            for _, line in details(fact, verbose=True) if self._verbose else ():
                self._say(f"    {line}")
        if more:
            self._say(f"{at(now)} and {counted(more, 'more failure')}")
        if due(now, self._last):
            self._last = now
            self._say(status_line(tally, now))

    def log(self, plugin: str, target: str, level: str, message: str, now: float) -> None:
        """Say what a plugin logged, where the user asked for it."""
        if self._verbose:
            self._say(log_line(plugin, target, level, message, now))

    def note(self, text: str, now: float) -> None:
        """Say something of kastrun's own, such as what a first Ctrl-C does."""
        self._say(f"{at(now)} {clean(text)}")

    def stop(self, tally: Tally, now: float) -> None:
        """Say the last failures; the summary says the rest."""
        self._last = now
        self.update(tally, now)

    def _say(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()


def log_line(plugin: str, target: str, level: str, message: str, now: float) -> str:
    """``12:30:04Z warn: nmap a.example: retransmitting``."""
    return f"{at(now)} {clean(level)}: {clean(plugin)} {clean(target)}: {clean(message)}"


class QuietScreen:
    """Only kastrun's own notes; the verdict and the exit code come with the summary."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def start(self, tally: Tally, now: float) -> None:
        """Say nothing."""

    def update(self, tally: Tally, now: float) -> None:
        """Say nothing."""

    def log(self, plugin: str, target: str, level: str, message: str, now: float) -> None:
        """Say nothing."""

    def note(self, text: str, now: float) -> None:
        """Say something of kastrun's own, such as what a first Ctrl-C does."""
        self._file.write(f"{at(now)} {clean(text)}\n")
        self._file.flush()

    def stop(self, tally: Tally, now: float) -> None:
        """Say nothing."""
