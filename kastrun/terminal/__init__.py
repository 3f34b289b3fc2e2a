"""What a person sees while a run is under way, and at its end. Never a decision, never a fact.

Floor 3. `live`, `plain` and `summary` are pure functions of the tally; `writer` and the
screens put them on a stream. Importing this does not import rich.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kastrun.model import JsonObject
    from kastrun.report.comparison import Comparison
    from kastrun.tally import ExitCode, Tally
    from kastrun.terminal.choice import Choice

__all__ = ["Screen", "open_screen", "print_changes", "print_runs", "print_summary"]


class Screen(Protocol):
    """Where progress goes. `now` is in seconds since 1970 throughout; call `stop` in a `finally`."""

    def start(self, tally: Tally, now: float) -> None: ...

    def update(self, tally: Tally, now: float) -> None: ...

    def log(self, plugin: str, target: str, level: str, message: str, now: float) -> None: ...

    def note(self, text: str, now: float) -> None: ...

    def stop(self, tally: Tally, now: float) -> None: ...


def open_screen(
    file: TextIO,
    environ: Mapping[str, str],
    *,
    quiet: bool = False,
    verbose: bool = False,
    color: bool = True,
    choice: Choice | None = None,
) -> Screen:
    """The screen that fits `file`: live on a terminal, plain elsewhere, notes only with `quiet`.

    `choice` is what the user points at in it. `environ` is asked for TERM and NO_COLOR. A stream
    that breaks while the run is under way (a closed terminal, a pipe whose reader left) goes
    quiet: the run and its journal go on.
    """
    from kastrun.terminal.plain import PlainScreen, QuietScreen
    from kastrun.terminal.steady import SteadyScreen

    if quiet:
        return SteadyScreen(QuietScreen(file))
    if not file.isatty() or environ.get("TERM", "dumb") == "dumb":
        return SteadyScreen(PlainScreen(file, verbose=verbose))
    from kastrun.terminal.writer import LiveScreen

    plain = not color or bool(environ.get("NO_COLOR"))
    return SteadyScreen(LiveScreen(file, verbose=verbose, color=not plain, choice=choice))


def print_summary(
    file: TextIO,
    environ: Mapping[str, str],
    tally: Tally,
    code: ExitCode,
    *,
    folder: str,
    reports: Sequence[str] = (),
    quiet: bool = False,
    verbose: bool = False,
    color: bool | None = None,
) -> None:
    """Print the final summary on `file`: as wide as a terminal up to 120 columns, else 80.

    `color` None: where `file` is a terminal and NO_COLOR is not set.
    """
    from kastrun.terminal.summary import summary

    said = summary(tally, code, folder=folder, reports=reports, verbose=verbose, quiet=quiet)
    _print(file, environ, said, color)


def print_changes(
    file: TextIO,
    environ: Mapping[str, str],
    comparison: Comparison,
    fail_on: str,
    *,
    verbose: bool = False,
    color: bool | None = None,
) -> ExitCode:
    """Print what became of the findings of two runs, as wide as a summary; the exit code that it says."""
    from kastrun.terminal.changes import changes

    said, code = changes(comparison, fail_on, verbose=verbose)
    _print(file, environ, said, color)
    return code


def print_runs(
    file: TextIO, environ: Mapping[str, str], rows: Sequence[JsonObject], *, color: bool | None = None
) -> None:
    """Print the runs that there are on `file`, as wide as a summary."""
    from kastrun.terminal.runs import runs

    _print(file, environ, runs(rows), color)


def _print(file: TextIO, environ: Mapping[str, str], said: RenderableType, color: bool | None) -> None:
    from rich.console import Console

    from kastrun.terminal.writer import size_of

    terminal = file.isatty() and environ.get("TERM", "dumb") != "dumb"
    console = Console(
        file=file,
        width=min(size_of(file).columns, 120) if terminal else 80,
        force_terminal=terminal if color is None else color or terminal,
        no_color=bool(environ.get("NO_COLOR")) if color is None else not color,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(said)
    # Tables are padded to their width, which no log and no diff needs.
    file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))
    file.flush()
