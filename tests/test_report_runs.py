"""The reports of a run that has earlier ones beside it: what is new, gone, related; and the trend."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from told_runs import FAILS, finding, told_run
from zoo_runs import kastrun

from kastrun.report.finding import Finding, Location
from kastrun.report.past import Past, read
from kastrun.report.related import place, related

HOSTILE = "<script>document.title='taken'</script>"
PAGE = {"url": "https://127.0.0.1/"}
PORT = {"host": "127.0.0.1", "port": 443}
CSP = finding("csp", "medium", location=PAGE)
CERT = finding("cert", "high", location=PORT, refs=["CWE-298"])
OLD_CERT = finding("old-cert", "medium", location=PAGE, refs=["cwe-298", "https://example.com/a"])
OPEN_PORT = finding("open-port", "low", location={"host": "127.0.0.1", "port": 23})
TABLES = '[output]\nbaseline = "baseline.toml"\nformats = ["html", "markdown"]'
RUNS = {
    "1": {"headers": [CSP], "tls": [OPEN_PORT]},
    "2": {"headers": [CSP, finding("lost")], "tls": FAILS},
    "3": {"headers": [CSP | {"severity": "low"}, OLD_CERT], "tls": [CERT]},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `1` to `3` of one profile; the baseline accepts the open port of the first."""
    folder = tmp_path_factory.mktemp("runs")
    for name, plugins in RUNS.items():
        told_run(folder, name, plugins, top='name = "shop"', tables=TABLES, complete=False)
        if name == "1":
            kastrun(folder, "baseline", "1", "--only", "tls", "--reason", HOSTILE)
    return folder


