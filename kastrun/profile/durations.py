"""Durations as people write them: ``15m``, ``1h30m``, or a number of seconds.

Floor 2, pure.
"""

from __future__ import annotations

import math
import re
from typing import Final

LONGEST_S: Final = 366 * 86400.0
_FORM: Final = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SECONDS: Final = (86400, 3600, 60, 1)


def seconds(value: str | float) -> float:
    """The seconds that a duration means; ValueError, in words, where it means none.

    A duration is more than nothing and at most 366 days.
    """
    if isinstance(value, str):
        form = _FORM.fullmatch(value)
        if form is None:
            raise ValueError('expected a duration such as "15m", "90s" or "1h30m"')
        parts = zip(form.groups("0"), _SECONDS, strict=True)
        value = float(sum(int(number) * each for number, each in parts))
    if not math.isfinite(value) or not 0 < value <= LONGEST_S:
        raise ValueError("expected a duration of more than 0 and at most 366 days")
    return float(value)
