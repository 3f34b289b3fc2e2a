"""The last screen: verdict, findings, failures, times and where to go on, at any width."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from run_facts import ended, folded, of_statuses, over, start, started

from kastrun.facts import Egress, LeftOut
from kastrun.model import Failure
from kastrun.tally import ExitCode, Tally, exit_code
from kastrun.terminal import print_summary
from kastrun.terminal.summary import summary

FOLDER = "runs/shop/20251124T160000Z"


def said(tally: Tally, width: int = 80, code: ExitCode | None = None, **more: Any) -> str:
    out = StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False)
    console.print(summary(tally, code or exit_code(tally, "high"), folder=FOLDER, **more))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def a_run() -> Tally:
    left_out = [
        LeftOut(plugin="sqlmap", target=None, reason="mode", message="active, and the profile is passive")
    ]
    tally = folded(started(4, left_out=left_out))
    tally.apply(start("a"))
    tally.finding("a", "nmap", "a.example", "high", "open-telnet", "Telnet is open")
    tally.finding("a", "nmap", "b.example", "high", "open-telnet", "Telnet is open")
    tally.apply(ended("a", took=61, at=61))
    tally.apply(start("b", "waf", "b.example", at=1))
    tally.finding("b", "waf", "b.example", "info", "waf", "A firewall answers")
    failure = Failure(
        message="Line 3 is not JSON.",
        hint="stdout is reserved for the protocol",
        argv=("./run.sh",),
        exit_code=2,
        line="Starting\x1b[2J [red]Nmap",
        line_number=3,
        stderr="\n".join(f"trouble {n}" for n in range(12)),
        records=1,
    )
    tally.apply(
        ended("b", "fail", "bad_json", plugin="waf", target="b.example", failure=failure, at=4, took=3)
    )
    tally.apply(ended("c", "skipped", "out_of_scope", plugin="waf", took=0, warnings=("leaked_process",)))
    tally.apply(ended("d", "fail", "requires_missing", plugin="nikto", took=0))
    tally.apply(over(at=62))
    return tally


def test_all_of_it_at_eighty_columns() -> None:
    assert (
        said(a_run())
        == """
Failed on findings: 1 of 4 jobs ok, 2 failed, 1 skipped
2 high, 1 info; took 1 min 2 s

Findings (3)
  high  2×  Telnet is open
            nmap open-telnet: a.example, b.example
  info  1×  A firewall answers
            waf waf: b.example
  1 of them from jobs that did not end ok: there may be more

Failures (2)
  waf b.example bad_json
    Line 3 is not JSON.
    exit code 2, after 3.0 s, 1 record before it
    stdout line 3: Starting [red]Nmap
    hint: stdout is reserved for the protocol
    stderr, the last 10 of 12 lines:
      trouble 2
      trouble 3
      trouble 4
      trouble 5
      trouble 6
      trouble 7
      trouble 8
      trouble 9
      trouble 10
      trouble 11
  nikto a.example requires_missing
    A program that the plugin needs is absent or too old.
    after 0.0 s

Slowest jobs
  1 min 1 s  nmap  a.example
      3.0 s  waf   b.example  failed

Plugins
  1 min 1 s  nmap   1 ok
      3.0 s  waf    1 failed, 1 skipped
          –  nikto  1 failed

Skipped jobs and warnings
  1×  out_of_scope    The target is excluded or not in scope.
  1×  leaked_process  Processes that the plugin had started were still there at
                      its end, and were killed.

Left out (1)
  sqlmap  mode  active, and the profile is passive

