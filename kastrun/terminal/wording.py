"""Words and numbers as people read them in a terminal; and no others get through.

`clean` is the only door for text that a plugin or a target had a hand in: no control
character, escape sequence or bidirectional override reaches the screen (protocol rule 12,
CWE-150). Pure, and without rich, so that the plain screen starts quickly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from kastrun.model import Severity

_SEQUENCE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
)
_BREAK: Final = re.compile(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_HARMFUL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad"
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # bidi marks, overrides, invisible joiners
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)

SEVERITY_STYLE: Final[Mapping[str, str]] = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
}


def clean(text: str, limit: int = 500) -> str:
    """`text` on one line, harmless to a terminal, and at most `limit` characters long."""
    # Cut before the search too, so that a megabyte of escapes costs no more than a line.
    text = _HARMFUL.sub("", _BREAK.sub(" ", _SEQUENCE.sub("", text[: 8 * limit]))).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_lines(text: str, last: int) -> list[str]:
    """The last `last` lines of `text` that are not blank, each cleaned."""
    lines = [line.strip("\r") for line in text[-100_000:].split("\n")]
    return [shown for line in lines if (shown := clean(line.replace("\t", "    ")))][-last:]


def clock(seconds: float) -> str:
    """``0:32``, ``12:05``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def span(seconds: float) -> str:
    """``0.4 s``, ``32 s``, ``4 min 12 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """A time to come, no more exact than anyone can know it: ``about 4 min left``."""
    if seconds < 55:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    if seconds < 3570:
        return f"about {round(seconds / 60)} min left"
    minutes = round(seconds / 600) * 10
    return (
        f"about {minutes // 60} h {minutes % 60} min left"
        if minutes % 60
        else f"about {minutes // 60} h left"
    )


def counted(count: int, noun: str) -> str:
    """``1 job``, ``1,200 jobs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def by_severity(counts: Mapping[Severity, int]) -> str:
    """``2 high 5 low``, or ``none``."""
    return " ".join(f"{count:,} {severity}" for severity, count in counts.items()) or "none"


def at(now: float) -> str:
    """The time of day of `now` (seconds since 1970), in UTC as in the journal: ``12:30:05Z``."""
    return datetime.fromtimestamp(now, UTC).strftime("%H:%M:%SZ")
