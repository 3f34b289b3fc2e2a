"""The thin writer, on a string that stands for a terminal and on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
from io import StringIO

from run_facts import T0, ended, folded, start, started

from kastrun.model import Failure
from kastrun.terminal import open_screen
from kastrun.terminal.steady import SteadyScreen
from kastrun.terminal.writer import LiveScreen, size_of, takes_more


class Sink(StringIO):
    """A terminal of 80 by 10 that remembers each write."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.columns = 80

    def size(self, _file: object) -> os.terminal_size:
        return os.terminal_size((self.columns, 10))

    def take(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def screen_on(sink: Sink, **more: bool) -> LiveScreen:
    return LiveScreen(sink, size=sink.size, **more)


def test_the_cursor_is_hidden_and_given_back_and_the_view_taken_away() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(2), start("j"))
    screen.start(tally, T0)
    first = sink.take()
    assert first.startswith("\x1b[?25l")
    assert first.count("\n") == 3
    screen.stop(tally, T0 + 1)
    assert sink.take() == "\x1b[3F\x1b[J\x1b[?25h"


def test_it_draws_at_most_five_times_a_second() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(2))
    screen.start(tally, T0)
    sink.take()
    drawn = 0
    for step in range(100):
        screen.update(tally, T0 + step / 100)
        drawn += bool(sink.take())
    assert drawn == 4


def test_failures_are_written_above_and_stay() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(2))
    screen.start(tally, T0)
    sink.take()
    tally.apply(ended("j", "fail", "oom", failure=Failure(message="too \x1b[2Jmuch [red]", hint="h")))
    screen.update(tally, T0 + 1)
    said = sink.take()
    assert said.startswith("\x1b[2F")
    assert "too much [red]" in said
    assert said.index("too much") < said.index("shop")
    screen.update(tally, T0 + 2)
    assert "too much" not in sink.take()


def test_a_failure_at_the_very_end_is_still_said() -> None:
    sink = Sink()
    screen = screen_on(sink, verbose=True)
    tally = folded(started(1))
    screen.start(tally, T0)
    sink.take()
    screen.log("nmap", "a.example", "error", "going down", T0)
    for number in range(25):
        tally.apply(ended(f"j{number}", "fail", "oom", failure=Failure(message="m", hint="more memory")))
    screen.stop(tally, T0)
    said = sink.take()
    assert "going down" in said
    assert "hint: more memory" in said
    assert "and 5 more failures" in said


def test_without_verbose_a_log_is_not_drawn() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(1))
    screen.start(tally, T0)
    screen.log("nmap", "a.example", "error", "going down", T0)
    screen.stop(tally, T0)
    assert "going down" not in sink.take()


def test_a_note_does_not_wait_for_the_next_drawing() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(1))
    screen.start(tally, T0)
    screen.note("stopping", T0)
    screen.update(tally, T0 + 0.01)
    assert "stopping" in sink.take()


def test_a_terminal_made_narrower_has_wrapped_what_was_drawn() -> None:
    sink = Sink()
    screen = screen_on(sink)
    tally = folded(started(2), start("j", target="a" * 100))
    screen.start(tally, T0)
    sink.take()
    sink.columns = 20
    screen.update(tally, T0 + 1)
    rows = int(sink.take().split("F", 1)[0].removeprefix("\x1b["))
    assert rows > 3


def test_colour_is_left_out_where_it_is_not_wanted() -> None:
    sink = Sink()
    tally = folded(started(2), ended("j", "fail", "oom"))
    tally.finding("j", "nmap", "a.example", "critical", "r", "t")
    screen_on(sink, color=False).start(tally, T0)
    assert "\x1b[31m" not in sink.getvalue()
    assert ";31m" not in sink.getvalue()


def test_the_screen_fits_the_stream() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w", encoding="utf-8") as terminal:
        for environ, quiet, drawn in [
            ({"TERM": "xterm"}, False, True),
            ({"TERM": "dumb"}, False, False),
            ({}, False, False),
            ({"TERM": "xterm"}, True, False),
        ]:
            screen = open_screen(terminal, environ, quiet=quiet)
            screen.start(folded(started(1)), T0)
            screen.stop(folded(started(1)), T0)
            terminal.flush()
            said = os.read(leader, 65536).decode() if not quiet else ""
            assert ("\x1b[?25l" in said) is drawn
        assert size_of(terminal).columns == 80
        assert takes_more(terminal)
    piped = StringIO()
    open_screen(piped, {"TERM": "xterm"}).start(folded(started(1)), T0)
    assert piped.getvalue().endswith("fail_on high\n")
    assert size_of(piped) == (80, 24)
    assert takes_more(piped)


def test_a_terminal_that_takes_nothing_does_not_stop_the_run() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as pipe:
        screen = LiveScreen(pipe)
        tally = folded(started(1))
        screen.start(tally, T0)
        fill(writer)
        assert not takes_more(pipe)
        screen.update(tally, T0 + 60)


def fill(fd: int) -> None:
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(fd, True)


def test_a_closed_pipe_ends_the_view_and_not_the_run() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    pipe = os.fdopen(writer, "w", encoding="utf-8")
    screen = open_screen(pipe, {})
    tally = folded(started(1))
    assert isinstance(screen, SteadyScreen)
    screen.start(tally, T0)
    screen.update(tally, T0 + 60)
    screen.log("nmap", "a.example", "warn", "m", T0)
    screen.note("stopping", T0)
    screen.stop(tally, T0)
    try:
        pipe.close()
    except BrokenPipeError:
        assert pipe.closed
