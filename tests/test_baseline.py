"""The baseline: what is accepted never fails a run, is always shown, and counts again after its last day."""

from __future__ import annotations

import json
import shutil
import tomllib
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from told_runs import finding, told_run
from zoo_runs import Ran, kastrun, read_journal

from kastrun import baseline, files, problems
from kastrun.baseline import Acceptance, Baseline

TOP = 'fail_on = "low"'
TABLES = '[output]\nbaseline = "baseline.toml"\nformats = ["html", "markdown", "jsonl", "csv", "junit"]'
OLD, OTHER = finding("old", "high"), finding("other", "medium")
MARK = "k1:" + "a" * 64
REASON = "a <b>known</b> flaw, mended in March"


def scan(home: Path, out: str, *says: dict[str, Any]) -> Ran:
    return told_run(home, out, {"tell": says}, top=TOP, tables=TABLES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`first` had no baseline; the others have one that was made of it, and `second` found more."""
    folder = tmp_path_factory.mktemp("baseline")
    first = scan(folder, "first", OLD)
    assert (first.code, "there is no such baseline yet" in first.stderr) == (1, True)
    done = kastrun(folder, "baseline", "first", "--reason", REASON, "--until", "2999-12-31")
    assert (done.returncode, done.stdout) == (0, "baseline.toml: 1 added, 0 kept\n")
    scan(folder, "accepted", OLD)
    scan(folder, "second", OLD, OTHER)
    return folder


def shown(home: Path, run: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(kastrun(home, "show", run, "--json").stdout)
    return document


def test_what_is_accepted_never_reaches_fail_on(home: Path) -> None:
    accepted, second = shown(home, "accepted"), shown(home, "second")
    assert accepted["exit"]["code"] == 0
    assert "only accepted findings reached low (1, in the baseline)" in accepted["exit"]["why"]
    assert second["exit"]["why"] == "1 finding reached fail_on = low (the worst is medium)"
    assert second["baseline"] == {"file": str(home / "baseline.toml"), "accepted": {"high": 1}}
    assert second["findings"]["by_severity"] == {"high": 1, "medium": 1}
    assert shown(home, "first")["baseline"]["accepted"] == {}


def test_the_end_of_a_run_says_what_its_journal_says_later(home: Path) -> None:
    for run in ("accepted", "second"):
        assert shown(home, run) == json.loads((home / run / "run.json").read_text())


def test_what_is_accepted_is_shown_as_accepted_everywhere(home: Path) -> None:
    second = home / "second"
    summary = kastrun(home, "show", "second").stdout
    assert "1 high, 1 medium (1 of them accepted in the baseline)" in summary
    assert "about old (accepted in the baseline)" in summary
    records = [json.loads(line) for line in (second / "findings.jsonl").read_text().splitlines()]
    told = {each["rule"]: each.get("acceptance") for each in records}
    assert told == {"old": {"reason": REASON, "until": "2999-12-31"}, "other": None}
    markdown = (second / "report.md").read_text()
    assert markdown.index("### medium: about other") < markdown.index("## Accepted in the baseline")
    assert "<b>" not in markdown
    page = (second / "report.html").read_text()
    assert "Accepted in the baseline until 2999-12-31" in page
    assert "<b>known" not in page
    assert REASON in (second / "findings.csv").read_text()
    (failure,) = ET.parse(second / "junit.xml").iter("failure")
    assert (failure.get("message"), "old" in (failure.text or "")) == (
        "1 finding, the worst is medium",
        False,
    )
    (accepted,) = ET.parse(home / "accepted" / "junit.xml").iter("testcase")
    assert [child.tag for child in accepted] == ["system-out"]


def test_made_anew_it_keeps_what_people_wrote(home: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((home / "baseline.toml").read_text().replace(REASON, "mine"))
    done = kastrun(home, "baseline", "second", "-o", own, "--reason", "new")
    assert done.stdout == f"{own}: 1 added, 1 kept\n"
    accepted = tomllib.loads(own.read_text())["accepted"]
    assert [(each["rule"], each["reason"]) for each in accepted] == [("old", "mine"), ("other", "new")]
    assert accepted[0]["until"] == date(2999, 12, 31)
    again = own.read_bytes()
    done = kastrun(home, "baseline", "first", "-o", own, "--json")
    assert json.loads(done.stdout) == {"file": str(own), "added": 0, "kept": 2, "kept_not_found": 1}
    assert own.read_bytes() == again


def test_only_what_is_named_is_accepted(home: Path, tmp_path: Path) -> None:
    for name in ("tell.other", "tell"):
        kastrun(home, "baseline", "second", "-o", tmp_path / name, "--only", name)
    found = {path.name: tomllib.loads(path.read_text())["accepted"] for path in tmp_path.iterdir()}
    assert {name: len(each) for name, each in found.items()} == {"tell.other": 1, "tell": 2}
    assert "nobody has looked into it yet" in found["tell"][0]["reason"]


def test_after_its_last_day_a_finding_counts_again(home: Path, tmp_path: Path) -> None:
    text = (home / "baseline.toml").read_text().replace("2999-12-31", "2020-01-31")
    (tmp_path / "baseline.toml").write_text(text)
    ran = scan(tmp_path, "out", OLD)
    line = text[: text.index("until = 2020")].count("\n") + 1
    assert f"warning: baseline.toml:{line}:9" in ran.stderr
    assert "this day is over: the finding counts again" in ran.stderr
    assert ran.code == 1
    assert [event["ended"] for event in ran.of("accepted")] == [True]
    assert "No longer accepted since 2020-01-31" in (ran.folder / "report.html").read_text()
    assert "(acceptance ended on 2020-01-31" in (ran.folder / "report.md").read_text()


def test_a_resume_judges_everything_by_the_baseline_as_it_is_then(home: Path, tmp_path: Path) -> None:
    """What the first start found was not accepted then; the resume has nothing left to run, and judges it."""
    ran = scan(tmp_path, "out", OLD)
    assert ran.code == 1
    journal = ran.folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["type"] == "end"
    journal.write_bytes(b"".join(lines[:-1]))
    shutil.copy(home / "baseline.toml", tmp_path)
    assert kastrun(tmp_path, "resume", "out", "-q").returncode == 0
    assert shown(tmp_path, "out") == json.loads((ran.folder / "run.json").read_text())
    assert shown(tmp_path, "out")["exit"]["code"] == 0
    assert [event["type"] for event in read_journal(ran.folder)].count("run") == 2


def test_a_result_that_is_used_again_is_judged_too(home: Path) -> None:
    done = kastrun(home, "scan.toml", "--since", "second", "-o", "reused", "-q")
    assert (done.returncode, shown(home, "reused")["coverage"]["reused"]) == (1, 1)
    assert shown(home, "reused")["baseline"]["accepted"] == {"high": 1}
    assert shown(home, "reused") == json.loads((home / "reused" / "run.json").read_text())


def test_a_comparison_does_not_fail_on_what_is_accepted(home: Path) -> None:
    done = kastrun(home, "diff", "first", "second", "--json")
    assert [each["reached"] for each in json.loads(done.stdout)["changes"]] == [False, True]


GOOD = f'schema = 1\n[[accepted]]\nfingerprint = "{MARK}"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "untill = 2026-12-31\n", ":5:1\n  |\n5 | untill = 2026-12-31\n  | ^^^^^^ unknown key\n"),
        (GOOD + "untill = 2026-12-31\n", "= hint: did you mean `until`?"),
        (GOOD + 'until = "2026-02-30"\n', ":5:9"),
        (GOOD + 'until = "2026-02-30"\n', "there is no day 2026-02-30"),
        (GOOD + "until = 2026-02-30\n", ":5:"),
        (GOOD + "until = 2026-12-31T00:00:00Z\n", "expected a day such as 2026-12-31"),
        (GOOD + 'until = "soon"\n', 'expected a day such as 2026-12-31, found "soon"'),
        (GOOD + GOOD.removeprefix("schema = 1\n"), ":6:15"),
        (GOOD + GOOD.removeprefix("schema = 1\n"), "this finding is accepted twice"),
        (GOOD.replace('"r"', '" "'), "expected a reason in words"),
        (GOOD.replace('reason = "r"\n', ""), "`reason` is missing here"),
        (GOOD.replace("k1:", "k2:"), ":3:15"),
        (GOOD.replace("schema = 1", "schema = 2"), "expected 1, found 2"),
        ("schema = 1\naccepted = 3\n", ":2:12"),
        ("schema = 1\n[[acepted]]\n", "did you mean `accepted`?"),
        ("schema = \n", ":1:"),
    ],
)
def test_a_bad_baseline_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.toml"
    path.write_text(text)
    found, wrong = files.read_baseline(str(path))
    assert found is None
    assert said in problems.render(wrong)


def test_a_bad_baseline_ends_a_run_before_it_begins(home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("schema = 1\nfoo = 1\n")
    for arguments in (["scan.toml", "--set", f"output.baseline={bad}"], ["baseline", "first", "-o", bad]):
        done = kastrun(home, *arguments)
        assert (done.returncode, f"{bad}:2:1" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is no run"),
        (["first", "--only", "nmap"], "--only nmap: the run has found nothing of that name"),
        (["first", "--until", "soon"], "--until soon: this is no day"),
        (["first", "--until", "2020-01-01"], "--until 2020-01-01: this day is over"),
        (["first", "--reason", " "], "--reason is empty"),
        (["first", "-o", "no/such/baseline.toml"], "its folder is not there"),
    ],
)
def test_bad_use_is_told(home: Path, arguments: list[str], said: str) -> None:
    before = (home / "baseline.toml").read_bytes()
    done = kastrun(home, "baseline", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert (home / "baseline.toml").read_bytes() == before


def test_a_last_day_is_a_day_on_which_it_holds() -> None:
    held = Acceptance(fingerprint=MARK, reason="r", until=date(2026, 12, 31))
    assert held.holds(date(2026, 12, 31))
    assert not held.holds(date(2027, 1, 1))
    assert Acceptance(fingerprint=MARK, reason="r").holds(date(9999, 12, 31))


@pytest.mark.parametrize("title", ['"""', "a\nb\x07", "\\u0041 '", "=1", "ünï \u2028 \U0001f600"])
def test_what_is_written_is_read_back(title: str) -> None:
    held = Acceptance(
        fingerprint=MARK, plugin="ab", rule="r", target="t", title=title, severity="low",
        reason=title, until=date(2026, 12, 31),
    )  # fmt: skip
    written = Baseline(accepted={MARK: held})
    assert baseline.parse(tomllib.loads(baseline.dump(written))) == (written, [])
