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
    _replace_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        sys.exit(_say(f"kastrun {__version__}\n"))
    code = _guarded(arguments)
    try:
        sys.stderr.flush()
    except OSError:  # nobody reads it any more; Python would end with 120 for that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    sys.exit(code)


def _replace_closed_streams() -> None:
    """What was closed by the caller (`>&-`) is /dev/null: else the journal would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def _guarded(arguments: list[str]) -> int:
    """Run a verb; every way in which it can fail, as an exit code and a text."""
    from kastrun.cli import failure, parser

    options = parser.read(arguments)
    try:
        code: int = options.verb(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return failure.interrupted()
    except failure.EXPECTED as error:
        return failure.explain(
            error, as_json=getattr(options, "json", False), plain=getattr(options, "no_color", False)
        )
    except Exception as error:  # noqa: BLE001 - the one place that turns a bug of ours into exit 70
        if isinstance(error, OSError) and failure.no_room(error):
            return failure.output_lost(error)
        return failure.crash(error, arguments)
    return code


def _say(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        from kastrun.cli import failure

        return failure.output_lost(error)
    return 0
