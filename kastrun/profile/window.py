"""When jobs may start: ``Mon-Fri 22:00-06:00 Europe/Berlin``, and how long it is until then.

Floor 2, pure: the moment is given. The window is open while a clock on the wall of that zone
shows a time within it, so that a night in which the clock is put on or back needs no rule of
its own: an hour that is not there is passed over, one that comes twice is open twice.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM: Final = re.compile(
    r"(?:(?P<days>[A-Za-z,-]+) )?"
    r"(?P<h1>\d\d):(?P<m1>\d\d)-(?P<h2>\d\d):(?P<m2>\d\d) (?P<zone>[A-Za-z0-9_+/-]+)"
)
_EXPECTED: Final = 'expected a window such as "22:00-06:00 Europe/Berlin" or "Mon-Fri 22:00-06:00 UTC"'
_LONGEST: Final = timedelta(days=15)
"""A window of one day a week that falls into an hour that is not there comes again a week later."""


class Window(NamedTuple):
    """Days (0 is Monday) on which it opens, and minutes of the day; it ends on the next day where `end`
    is not after `begin`.
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: ZoneInfo


def window(text: str) -> Window:
    """The window that `text` means; ValueError, in words, where it means none."""
    from zoneinfo import ZoneInfo

    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError(_EXPECTED)
    begin, end = _minutes(form["h1"], form["m1"]), _minutes(form["h2"], form["m2"])
    try:
        zone = ZoneInfo(form["zone"])
    except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(
            f"there is no time zone {form['zone']!r} here: write Europe/Berlin, or UTC; "
            "the zones are those of the system, or of the Python package tzdata"
        ) from error
    return Window(_days(form["days"]), begin % 1440, end % 1440, zone)


def _minutes(hours: str, minutes: str) -> int:
    total = 60 * int(hours) + int(minutes)
    if int(minutes) > 59 or total > 1440:
        raise ValueError(f"{hours}:{minutes} is no time of the day: 00:00 to 24:00")
    return total


def _days(text: str | None) -> frozenset[int]:
    """``Mon-Fri,Sun``; None is every day. A range may go over Sunday."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        ends = [_day(name) for name in part.split("-")]
        if len(ends) > 2:
            raise ValueError(_EXPECTED)
        first, last = ends[0], ends[-1]
        found.update(day % 7 for day in range(first, last + 1 + 7 * (last < first)))
    return frozenset(found)


def _day(name: str) -> int:
    if name.lower() not in DAYS:
        raise ValueError(f"{name!r} is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun")
    return DAYS.index(name.lower())


def is_open(window: Window, now: float) -> bool:
    """Whether jobs may start at `now` (seconds since 1970)."""
    wall = datetime.fromtimestamp(now, window.zone)
    minute, today = 60 * wall.hour + wall.minute, wall.weekday()
    if window.begin < window.end:
        return today in window.days and window.begin <= minute < window.end
    began_today = today in window.days and minute >= window.begin
    return began_today or ((today - 1) % 7 in window.days and minute < window.end)


def opens(window: Window, now: float) -> float:
    """The moment from which on jobs may start: `now` itself, or the begin of a minute to come."""
    if is_open(window, now):
        return now
    # A minute after the other: every opening is at one, whatever the zone does that night.
    minute = int(now // 60) + 1
    for later in range(minute, minute + int(_LONGEST.total_seconds() // 60)):
        if is_open(window, 60.0 * later):
            return 60.0 * later
    raise ValueError("a window that never opens")  # no zone skips more than a day


def said(window: Window, moment: float) -> str:
    """``Tue 22:00`` on the wall of the window's zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone(window.zone).strftime("%a %H:%M")
