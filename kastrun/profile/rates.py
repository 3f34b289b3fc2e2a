"""Rates as people write them: ``10/s``, ``30/m``, ``100/h``.

Floor 2, pure. So many on average, and at once at most what a second brings: 10 of ``10/s``, one
of ``30/m``, so that a pause is not followed by a flood.
"""

from __future__ import annotations

import re
from typing import Final

from kastrun.model import Rate

_FORM: Final = re.compile(r"([1-9]\d{0,5})/([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def rate(text: str) -> Rate:
    """The rate that `text` means; ValueError, in words, where it means none."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError('expected a rate such as "10/s", "30/m" or "100/h"')
    per_s = int(form[1]) / _SECONDS[form[2]]
    return Rate(per_s=per_s, burst=max(1, int(per_s)))
