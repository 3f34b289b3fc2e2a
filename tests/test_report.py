"""Reports: folds of the journal that people and machines can read, whatever a target said."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from zoo_runs import ZOO, Ran, kastrun, run, write_profile

from kastrun import resources
from kastrun.report.csv_table import defused
from kastrun.report.formats import FORMATS
from kastrun.report.markdown import text

HOSTILE = """</script><script>document.title='taken'</script><img src=x onerror="document.title='taken'">"""
SAYS = [
    {"rule": "injection", "title": HOSTILE, "severity": "critical", "evidence": HOSTILE + "\x1b[31m\x00",
     "description": HOSTILE, "remediation": HOSTILE, "location": {"url": f"https://127.0.0.1/?{HOSTILE}"},
     "refs": ["CWE-79", "javascript:document.title='taken'", "https://a.example/\"onclick=x", "CVE-1\"'<"]},
    {"rule": "formula", "title": "=cmd|' /C calc'!A0", "severity": "low", "evidence": "@SUM(1+1)",
     "location": {"host": "127.0.0.1", "port": 80}},
    {"rule": "formula", "title": "a sibling", "severity": "medium", "key": "two", "refs": ["CWE-1236"]},
    {"rule": "formula", "title": "a sibling", "severity": "medium", "key": "two", "evidence": "said twice"},
]  # fmt: skip


def speaker(folder: Path, name: str = "speaker", says: list[dict[str, object]] = SAYS) -> None:
    """A plugin that says what it is told to."""
    own = folder / name
    own.mkdir(parents=True)
    lines = [{"type": "finding", **each} for each in says] + [{"type": "done", "status": "ok"}]
    (own / "says.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (own / "plugin.toml").write_text(
        f'[plugin]\nname = "{name}"\nversion = "1"\nprotocol = 1\nsummary = "s"\n'
        f'exec = ["cat", "{own}/says.jsonl"]\nmode = "passive"\ntargets = ["ip"]\n',
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run that found something, in which two jobs failed, one of them after it had found something."""
    home = tmp_path_factory.mktemp("report")
    speaker(home / "zoo")
    for name in ("error-target", "partial", "skips"):
        shutil.copytree(ZOO / name, home / "zoo" / name)
    profile = write_profile(
        home, ["speaker", "error-target", "partial", "skips"], zoo=home / "zoo",
        tables='[output]\nformats = ["html", "markdown", "jsonl", "csv", "junit", '
        '"sarif", "defectdojo", "trace"]',
    )  # fmt: skip
    return run(home, profile, complete=False)


def content(ran: Ran, format_: str) -> str:
    return (ran.folder / FORMATS[format_].file).read_text(encoding="utf-8")


def test_every_format_is_written_and_named(ran: Ran) -> None:
    assert ran.code == 3
    for each in FORMATS.values():
        assert f"Report         out/{each.file}" in ran.stdout


@pytest.mark.parametrize("format_", FORMATS)
def test_a_report_is_the_same_to_the_byte_whenever_it_is_made(ran: Ran, format_: str, tmp_path: Path) -> None:
    done = kastrun(tmp_path, "report", ran.folder, "--format", format_, "-o", "again")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "again").read_bytes() == (ran.folder / FORMATS[format_].file).read_bytes()


def test_findings_are_distinct_whole_and_fit_their_schema(ran: Ran) -> None:
    findings = [json.loads(line) for line in content(ran, "jsonl").splitlines()]
    validator = jsonschema.Draft202012Validator(resources.schema("record"))
    for each in findings:
        validator.validate(each)
    of_journal = {event["fingerprint"] for event in ran.of("finding")}
    assert len(ran.of("finding")) > len(of_journal) == len(findings)  # one was said twice
    assert Counter(each["plugin"] for each in findings)["speaker"] == 3
    unwell = {event["job"] for event in ran.of("result") if event["status"] != "ok"}
    assert {each["job"] for each in findings if each.get("incomplete")} == unwell & {
        e["job"] for e in findings
    }
    assert unwell


