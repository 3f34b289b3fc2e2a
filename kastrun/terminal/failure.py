"""A job that did not end well, in words: one line as it happens, and all there is to act on.

Pure, and without rich: lines come with the name of a style, which the plain screen ignores.
"""

from __future__ import annotations

import shlex

from kastrun.facts import JobEnded
from kastrun.model import Failure
from kastrun.protocol.reasons import FAILURES
from kastrun.terminal.wording import clean, clean_lines, counted, span

STDERR_LINES = 10
"""The last lines of stderr that the summary shows; `verbose` shows all that was kept."""


def headline(fact: JobEnded) -> tuple[str, str, str]:
    """Plugin and target, the reason, and the message (empty where nothing is known of it)."""
    known = FAILURES.get(fact.reason or "")
    message = (
        fact.failure.message if fact.failure is not None else fact.message or (known.what if known else "")
    )
    return f"{clean(fact.plugin)} {clean(fact.target)}", clean(fact.reason or fact.status), clean(message)


def word(fact: JobEnded) -> str:
    """``failed`` or ``partial``."""
    return "failed" if fact.status == "fail" else fact.status


def one_line(fact: JobEnded) -> str:
    """``failed: nmap a.example: exit_nonzero: the plugin exited with code 2``."""
    what, reason, message = headline(fact)
    return f"{word(fact)}: {what}: {reason}" + (f": {message}" if message else "")


def details(fact: JobEnded, *, verbose: bool = False) -> list[tuple[str, str]]:
    """The rest as (style, line) pairs: how it ended, the offending line, what to do, stderr's tail."""
    failure = fact.failure
    lines = [("", said)] if failure and (said := _said_by_plugin(fact, failure)) else []
    lines.append(("dim", _ending(fact)))
    if failure is None:
        return lines
    if failure.line is not None:
        number = "" if failure.line_number is None else f" {failure.line_number}"
        lines.append(("", f"stdout line{number}: {clean(failure.line)}"))
    if verbose and failure.argv:
        lines.append(("dim", f"command: {clean(shlex.join(failure.argv), 2000)}"))
    if failure.hint:
        lines.append(("bold", f"hint: {clean(failure.hint)}"))
    # Last, as hints speak of "the stderr below".
    return lines + _stderr(failure, verbose)


def _said_by_plugin(fact: JobEnded, failure: Failure) -> str:
    """What `done` said, where the failure's own message does not have it already."""
    said = clean(fact.message or "")
    return f"the plugin said: {said}" if said and said not in clean(failure.message) else ""


def _ending(fact: JobEnded) -> str:
    parts = []
    if (failure := fact.failure) is not None:
        parts += [f"exit code {failure.exit_code}"] if failure.exit_code is not None else []
        parts += [f"killed by {clean(failure.signal)}"] if failure.signal is not None else []
    parts.append(f"after {span(fact.timings.duration_s)}")
    parts += [f"attempt {fact.attempt}"] if fact.attempt > 1 else []
    parts += (
        [f"{counted(failure.records, 'record')} before it"] if failure is not None and failure.records else []
    )
    return ", ".join(parts)


def _stderr(failure: Failure, verbose: bool) -> list[tuple[str, str]]:
    every = clean_lines(failure.stderr, len(failure.stderr) + 1)
    shown = every if verbose else every[-STDERR_LINES:]
    if not shown:
        return []
    cut = f", the last {len(shown)} of {len(every)} lines" if len(shown) < len(every) else ""
    return [("dim", f"stderr{cut}:"), *(("dim", f"  {line}") for line in shown)]
