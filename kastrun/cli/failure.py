"""What a person sees when a command cannot go on, and the exit code that says it to a script."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime

from kastrun import __version__
from kastrun.errors import KastError, ProfileError
from kastrun.model import JsonObject

EXPECTED = (KastError,)


def explain(error: KastError, *, as_json: bool) -> int:
    """Print an error of ours: the problems of a profile each in its place, anything else in two lines."""
    if as_json:
        _print_json(error)
    elif isinstance(error, ProfileError):
        from kastrun import problems

        sys.stderr.write(problems.render(error.problems, colour=colour(sys.stderr)))
    else:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
    return error.exit_code


def _print_json(error: KastError) -> None:
    if isinstance(error, ProfileError):
        from kastrun import problems

        document: JsonObject = {"problems": problems.to_json(error.problems)}
    else:
        document = {"error": error.message, "hint": error.hint}
    document["exit_code"] = error.exit_code
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def interrupted() -> int:
    """Ctrl-C before a run had begun, or after it had ended."""
    sys.stderr.write("interrupted\n")
    return 130


def crash(error: Exception, arguments: list[str]) -> int:
    """A bug of ours: leave a crash file, name it, exit 70."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    report = (
        f"kastrun {__version__}, Python {sys.version.split()[0]}, {sys.platform}, {now}\n"
        f"arguments: {arguments}\n\n{''.join(traceback.format_exception(error))}"
    )
    handle, path = tempfile.mkstemp(prefix=f"kastrun-crash-{now}-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(report)
    sys.stderr.write(
        f"error: this is a bug in kastrun: {type(error).__name__}: {error}\n"
        f"hint: please report it with {path} (look through it first: it holds your arguments)\n"
    )
    return 70


def colour(stream: object) -> bool:
    """Whether to colour what goes to `stream`: a terminal, and NO_COLOR not set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())
