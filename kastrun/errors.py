"""The error tree: one class for each way in which a whole run cannot go on.

Floor 0. A bad plugin is never an exception, it is a result with a reason; what is
raised here ends the command, with the exit code of run.md's table. Each message says
what happened and where; `hint` says what to do.

    KastError
    ├ UsageError         2  flags that do not fit, a path that is not there
    ├ ProfileError       2  carries every Problem found
    ├ MachineError       4  this machine cannot honour the profile
    ├ JournalError       5  the journal cannot be written
    └ Interrupted      130  the user stopped it before anything could be said
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kastrun.model import Problem


class KastError(Exception):
    """The root. `exit_code` is what the process ends with."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(KastError):
    """What was asked for on the command line cannot be done; nothing ran."""

    exit_code = 2


class ProfileError(KastError):
    """The profile, or what it names, is wrong; `problems` has all of it, warnings too."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        errors = sum(problem.level == "error" for problem in problems)
        super().__init__(f"{errors} error{'' if errors == 1 else 's'}, nothing was run")
        self.problems = tuple(problems)


class MachineError(KastError):
    """What the profile demands, this machine cannot do; nothing ran."""

    exit_code = 4


class JournalError(KastError):
    """The journal cannot be written or read (full disk, I/O error, newer version)."""

    exit_code = 5


class Interrupted(KastError):
    """SIGINT or SIGTERM came before the run had begun."""

    exit_code = 130