def page(home: Path, run: str) -> str:
    return (home / run / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """What is read, without the markup."""
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore[method-assign]
    parser.feed(html)
    return re.sub(r"\s+", " ", "".join(parts))


def test_what_is_new_comes_before_what_was_there(home: Path) -> None:
    said = words(page(home, "3"))
    assert "2 new, 1 of another severity, 1 gone, 0 unchanged since run 2" in said
    order = ["New since 2 2", "about cert", "Seen in 2 already 1", "about csp", "Gone since 2", "about lost"]
    places = [said.index(each, said.index("Findings search")) for each in order]
    assert places == sorted(places)
    assert "medium" in said[said.index("Of another severity than in 2") :]


def test_what_was_not_scanned_is_not_said_to_be_gone(home: Path) -> None:
    said = words(page(home, "2"))
    assert "1 new, 0 gone, 1 not scanned this time, 1 unchanged since run 1" in said
    assert "Not scanned this time: they may be there as they were in 1" in said


def test_the_first_run_says_nothing_of_new(home: Path) -> None:
    said = words(page(home, "1"))
    assert "No earlier run of this profile lies beside this one" in said
    assert "Over the runs" not in said


def test_findings_of_two_plugins_at_one_place_are_shown_together(home: Path) -> None:
    html = page(home, "3")
    assert "headers says it too: medium about old-cert" in words(html)
    assert "tls says it too: high about cert" in words(html)
    anchors = set(re.findall(r'<details id="([^"]+)"', html))
    links = set(re.findall(r'href="#((?:new|known|accepted)-\d+)"', html))
    assert links and links <= anchors


def test_the_trend_has_a_column_a_run_and_pale_ones_where_work_is_missing(home: Path) -> None:
    html = page(home, "3")
    trend = html[html.index('id="trend"') : html.index('id="findings"')]
    assert trend.count("<svg") == 2
    assert trend.count("<g") == 2 * 3
    assert trend.count('<g class="unwhole"') == 2
    assert [words(each) for each in re.findall(r'<th scope="row">(.*?)</th>', trend)] == [
        "3 (this one)",
        "2",
        "1",
    ]


@pytest.mark.parametrize("run", RUNS)
def test_a_report_is_the_same_to_the_byte_while_the_same_runs_lie_beside_it(home: Path, run: str) -> None:
    for format_, file in (("html", "report.html"), ("markdown", "report.md")):
        again = kastrun(home, "report", run, "--format", format_, "-o", "-")
        assert again.stdout == (home / run / file).read_text(encoding="utf-8")


def test_markdown_has_what_is_new_first(home: Path) -> None:
    said = (home / "3" / "report.md").read_text()
    titles = re.findall(r"^##+ (.*)$", said, re.MULTILINE)
    assert titles == [
        "New since run 2", "high: about cert (1)", "medium: about old\\-cert (1)",
        "Findings that were there before", "low: about csp (1)",
    ]  # fmt: skip
    assert "Since run 2: 2 new, 1 of another severity, 1 gone." in said


def test_what_lies_beside_a_run_and_is_none_changes_nothing(home: Path) -> None:
    before, summary = page(home, "3"), (home / "2" / "run.json").read_bytes()
    strange = {
        "junk": b"junk",
        "empty": b"",
        "future": summary.replace(b'"format": 1', b'"format": 9'),
        "other": summary.replace(b'"name": "shop"', b'"name": "blog"'),
    }
    for name, content in strange.items():
        (home / name).mkdir()
        (home / name / "run.json").write_bytes(content)
    try:
        assert kastrun(home, "report", "3", "-o", "-").stdout == before
    finally:
        for name in strange:
            shutil.rmtree(home / name)


def test_an_earlier_run_that_cannot_be_read_is_stepped_over(home: Path, tmp_path: Path) -> None:
    for run in RUNS:
        shutil.copytree(home / run, tmp_path / run)
    journal = tmp_path / "2" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"type":"run","v":1', b'"type":"run","v":99', 1))
    assert "unchanged since run 1" in words(kastrun(tmp_path, "report", "3", "-o", "-").stdout)


def test_what_plugins_contacted_is_in_the_page_and_in_markdown(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "1", tmp_path / "out")
    journal = tmp_path / "out" / "journal.jsonl"
    *lines, end = journal.read_text().splitlines()
    moment = json.loads(end)["ended_at"]
    for verdict, where in (("refused", HOSTILE), ("allowed", "203.0.113.7")):
        event = {
            "seq": len(lines) + 1, "type": "egress", "job": "j" + "0" * 20, "plugin": "tls", "attempt": 1,
            "destination": where, "protocol": "tcp", "verdict": verdict, "ports": "443", "count": 2,
            "first": moment, "last": moment,
        }  # fmt: skip
        lines.append(json.dumps(event, separators=(",", ":")))
    end = end.replace(f'"seq":{json.loads(end)["seq"]}', f'"seq":{len(lines) + 1}')
    journal.write_text("\n".join([*lines, end]) + "\n")
    done = kastrun(tmp_path, "report", "out", "--format", "html,markdown")
    assert done.returncode == 0
    html = (tmp_path / "out" / "report.html").read_text()
    said = words(html)
    network = said[said.index("What plugins contacted") :]
    assert network.index("refused") < network.index("203.0.113.7 443 (tcp)")
    assert "<script>document" not in html
    assert "|tls|allowed|2|203.0.113.7 443 \\(tcp\\)|" in (tmp_path / "out" / "report.md").read_text()


def test_the_runs_are_a_table_of_eighty_columns(home: Path, tmp_path: Path) -> None:
    for run in RUNS:
        shutil.copytree(home / run, tmp_path / "runs" / "shop" / f"2026112{run}T190500Z")
    done = kastrun(tmp_path, "runs")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["name", "run", "status", "took", "jobs", "findings", "exit"]
    assert [line.split()[1] for line in lines if line.startswith("shop")] == [
        f"2026112{run}T190500Z" for run in "321"
    ]
    assert max(map(len, lines)) <= 80
    rows = json.loads(kastrun(tmp_path, "runs", "shop", "--json").stdout)
    assert [row["findings"] for row in rows][2] == {"medium": 1, "low": 1}
    assert {tuple(row["accepted"].items()) for row in rows} == {
        ()
    }  # in none of them is it both there and accepted


def made(plugin: str, refs: list[str], **where: object) -> Finding:
    return Finding(
        fingerprint=f"{plugin}{where}", plugin=plugin, rule="r", title="t", severity="low",
        target="a.example", job="j", attempt=1, at="", refs=refs, location=Location(**where),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"url": "https://a.example/"}, {"host": "A.example", "port": 443}, True),
        ({"url": "https://a.example/?q=1"}, {"url": "https://a.example/#top"}, True),
        ({"url": "https://a.example/x"}, {"url": "https://a.example:443/x?q=1"}, True),
        ({"url": "https://a.example/x"}, {"url": "https://a.example/y"}, False),
        ({"url": "http://a.example/"}, {"url": "https://a.example/"}, False),
        ({"host": "a.example", "port": 22}, {"host": "a.example", "port": 443}, False),
        ({}, {"host": "a.example"}, True),
        ({"file": "a.py", "line": 3}, {"file": "a.py", "line": 4}, True),
        ({"url": "http://[bad"}, {"url": "http://a:99999999/"}, False),
    ],
)  # fmt: skip
def test_a_place_is_what_plugins_agree_on(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    first, second = made("one", ["CWE-1"], **one), made("two", ["CWE-1"], **other)
    assert (place(first) == place(second)) is same
    assert (first.fingerprint in related([first, second])) is same


def test_related_are_those_of_other_plugins_with_a_weakness_in_common() -> None:
    one = made("one", ["CVE-2026-0001"], host="a.example")
    own = made("one", ["CVE-2026-0001"], host="a.example", param="x")
    other = made("two", ["https://example.com/", "cve-2026-0001"], host="a.example")
    apart = made("two", ["CWE-79"], host="a.example", param="y")
    free = made("three", ["notes"], host="a.example")
    found = related([one, own, other, apart, free])
    assert found == {one.fingerprint: [other], own.fingerprint: [other], other.fingerprint: [one, own]}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"format": 1,\n  "jobs": []}', b"\xff" * 100, b'null,\n  "jobs": [']
)
def test_what_is_no_summary_is_no_run(content: bytes) -> None:
    assert read(content) is None


def test_a_summary_is_read_by_its_head_alone(home: Path) -> None:
    content = (home / "1" / "run.json").read_bytes()
    past = read(content[: content.index(b'\n  "jobs": [') + 12])
    assert isinstance(past, Past)
    assert (past.name, past.run, past.findings.by_severity) == ("shop", "1", {"medium": 1, "low": 1})
