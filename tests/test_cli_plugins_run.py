"""`kastrun plugins run` as a process: what it prints, on which stream, and its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kastrun.cli.plugins_tell import LONGEST, Teller, raw, record_lines
from kastrun.protocol import Redactor
from kastrun.trial import Chunk

ZOO = Path(__file__).parent / "zoo"
ARGV = [sys.executable, "-m", "kastrun", "plugins", "run"]
SECRET = "correct-horse-battery"

MANIFEST = """
[plugin]
name = "echoes"
version = "1.0"
protocol = 1
summary = "Says what it was given"
exec = ["./run.py"]
mode = "passive"
targets = ["host"]

[options.ports]
type = "array"
items = { type = "integer" }
default = [443]

[options.word]
type = "string"
default = ""

[options.token]
type = "string"
writeOnly = true
default = ""
"""
PROGRAM = """#!/usr/bin/env python3
import json, sys
job = json.load(sys.stdin)
print(json.dumps(job["options"]), file=sys.stderr)
print(json.dumps({"type": "log", "level": "info", "message": json.dumps(job["options"])}))
print(json.dumps({"type": "done", "status": "ok"}))
"""


@pytest.fixture
def echoes(tmp_path: Path) -> Path:
    folder = tmp_path / "echoes"
    folder.mkdir()
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "run.py").write_text(PROGRAM)
    (folder / "run.py").chmod(0o755)
    return folder


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ARGV, *map(str, arguments)], capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def test_records_then_the_result() -> None:
    done = run(ZOO / "ok-sh", "127.0.0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:4] == ["finding  low  r  t", "done  ok", "", "ok: ok-sh 127.0.0.1"]
    assert "  1 finding; " in done.stdout


@pytest.mark.parametrize(("plugin", "head"), [("partial", "partial: partial "), ("skips", "skipped: skips ")])
def test_partial_and_skipped_are_0(plugin: str, head: str) -> None:
    done = run(ZOO / plugin, "127.0.0.1")
    assert done.returncode == 0
    assert head in done.stdout


def test_a_failure_is_3_and_explained() -> None:
    done = run(ZOO / "no-done", "127.0.0.1")
    assert done.returncode == 3
    assert "failed: no-done 127.0.0.1: no_done" in done.stdout
    assert "never said `done`." in done.stdout
    assert "  hint: print {" in done.stdout


def test_a_warning_is_explained() -> None:
    assert "  warning: unknown_field" in run(ZOO / "unknown-fields", "127.0.0.1").stdout


def test_each_target_is_a_job_and_one_that_fails_is_3() -> None:
    done = run(ZOO / "exit-three", "127.0.0.1", "127.0.0.2")
    assert done.returncode == 3
    assert done.stdout.count("failed: exit-three 127.0.0.") == 2


def test_nothing_paints_the_terminal() -> None:
    for flags in ([], ["--trace"]):
        done = run(ZOO / "paints", "127.0.0.1", *flags)
        assert "red" in done.stdout
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(done.stdout + done.stderr)


def test_the_trace_has_both_directions() -> None:
    traced = run(ZOO / "paints", "127.0.0.1", "--trace").stderr.splitlines()
    assert traced[0].startswith('→ {"type":"job","v":1,')
    assert any(line.startswith('← {"type": "finding"') for line in traced)
    assert any(line.startswith("! \\x1b[31mred") for line in traced)


def test_options_are_toml_and_a_string_is_as_it_stands(echoes: Path) -> None:
    done = run(echoes, "127.0.0.1", "--option", "ports=[80, 443]", "--option", "word=12")
    assert (done.returncode, '"ports": [80, 443], "word": "12"' in done.stderr) == (0, True)


def test_a_secret_is_shown_nowhere(echoes: Path) -> None:
    for flags in ([], ["--trace"], ["--json"]):
        done = run(echoes, "127.0.0.1", "--option", f"token={SECRET}", *flags)
        assert done.returncode == 0
        assert SECRET not in done.stdout + done.stderr
        assert "[redacted]" in done.stdout


def test_json_is_one_document(echoes: Path) -> None:
    (job,) = json.loads(run(echoes, "127.0.0.1", "--json").stdout)["jobs"]
    assert (job["target"], job["result"]["status"]) == ("127.0.0.1", "ok")
    assert json.loads(job["job"])["options"]["ports"] == [443]
    assert [record["type"] for record in job["records"]] == ["log"]


def test_a_program_that_is_absent() -> None:
    done = run(ZOO / "needy", "127.0.0.1")
    assert done.returncode == 3
    assert "failed: needy: requires_missing: " in done.stdout
    assert json.loads(run(ZOO / "needy", "127.0.0.1", "--json").stdout)["reason"] == "requires_missing"


def test_the_timeout_ends_it() -> None:
    done = run(ZOO / "hangs", "127.0.0.1", "--timeout", "0.5")
    assert (done.returncode, ": total_timeout" in done.stdout) == (3, True)


def test_ctrl_c_ends_it_as_a_run_would() -> None:
    argv = [*ARGV, str(ZOO / "hangs"), "127.0.0.1", "127.0.0.2", "--trace"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("→ ")
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=30)
    assert child.returncode == 130
    assert told.count("cancelled: hangs 127.0.0.1\n  The job was stopped by the user") == 1
    assert "127.0.0.2" not in told


def test_a_reader_that_leaves_is_no_bug() -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" | true; exit "${PIPESTATUS[0]}"', "-", *ARGV, str(ZOO / "ok-sh"), "127.0.0.1"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--option", "word"], "--option word is not NAME=VALUE"),
        (["--option", 'ports="x"'], "the options do not fit echoes: ports"),
        (["--option", "prots=1"], "the options do not fit echoes"),
        (["--timeout", "soon"], "--timeout soon is no number above 0"),
        (["--timeout", "-1"], "--timeout -1 is no number above 0"),
        (["https://"], "error: "),
    ],
)
def test_bad_usage_is_2(echoes: Path, arguments: list[str], told: str) -> None:
    done = run(echoes, "127.0.0.1", *arguments)
    assert (done.returncode, done.stdout, told in done.stderr) == (2, "", True)


def test_a_folder_that_is_none_or_whose_manifest_is_wrong(echoes: Path, tmp_path: Path) -> None:
    none = run(tmp_path / "absent", "127.0.0.1")
    assert (none.returncode, "is not a folder" in none.stderr) == (2, True)
    (echoes / "plugin.toml").write_text(MANIFEST.replace("mode", "mood"))
    wrong = run(echoes, "127.0.0.1")
    assert (wrong.returncode, "mood" in wrong.stderr) == (2, True)


def test_a_line_in_two_chunks_is_told_once_and_no_half_of_a_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    teller = Teller(Redactor([SECRET]), trace=True, quiet=True)
    for piece in (b"a " + SECRET[:7].encode(), SECRET[7:].encode() + b"\nlast"):
        teller.hear(Chunk("stderr", 0.0, piece))
    teller.hear(Chunk("stdout", 0.0, b"x" * (LONGEST + 9) + b"\n"))
    teller.end()
    told = capsys.readouterr().err.splitlines()
    assert (told[0], told[2]) == ("! a [redacted]", "! last")
    assert told[1] == "← " + "x" * LONGEST


def test_lines_that_are_no_record() -> None:
    assert list(record_lines(b" \r")) == []
    assert list(record_lines(b"hello\x1b[2J")) == ["? hello"]
    assert next(record_lines(b"[" * 100_000)).startswith("? [[[")
    assert list(record_lines(b'{"x": {"y": 1}}')) == ["?", '    x: {"y": 1}']
    assert raw(b"\xff\x00") == "\\xff\\x00"
