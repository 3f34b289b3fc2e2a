"""The live view as a function: what it shows, and that it always fits."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from run_facts import T0, ended, folded, iso, start, started

from kastrun.facts import JobStarted, Progress
from kastrun.tally import Tally
from kastrun.terminal.live import render


def lines(tally: Tally, width: int = 80, height: int = 24, now: float = T0 + 32, **more: bool) -> list[str]:
    group = render(tally, now, width, height, **more)
    return [line.plain for line in group.renderables if isinstance(line, Text)]


def busy(jobs: int = 3) -> Tally:
    tally = folded(started(10))
    for number in range(2):
        tally.apply(start(f"d{number}"))
        tally.apply(ended(f"d{number}", at=10, took=10))
    for number in range(jobs):
        tally.apply(start(f"j{number}", target=f"https://{number}.example"))
    return tally


def test_the_view() -> None:
    tally = busy()
    tally.finding("j0", "nmap", "a.example", "high", "r", "t")
    tally.apply(Progress(job="j0", done=45, total=100, message="scanning port 443"))
    tally.apply(ended("f", "fail", "total_timeout", plugin="waf", target="b.example"))
    assert lines(tally) == [
        "shop  ━━━━━━━━━━━───────────────────────────  3/10  30 %  0:32  about 1 min left",
        "findings 1 high   1 failed   3 running",
        "  nmap  https://0.example  0:32  45/100       scanning port 443",
        "  nmap  https://1.example  0:32",
        "  nmap  https://2.example  0:32",
        "failed 1 total_timeout; last waf b.example",
    ]


def test_a_wide_terminal_has_bars_for_the_jobs_too() -> None:
    tally = busy(1)
    tally.apply(Progress(job="j0", done=45, total=100))
    assert "━━━━────── 45/100" in lines(tally, 120)[2]


def test_a_narrow_terminal_keeps_plugin_target_and_elapsed() -> None:
    row = lines(busy(1), 40)[2]
    assert row == "  nmap  https://0.example  0:32"


def test_what_does_not_fit_the_height_is_counted() -> None:
    shown = lines(busy(20), height=8)
    assert len(shown) == 8
    assert shown[-1] == "  and 15 more running"


def test_a_batch_is_one_line_and_as_many_jobs() -> None:
    tally = busy(1)
    for number in range(40):
        tally.apply(start(f"b{number}", target=f"{number}.example", process="b1", batch=40))
    tally.apply(Progress(job="b0", done=3, total=40))
    shown = lines(tally)
    assert shown[1].endswith("41 running")
    assert [row.split() for row in shown[2:]] == [
        ["nmap", "https://0.example", "0:32"],
        ["nmap", "0.example", "+39", "0:32", "3/40"],
    ]
    assert lines(tally, height=3)[-1] == "  and 41 more running"


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [
        (45, 100, "45/100"),
        (-5, 100, "0/100"),
        (500, 100, "100/100"),
        (7, None, "7 done"),
        (7, 0, "7 done"),
        (7, -3, "7 done"),
        (2**53, 2**53, "100 %"),
        (None, 9, ""),
    ],
)
def test_any_progress_is_shown_soberly(done: int | None, total: int | None, shown: str) -> None:
    tally = busy(1)
    tally.apply(Progress(job="j0", done=done, total=total))
    assert lines(tally)[2].removeprefix("  nmap  https://0.example  0:32").strip() == shown


def test_what_a_plugin_says_is_neither_markup_nor_an_escape() -> None:
    tally = folded(started(1), start("j", "nmap", "\x1b[2J[red]a\u202e.example"))
    tally.apply(Progress(job="j", message="[bold]hi[/bold] :smile: \x1b]0;x\x07"))
    out = StringIO()
    Console(file=out, width=120, force_terminal=True, color_system=None).print(render(tally, T0, 120, 24))
    assert "[red]a.example" in out.getvalue()
    assert "[bold]hi[/bold] :smile:" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert "\x1b]" not in out.getvalue()


def test_targets_are_cut_in_the_middle() -> None:
    tally = folded(started(1), start("j", target="https://a-very-long-name.example.com:8443/path/to/page-7"))
    row = lines(tally, 50)[2]
    assert "…" in row
    assert "/page-7" in row


def test_ascii_only_stays_in_ascii() -> None:
    tally = busy(2)
    tally.apply(Progress(job="j0", done=45, total=100, message="m" * 300))
    tally.apply(start("long", "a-plugin-with-a-long-name", "https://" + "a" * 200))
    for width in (40, 80, 140):
        assert all(line.isascii() for line in lines(tally, width, ascii_only=True))


def test_before_the_run_has_begun_and_with_an_uncounted_plan() -> None:
    assert lines(Tally())[0].strip() == "0  jobs  0:00"
    assert "%" not in lines(folded(started(None)))[0]
    assert lines(Tally(), 80, 1) == ["  0  jobs  0:00"]


@settings(max_examples=80)
@given(
    st.integers(1, 220), st.integers(1, 60), st.integers(0, 30),
    st.text(max_size=120), st.text(max_size=120), st.integers() | st.none(), st.integers() | st.none(),
)  # fmt: skip
def test_it_always_fits(
    width: int, height: int, jobs: int, target: str, message: str, done: int | None, total: int | None
) -> None:
    tally = folded(started(40), ended("f", "fail", "oom", target=target))
    for number in range(jobs):
        tally.apply(start(f"j{number}", "content-discovery", target))
        tally.apply(Progress(job=f"j{number}", done=done, total=total, message=message))
    group = render(tally, T0 + 5000, width, height)
    drawn = [line for line in group.renderables if isinstance(line, Text)]
    assert 1 <= len(drawn) <= height
    assert max(line.cell_len for line in drawn) <= width
    assert not any("\n" in line.plain for line in drawn)


def test_ten_thousand_running_jobs_cost_little_more_than_the_lines_they_fill() -> None:
    tally = folded(started(1_000_000))
    for number in range(10_000):
        tally.apply(
            JobStarted(
                job=f"j{number}", plugin="p", version="1", targets=["t"], attempt=1, at=iso(0), deadline_s=9
            )
        )
    before = time.process_time()
    assert len(lines(tally, height=40)) == 40
    assert time.process_time() - before < 0.25
