"""What a person sees when a command cannot go on, and the exit code that says it to a script."""

from __future__ import annotations

import errno
import os
import sys

from kastrun import __version__
from kastrun.errors import KastError, ProfileError, UsageError
from kastrun.model import JsonObject

EXPECTED = (KastError,)


def explain(error: KastError, *, as_json: bool, plain: bool = False) -> int:
    """Print an error of ours: the problems of a profile each in its place, anything else in two lines."""
    if as_json:
        _print_json(error)
    elif isinstance(error, ProfileError):
        from kastrun import problems

        _tell(problems.render(error.problems, colour=not plain and colour(sys.stderr)))
    else:
        _tell(f"error: {error.message}\n")
        if error.hint:
            _tell(f"hint: {error.hint}\n")
    return error.exit_code


def _tell(text: str) -> None:
    """Say it on standard error, if anybody still reads that; the exit code says it in any case."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _print_json(error: KastError) -> None:
    import json

    if isinstance(error, ProfileError):
        from kastrun import problems

        document: JsonObject = {"problems": problems.to_json(error.problems)}
    else:
        document = {"error": error.message, "hint": error.hint}
    document["exit_code"] = error.exit_code
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def interrupted() -> int:
    """Ctrl-C before a run had begun, or after it had ended."""
    _tell("interrupted\n")
    return 130


def no_room(error: OSError) -> bool:
    """Whether nobody takes what we write: the reader of a pipe has left, or a disk is full."""
    return isinstance(error, BrokenPipeError) or error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def output_lost(error: OSError) -> int:
    """Standard output is gone: its reader left (`| head`), which is no fault, or its disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains of it at exit
    if isinstance(error, BrokenPipeError):
        return 0
    _tell(f"error: what is to be said cannot be written: {error.strerror}\n")
    return UsageError.exit_code


def crash(error: Exception, arguments: list[str]) -> int:
    """A bug of ours: leave a crash file, name it, exit 70."""
    import tempfile
    import traceback
    from datetime import UTC, datetime

    from kastrun.terminal.wording import clean

    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    report = (
        f"kastrun {__version__}, Python {sys.version.split()[0]}, {sys.platform}, {now}\n"
        f"arguments: {arguments}\n\n{''.join(traceback.format_exception(error))}"
    )
    handle, path = tempfile.mkstemp(prefix=f"kastrun-crash-{now}-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(report)
    _tell(
        f"error: this is a bug in kastrun: {type(error).__name__}: {clean(str(error))}\n"
        f"hint: please report it with {path} (look through it first: it holds your arguments)\n"
    )
    return 70


def colour(stream: object) -> bool:
    """Whether to colour what goes to `stream`: a terminal, and NO_COLOR not set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())
