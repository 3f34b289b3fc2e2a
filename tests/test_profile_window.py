"""The window of a profile: what it means, nights of a changing clock included, and what a run does."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import trio
import trio.testing
import zoo_runs
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_rooms import Room, room

from kastrun.profile.window import is_open, opens, said, window
from kastrun.scan.opening import Opening
from kastrun.tally import Tally
from kastrun.terminal.plain import PlainScreen

__all__ = ["room"]

GOOD = 'targets = ["a.example"]\n'


def at(text: str) -> float:
    """Seconds since 1970 of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "moment", "open_"),
    [
        ("09:00-17:00 UTC", "2026-06-01 08:59:59", False),
        ("09:00-17:00 UTC", "2026-06-01 09:00", True),
        ("09:00-17:00 UTC", "2026-06-01 17:00", False),
        ("22:00-06:00 UTC", "2026-06-01 23:00", True),
        ("22:00-06:00 UTC", "2026-06-02 05:59", True),
        ("22:00-06:00 UTC", "2026-06-02 06:00", False),
        ("22:00-06:00 Europe/Berlin", "2026-06-01 20:00", True),  # summer: two hours ahead
        ("22:00-06:00 Europe/Berlin", "2026-01-01 20:59", False),  # winter: one
        ("Mon-Fri 22:00-06:00 UTC", "2026-06-06 05:00", True),  # the night of Friday ends on Saturday
        ("Mon-Fri 22:00-06:00 UTC", "2026-06-06 23:00", False),
        ("Sat-Mon 10:00-11:00 UTC", "2026-06-07 10:30", True),  # over Sunday
        ("sat,sun 00:00-24:00 UTC", "2026-06-07 23:59", True),
        ("sat,sun 00:00-24:00 UTC", "2026-06-08 00:00", False),
        ("00:00-24:00 UTC", "2026-06-08 00:00", True),
    ],
)
def test_whether_it_is_open(text: str, moment: str, open_: bool) -> None:
    assert is_open(window(text), at(moment)) is open_


@pytest.mark.parametrize(
    ("text", "moment", "opening"),
    [
        ("22:00-06:00 UTC", "2026-06-01 12:00:30", "2026-06-01 22:00"),
        ("22:00-06:00 UTC", "2026-06-01 23:15:30", "2026-06-01 23:15:30"),
        ("Mon 08:00-09:00 UTC", "2026-06-01 09:00", "2026-06-08 08:00"),
        # 2026-03-29 in Berlin: after 01:59 comes 03:00. What begins in that hour begins at its end,
        ("02:30-06:00 Europe/Berlin", "2026-03-29 00:00", "2026-03-29 01:00"),
        # and what lies in it is passed over, for a week if need be.
        ("02:10-02:50 Europe/Berlin", "2026-03-29 00:00", "2026-03-30 00:10"),
        ("Sun 02:10-02:50 Europe/Berlin", "2026-03-29 00:00", "2026-04-05 00:10"),
        # 2026-10-25 in Berlin: after 02:59 comes 02:00. An hour that comes twice is open twice.
        ("02:00-02:30 Europe/Berlin", "2026-10-24 23:00", "2026-10-25 00:00"),
        ("02:00-02:30 Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:00"),
        ("02:00-02:30 Europe/Berlin", "2026-10-25 01:30", "2026-10-26 01:00"),
    ],
)
def test_when_it_opens(text: str, moment: str, opening: str) -> None:
    assert opens(window(text), at(moment)) == at(opening)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 1439), st.integers(0, 1439), st.sets(st.integers(0, 6), min_size=1),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.datetimes(datetime(2011, 12, 20), datetime(2030, 1, 1)),
)  # fmt: skip
def test_it_opens_when_it_says(begin: int, end: int, days: set[int], zone: str, when: datetime) -> None:
    names = ",".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in days)
    text = f"{names} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02} {zone}"
    it, now = window(text), at(str(when))
    opening = opens(it, now)
    assert is_open(it, opening)
    assert opening == now or not any(is_open(it, opening - 60 * back) for back in (1, 2))
    assert now <= opening <= now + timedelta(days=15).total_seconds()


def test_it_is_said_in_its_own_zone() -> None:
    assert said(window("22:00-06:00 Europe/Berlin"), at("2026-06-01 20:00")) == "Mon 22:00"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("22:00-06:00", 'expected a window such as "22:00-06:00 Europe/Berlin"'),
        ("22-06 UTC", "expected a window such as"),
        ("25:00-06:00 UTC", "25:00 is no time of the day: 00:00 to 24:00"),
        ("22:60-06:00 UTC", "22:60 is no time of the day"),
        ("Mon-Fry 22:00-06:00 UTC", "'Fry' is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
        ("Mon-Tue-Fri 22:00-06:00 UTC", "expected a window such as"),
        (
            "22:00-06:00 Europe/Berln",
            "there is no time zone 'Europe/Berln' here: write Europe/Berlin, or",
        ),
        ("22:00-06:00 ../etc/passwd", "expected a window such as"),
        ("22:00-06:00 /etc/passwd", "there is no time zone '/etc/passwd' here"),
    ],
)
def test_what_is_none_is_shown_in_its_place(room: Room, text: str, why: str) -> None:
    shown = room.said(GOOD + f'limits = {{ window = "{text}" }}\n')
    assert f'2 | limits = {{ window = "{text}" }}' in shown
    assert why in " ".join(shown.replace("|", " ").split())


# at the door


class Wall:
    """A clock on the wall that goes with trio's."""

    def __init__(self, begin: float) -> None:
        self._begin = begin - trio.current_time()

    def __call__(self) -> float:
        return self._begin + trio.current_time()


async def test_the_door_opens_when_it_is_time_and_it_is_said_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    out, tally = StringIO(), Tally()
    wall = Wall(at("2026-06-01 21:00"))
    opening = Opening(window("22:00-06:00 UTC"), tally, PlainScreen(out), wall=wall)
    async with trio.open_nursery() as jobs:
        for _ in range(3):
            jobs.start_soon(opening.wait)
        await trio.sleep(60)
        assert tally.held == "outside of the window: nothing starts before Mon 22:00 UTC"
    assert wall() == at("2026-06-01 22:00")
    assert tally.held == ""
    shut, open_again = out.getvalue().splitlines()
    assert shut.startswith("21:00:00Z outside of the window: nothing starts before Mon 22:00 UTC (in 1 h")
    assert open_again == "22:00:00Z the window is open: the run goes on"


async def test_without_a_window_nobody_waits() -> None:
    with trio.testing.assert_no_checkpoints():
        await Opening(None, Tally(), PlainScreen(StringIO())).wait()


def test_a_run_outside_of_its_window_starts_nothing_and_can_be_stopped(tmp_path: Path) -> None:
    hour = (datetime.now(UTC) + timedelta(hours=2)).hour
    shut = f'[limits]\nwindow = "{hour:02}:00-{hour:02}:30 UTC"'
    going = zoo_runs.Going(tmp_path, zoo_runs.write_profile(tmp_path, ["ok-sh"], tables=shut))
    going.wait_for_text("outside of the window: nothing starts before")
    going.signal(signal.SIGINT)
    ran = going.finish()
    assert (ran.code, ran.of("start"), ran.of("result")) == (130, [], [])
    resolved = tmp_path / "out" / "profile.toml"
    resolved.write_text(resolved.read_text().replace(f"{hour:02}:00-{hour:02}:30 UTC", "00:00-24:00 UTC"))
    assert zoo_runs.kastrun(tmp_path, "resume", "out").returncode == 0