def test_spreadsheets_run_no_cell(ran: Ran) -> None:
    with StringIO(content(ran, "csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["title"] for row in rows} >= {"'=cmd|' /C calc'!A0", HOSTILE}
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\t=1", " =1", "\r1"])
def test_a_formula_is_defused(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


def test_a_test_tab_shows_what_was_not_done_as_an_error(ran: Ran) -> None:
    root = ET.fromstring(content(ran, "junit"))
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"speaker", "error-target", "partial", "skips"}
    kinds = {name: [child.tag for case in suite for child in case] for name, suite in suites.items()}
    assert kinds == {
        "speaker": ["failure"],
        "error-target": ["error"],
        "partial": ["error"],
        "skips": ["skipped"],
    }
    for suite in root:
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(count) == str(len(suite.findall(f".//{tag}")))
    (error,) = suites["error-target"].iter("error")
    assert error.get("type") == "plugin_target"


def test_markdown_holds_no_markup_of_a_targets(ran: Ran) -> None:
    said = content(ran, "markdown")
    assert "<script" not in said
    assert "<img" not in said
    assert "## Not scanned" in said


@pytest.mark.parametrize(
    "hostile", ["<b>", "`x`", "[a](http://x)", "|", "@team", "# h", "\n# h", "![i](x)", "a_b_"]
)
def test_what_markdown_would_read_as_markup_is_escaped(hostile: str) -> None:
    for character in set(re.findall(r"[<>`\[\]()|@#!_]", hostile)):
        assert not re.search(rf"(?<!\\){re.escape(character)}", text(hostile))
    assert "\n" not in text(hostile)


class Page(HTMLParser):
    """What a browser would make of the page: its elements, and where they would lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in {"href", "src", "action", "data", "srcset"}:
                self.links.append(value or "")
            elif name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")


def test_the_page_has_nothing_of_a_targets_in_it_but_text(ran: Ran) -> None:
    page = Page(content(ran, "html"))
    assert (page.tags["script"], page.tags["img"], page.tags["link"], page.tags["iframe"]) == (1, 0, 0, 0)
    assert page.handlers == []
    assert page.links
    assert all(link.startswith(("https://", "http://", "#", "artifacts/")) for link in page.links)


def test_the_policy_of_the_page_lets_its_own_script_and_style_through_and_no_other(ran: Ran) -> None:
    page = content(ran, "html")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    said = policy[1].replace("&#39;", "'").replace("&#43;", "+")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inner is not None
        digest = b64encode(sha256(inner[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in said
    assert "default-src 'none'" in said


def test_the_page_says_first_what_was_not_scanned(ran: Ran) -> None:
    page = content(ran, "html")
    assert 'class="verdict bad"' in page
    assert "Not everything was scanned" in page
    assert page.index("Not everything was scanned") < page.index("Findings by severity")


@pytest.mark.needs("chromium")
def test_a_browser_runs_nothing_of_a_targets_and_asks_for_nothing(ran: Ran, tmp_path: Path) -> None:
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path}/b",
        "--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run(
        ["chromium", *flags, f"file://{ran.folder}/report.html"],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert "<title>kastrun: scan," in done.stdout
    assert "taken'" not in re.findall(r"<title>.*?</title>", done.stdout)[0]
    assert "rules, the gravest first" in done.stdout
    assert '<form class="filter">' in done.stdout  # our own script ran: it shows the filter
    assert "CONSOLE" not in done.stderr


def test_a_clean_run_is_told_from_one_that_looked_at_nothing(tmp_path: Path) -> None:
    speaker(tmp_path / "zoo", "quiet", [])
    clean = run(tmp_path, write_profile(tmp_path, ["quiet"], zoo=tmp_path / "zoo"))
    done = kastrun(tmp_path, "report", "out", "--format", "html,markdown")
    assert done.stdout.splitlines() == ["out/report.html", "out/report.md"]
    page = (clean.folder / "report.html").read_text()
    assert "Nothing was found, and every planned job did its work." in page
    assert 'aria-label="clean"' in page
    assert "No findings." in (clean.folder / "report.md").read_text()


def test_a_retried_job_counts_only_what_its_last_attempt_found(ran: Ran, tmp_path: Path) -> None:
    """Two starts of one job in one journal: what the first, which did not end, found is not the run's."""
    folder = tmp_path / "run"
    folder.mkdir()
    lines = [json.loads(line) for line in (ran.folder / "journal.jsonl").read_text().splitlines()]
    start = next(line for line in lines if line["type"] == "start" and line["plugin"] == "speaker")
    finding = next(line for line in lines if line["type"] == "finding" and line["plugin"] == "speaker")
    other = {**finding, "fingerprint": "k1:" + "0" * 64, "rule": "gone"}
    result = next(line for line in lines if line["type"] == "result" and line["plugin"] == "speaker")
    events = [lines[0], start, other, lines[0], start, finding, result]
    (folder / "journal.jsonl").write_text(
        "".join(
            json.dumps({**event, "seq": seq}, separators=(",", ":")) + "\n"
            for seq, event in enumerate(events, 1)
        )
    )
    done = kastrun(tmp_path, "report", "run", "--format", "jsonl", "-o", "-")
    assert [json.loads(line)["rule"] for line in done.stdout.splitlines()] == [finding["rule"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "is no run"),
        (["out", "--format", "pdf"], 2, "there is no format 'pdf'"),
        (["out", "--format", "html,csv", "-o", "x"], 2, "--output names one file"),
        (["out", "--format", "csv", "-o", "no/such/folder"], 2, "its folder is not there"),
        (["out", "-o", "out/journal.jsonl/x"], 2, "its folder is not there"),
        (["out", "-o", "out"], 2, "out is a folder"),
        (["out", "-o", ""], 2, ". is a folder"),
    ],
)
def test_bad_use_is_told(ran: Ran, arguments: list[str], code: int, said: str) -> None:
    done = kastrun(ran.folder.parent, "report", *arguments)
    assert done.returncode == code
    assert said in done.stderr


def test_a_report_goes_into_a_pipe_and_does_not_take_its_place(ran: Ran, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as reader:
        done = kastrun(ran.folder.parent, "report", "out", "--format", "jsonl", "-o", pipe)
        assert (done.returncode, reader.read()) == (0, content(ran, "jsonl"))
    assert pipe.is_fifo()


def test_a_profile_with_an_unknown_format_is_refused(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], tables='[output]\nformats = ["pdf"]')
    done = kastrun(tmp_path, "check", profile)
    assert done.returncode == 2
    assert '"pdf"' in done.stderr
