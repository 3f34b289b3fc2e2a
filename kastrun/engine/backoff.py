"""How long a job waits before it is tried once more: longer each time, and never sooner than asked.

Pure. Jitter spreads jobs that failed together, so that they do not come back together.
"""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 2.0
"""The wait after the first attempt, at most; it doubles from then on."""
OWN_S: Final = 60.0
"""No wait of our own is longer."""
LONGEST_S: Final = 600.0
"""What asks for more than this is not waited for: a resume with `--retry-failed` tries it again."""
_SPREAD: Final = 0.1


def wait_s(failures: int, asked: float | None, dice: float) -> float | None:
    """Seconds after so many `failures` (from 1); None where `asked`, the plugin's own word, is too long.

    `dice` is from 0 to 1: of our own wait at least a half is kept, and to what was asked a tenth at
    most is added.
    """
    if asked is not None and asked > LONGEST_S:
        return None
    own = min(OWN_S, FIRST_S * (1 << min(failures - 1, 30))) * (0.5 + dice / 2)
    return max(own, (asked or 0.0) * (1 + _SPREAD * dice))