Run folder     runs/shop/20251124T160000Z
See more       kastrun show runs/shop/20251124T160000Z
Try again      kastrun resume runs/shop/20251124T160000Z --retry-failed
Exit code 1    2 findings reached fail_on = high (the worst is high), and the
               run is incomplete (2 failed of 4 jobs)."""
    )


def test_quiet_is_the_verdict_and_the_exit_code() -> None:
    text = said(of_statuses(2, "ok", "ok"), quiet=True)
    assert text.startswith("Passed: 2 of 2 jobs ok\nno findings; took ")
    assert text.endswith("\nExit code 0    every planned job ended ok; no finding reached high.")
    assert len(text.splitlines()) == 3


def test_verbose_shows_everything_that_was_kept() -> None:
    text = said(a_run(), verbose=True)
    assert "command: ./run.sh" in text
    assert "trouble 0" in text


@pytest.mark.parametrize(
    ("tally", "code", "word", "go_on"),
    [
        (of_statuses(2, "ok", "ok"), ExitCode(0, "w"), "Passed", None),
        (of_statuses(2, "ok", ("fail", "oom")), ExitCode(3, "w"), "Incomplete", "--retry-failed"),
        (of_statuses(2, "ok"), ExitCode(130, "w"), "Interrupted", f"resume {FOLDER}"),
        (of_statuses(2, "ok"), ExitCode(5, "w"), "Stopped", f"resume {FOLDER}"),
        (of_statuses(2, "ok"), ExitCode(70, "w"), "Crashed", f"resume {FOLDER}"),
    ],
)
def test_the_verdict_and_how_to_go_on(tally: Tally, code: ExitCode, word: str, go_on: str | None) -> None:
    text = said(tally, code=code)
    assert text.lstrip().startswith(word)
    assert (go_on in text) if go_on else ("resume" not in text)


def test_ten_thousand_failures_say_once_what_they_have_to_say() -> None:
    tally = folded(started(10_000))
    for number in range(10_000):
        failure = Failure(message="boom", hint="look", stderr="trace")
        tally.apply(ended(f"j{number}", "fail", "oom", target=f"{number}.example", failure=failure))
    text = said(tally)
    assert text.count("hint: look") == 1
    assert "and 9,979 more failures" in text
    assert len(text.splitlines()) < 60


def test_many_findings_and_left_outs_are_counted() -> None:
    left_out = [
        LeftOut(plugin="nmap", target=f"{n}.example", reason="out_of_scope", message="m") for n in range(30)
    ]
    tally = folded(started(1, left_out=left_out))
    for number in range(50):
        tally.finding("j", "nmap", "a.example", "low", f"r{number:02}", "t", number == 0)
    text = said(tally)
    assert "and 30 more findings" in text
    assert "and 20 more" in text
    assert "29.example" in said(tally, verbose=True)
    assert "(accepted in the baseline)" in said(tally, verbose=True)


def test_findings_past_the_groups_are_the_others() -> None:
    tally = folded(started(1))
    for number in range(1100):
        tally.finding("j", "nmap", "a.example", "low", f"r{number}", "t")
    assert "100×  other findings" in said(tally, verbose=True)


def test_hostile_text_is_shown_as_text() -> None:
    tally = folded(started(1))
    tally.finding(
        "j", "nmap", "\x1b]0;x\x07a\u202e.example", "high", "[blink]r", "[link=https://x]t[/link]\x1b[2J"
    )
    text = said(tally)
    assert "[link=https://x]t[/link]" in text
    assert "[blink]r: a.example" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_it_fits_any_width(width: int) -> None:
    assert max(map(len, said(a_run(), width).splitlines())) <= width


def test_in_a_pipe_there_is_no_colour_and_no_padding() -> None:
    out = StringIO()
    tally = a_run()
    print_summary(out, {"TERM": "xterm"}, tally, exit_code(tally, "high"), folder=FOLDER)
    assert "\x1b" not in out.getvalue()
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())
    assert out.getvalue().endswith("jobs).\n")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("environ", "color"), [({"NO_COLOR": "1"}, None), ({}, False)])
def test_no_colour_on_a_terminal_when_it_is_not_wanted(environ: dict[str, str], color: bool | None) -> None:
    out, plain = Terminal(), Terminal()
    tally = a_run()
    code = exit_code(tally, "high")
    print_summary(out, {"TERM": "xterm-256color"}, tally, code, folder=FOLDER)
    print_summary(plain, {"TERM": "xterm-256color", **environ}, tally, code, folder=FOLDER, color=color)
    assert "31m" in out.getvalue()
    assert "31m" not in plain.getvalue()


def test_what_plugins_contacted_and_what_they_were_refused() -> None:
    tally = a_run()
    assert "Network" not in said(tally)
    for number in range(5):
        tally.apply(egress(f"203.0.113.{number}", "80,443", count=2))
    tally.apply(egress("198.51.100.1", "25", verdict="refused"))
    tally.apply(egress("evil\x1b[2J.example", "", protocol="dns", verdict="refused"))
    tally.apply(egress("192.0.2.1", "53", protocol="udp", verdict="audited"))
    told = said(tally, width=100).partition("Network\n")[2].splitlines()[:4]
    assert [" ".join(line.split()) for line in told] == [
        "2× refused nmap 198.51.100.1 25 (tcp), evil.example (dns)",
        "1× out of scope nmap 192.0.2.1 53 (udp)",
        "10× contacted nmap 203.0.113.0 80,443 (tcp), 203.0.113.1 80,443 (tcp), 203.0.113.2 80,443",
        "(tcp) and 2 more",
    ]


def egress(destination: str, ports: str, **more: Any) -> Egress:
    fields: dict[str, Any] = {"protocol": "tcp", "verdict": "allowed", "count": 1} | more
    at = "2026-11-24T16:00:00.000Z"
    return Egress(
        job="a", plugin="nmap", attempt=1, destination=destination, ports=ports, first=at, last=at, **fields
    )
