"""The command line: one small module a verb. The only catcher of errors, the only `sys.exit`.

Floor 6. Standard output carries results, everything else goes to standard error. Verbs
are imported when they are asked for, so that `--version` costs next to nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from kastrun import __version__


def main(argv: Sequence[str] | None = None) -> None:
    """The `kastrun` command. Exits with a code of run.md's table."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        _say(f"kastrun {__version__}\n")
        sys.exit(0)
    sys.exit(_guarded(arguments))


def _guarded(arguments: list[str]) -> int:
    """Run a verb; every way in which it can fail, as an exit code and a text."""
    from kastrun.cli import failure, parser

    options = parser.read(arguments)
    try:
        code: int = options.verb(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output (`| head`) has left. Python would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return failure.interrupted()
    except failure.EXPECTED as error:
        return failure.explain(error, as_json=getattr(options, "json", False))
    except Exception as error:  # noqa: BLE001 - the one place that turns a bug of ours into exit 70
        return failure.crash(error, arguments)
    return code


def _say(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
