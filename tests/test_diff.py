"""`kastrun diff A B`: what became of findings, and what nobody can know."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from told_runs import FAILS, finding, told_run
from zoo_runs import kastrun

from kastrun import resources

HIDDEN = [finding("hidden", "high")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a`; `b`, where something came, went and grew worse, and a plugin failed; `c`, of other plugins."""
    folder = tmp_path_factory.mktemp("diff")
    stays, turns = finding("stays"), finding("turns", "low", location={"url": "http://127.0.0.1/"})
    told_run(folder, "a", {"tell": [stays, turns, finding("goes", "medium")], "blind": HIDDEN})
    later = {"tell": [stays, turns | {"severity": "high"}, finding("comes", "medium")], "blind": FAILS}
    told_run(folder, "b", later, top='fail_on = "high"', complete=False)
    told_run(folder, "c", {"tell": [stays]}, version="2", top='name = "other"')
    return folder


def diff(home: Path, *arguments: str) -> dict[str, Any]:
    done = kastrun(home, "diff", *arguments, "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(resources.schema("diff")).validate(document)
    assert document["exit"]["code"] == done.returncode
    return document


def by_rule(document: dict[str, Any]) -> dict[str, str]:
    return {each["finding"]["rule"]: each["change"] for each in document["changes"]}


def test_each_finding_of_the_two_is_told_once(home: Path) -> None:
    document = diff(home, "a", "b")
    assert by_rule(document) == {
        "stays": "unchanged",
        "turns": "changed",
        "comes": "new",
        "goes": "gone",
        "hidden": "not_scanned",  # its job failed in b: nobody knows
    }
    assert document["counts"] == {"new": 1, "changed": 1, "gone": 1, "not_scanned": 1, "unchanged": 1}
    (turned,) = (each for each in document["changes"] if each["change"] == "changed")
    assert (turned["before"], turned["finding"]["severity"]) == ("low", "high")
    assert all(each["certain"] for each in document["changes"])


def test_what_a_plugin_that_has_changed_does_not_find_is_gone_but_not_for_certain(home: Path) -> None:
    document = diff(home, "a", "c")
    fates = {each["finding"]["rule"]: (each["change"], each["certain"]) for each in document["changes"]}
    assert fates["goes"] == ("gone", False)
    assert fates["hidden"] == ("not_scanned", True)  # c has no such plugin


def test_a_run_compared_with_itself_has_nothing_new(home: Path) -> None:
    document = diff(home, "b", "b")
    assert set(by_rule(document).values()) == {"unchanged"}
    assert document["exit"]["code"] == 3  # it is incomplete all the same


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["a", "b"], 1, "1 new finding reached fail_on = high (the worst is high)"),
        (["a", "b", "--fail-on", "medium"], 1, "2 new findings reached fail_on = medium (the worst is high)"),
        (["a", "b", "--fail-on", "critical"], 3, "the later run is incomplete (1 failed)"),
        (["b", "a", "--fail-on", "high"], 1, "1 new finding"),
        (["a", "c", "--fail-on", "info"], 0, "nothing new reached info"),
        (["b", "a"], 0, "fail_on is none, so no finding counts"),
    ],
)
def test_the_exit_code_is_a_gate(home: Path, arguments: list[str], code: int, why: str) -> None:
    done = kastrun(home, "diff", *arguments)
    assert (done.returncode, f"Exit code {code}    {why}" in done.stdout) == (code, True)


def test_it_is_read_at_eighty_columns_with_the_gravest_first(home: Path) -> None:
    done = kastrun(home, "diff", "a", "b")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert "1 new, 1 of another severity, 1 gone, 1 not scanned, 1 unchanged" in lines
    titles = ["New (1)", "Of another severity (1)", "Gone (1)"]
    assert [line for line in lines if line in titles] == titles
    assert "(was low)" in done.stdout
    assert "has not looked" in done.stdout
    assert "about stays" not in done.stdout


def test_two_profiles_are_compared_and_told(home: Path) -> None:
    done = kastrun(home, "diff", "a", "c")
    assert done.stderr.startswith("note: runs of two profiles, scan and other")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", "nowhere"], "nowhere is no run"),
        (["nowhere", "a"], "nowhere is no run"),
        (["a", "b", "--fail-on", "hihg"], "there is no such severity"),
        (["a"], "the following arguments are required: B"),
    ],
)
def test_bad_use_is_told(home: Path, arguments: list[str], said: str) -> None:
    done = kastrun(home, "diff", *arguments)
    assert (done.returncode, said in done.stderr, done.stdout) == (2, True, "")


def test_a_run_of_a_newer_kastrun_is_refused(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "a", tmp_path / "future")
    journal = tmp_path / "future" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"type":"run","v":1', b'"type":"run","v":99', 1))
    done = kastrun(home, "diff", "a", tmp_path / "future")
    assert done.returncode == 5
    assert "this journal has version 99" in done.stderr


def test_a_journal_that_is_none_is_not_said_to_be_resumable(tmp_path: Path) -> None:
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "journal.jsonl").write_text("garbage\n")
    done = kastrun(tmp_path, "show", "junk")
    assert done.returncode == 5
    assert "cannot be resumed" in done.stderr and "kastrun resume" not in done.stderr
    (tmp_path / "junk" / "profile.toml").write_text("")
    assert "kastrun resume" in kastrun(tmp_path, "show", "junk").stderr
