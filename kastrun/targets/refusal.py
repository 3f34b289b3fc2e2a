"""How a target is refused: the error, and how text that cannot be trusted is quoted in it.

Holds no rule of its own about targets. A quoted target never brings control
characters, a screenful of text or a password into a message.
"""

from __future__ import annotations

import re
from typing import Final

_QUOTE_LIMIT: Final = 80
_USERINFO = re.compile(r"(^|\s|://)([^\s/?#]+)(?=@)")


class TargetError(ValueError):
    """A text that cannot be read as a target. `message` says what is wrong, `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def shown(text: str) -> str:
    """`text` fit for a message: masked, clipped, and with what does not print as escapes."""
    clipped = masked(text if len(text) <= _QUOTE_LIMIT else text[: _QUOTE_LIMIT - 1] + "…")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)


def quoted(text: str) -> str:
    """The same between backticks."""
    return f"`{shown(text)}`"


def masked(line: str) -> str:
    """`line` with each user name and password before an ``@`` replaced by as many asterisks.

    For showing a source line that was refused, in the same columns (CWE-532).
    """
    return _USERINFO.sub(lambda found: found[1] + "*" * len(found[2]), line)
