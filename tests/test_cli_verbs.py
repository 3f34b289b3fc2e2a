"""The verbs beside `run`: what each prints, on which stream, and with which code."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from zoo_runs import ZOO, Going, copy_zoo, kastrun, run, write_profile

from kastrun import __version__, cli, resources
from kastrun.cli import check

SHIPPED = {"cors", "http-headers", "nmap", "scripts", "tls", "waf", "whatweb"}


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(tmp_path: Path, flag: str) -> None:
    done = kastrun(tmp_path, flag)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"kastrun {__version__}\n", "")


def test_help_has_every_verb_and_every_exit_code(tmp_path: Path) -> None:
    done = kastrun(tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    for verb in ("run", "check", "plan", "demo", "resume", "runs", "show", "plugins", "schema", "settings"):
        assert verb in words
    for code in ("0", "1", "2", "3", "4", "5", "70", "130"):
        assert code in words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_made_for_each_shell(tmp_path: Path, shell: str) -> None:
    done = kastrun(tmp_path, "completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "resume" in done.stdout


SCHEMAS = {path.name.split(".")[0] for path in (Path(__file__).parents[1] / "schemas").iterdir()}


@pytest.mark.parametrize("kind", sorted(SCHEMAS - {"profile"}))
def test_schemas_are_printed_as_they_are_shipped(tmp_path: Path, kind: str) -> None:
    done = kastrun(tmp_path, "schema", kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == resources.schema(kind)


def test_the_profiles_schema_has_the_options_of_plugins_that_were_found(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["looks-around"])
    document = json.loads(kastrun(tmp_path, "schema", "--dir", folder).stdout)
    assert "looks-around" in json.dumps(document)
    assert '"443"' in json.dumps(document)


# check


def test_a_good_profile_is_said_to_be_good(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh", "ok-awk"], targets=["127.0.0.1", "127.0.0.2"])
    done = kastrun(tmp_path, "check", profile)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{profile} is good: 2 targets, 2 plugins (ok-awk, ok-sh), mode passive\n"
    told = json.loads(kastrun(tmp_path, "check", "--json", profile).stdout)
    assert told == {"problems": [], "exit_code": 0}


# plugins


def test_plugins_are_listed_with_what_they_lack(tmp_path: Path) -> None:
    done = kastrun(tmp_path, "plugins", "list", "--dir", ZOO)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert lines.keys() >= SHIPPED | {"ok-sh", "needy"}
    assert lines["ok-sh"].endswith("ready")
    assert "missing: the program no-such-scanner is not installed" in lines["needy"]


@pytest.mark.parametrize("verb", [["plugins", "list"], ["plugins", "show", "tls"], ["schema", "profile"]])
def test_a_folder_of_plugins_that_is_not_there_is_told(tmp_path: Path, verb: list[str]) -> None:
    done = kastrun(tmp_path, *verb, "--dir", "plugns")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "error: there is no folder plugns"


def test_a_broken_manifest_is_listed_on_stderr(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh", "ok-awk"])
    (folder / "ok-sh" / "plugin.toml").write_text("[plugin\n")
    done = kastrun(tmp_path, "plugins", "list", "--dir", folder)
    assert done.returncode == 0
    assert "ok-awk" in done.stdout
    assert f"{folder}/ok-sh/plugin.toml:1" in done.stderr
    shown = kastrun(tmp_path, "plugins", "show", "--dir", folder, "ok-sh")
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: the manifest of ok-sh is broken: ")


def test_one_plugin_in_full(tmp_path: Path) -> None:
    done = kastrun(tmp_path, "plugins", "show", "--dir", ZOO, "looks-around")
    assert done.returncode == 0
    assert "looks-around 1.0: Tells what it was given" in done.stdout
    assert "ports: string (default '443')" in done.stdout
    assert "ZOO_PASSED" in done.stdout
    told = json.loads(kastrun(tmp_path, "plugins", "show", "--dir", ZOO, "looks-around", "--json").stdout)
    assert told["options_schema"]["properties"]["ports"]["default"] == "443"


def test_a_name_that_is_nearly_right(tmp_path: Path) -> None:
    done = kastrun(tmp_path, "plugins", "show", "nmpa")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no plugin called nmpa\nhint: did you mean nmap?\n"


# runs, show


def test_no_runs_is_no_error(tmp_path: Path) -> None:
    done = kastrun(tmp_path, "runs")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "there are no runs in runs\n"
    assert kastrun(tmp_path, "runs", "shop").stderr == "there are no runs of shop in runs\n"


def test_a_damaged_journal_is_shown_with_its_offset(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh", "no-done"]))
    path = ran.folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"#" * 9 + b"\n", *lines[3:-1], lines[-1][:20]]))
    done = kastrun(tmp_path, "show", "out")
    assert done.returncode == 0
    warnings = done.stderr.splitlines()
    middle, torn = sum(map(len, lines[:2])), len(b"".join([*lines[:2], b"#" * 10, *lines[3:-1]]))
    where = f"{path.resolve()}, byte"
    assert any(f"{where} {middle}: a line cannot be read" in warning for warning in warnings)
    assert any(f"{where} {torn}: its last line is torn" in warning for warning in warnings)


def test_a_journal_of_the_future_is_not_guessed_at(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"]))
    path = ran.folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"type":"run","v":1', b'"type":"run","v":2'))
    for verb in ("show", "resume"):
        done = kastrun(tmp_path, verb, "out")
        assert done.returncode == 5
        assert done.stderr.startswith("error: this journal has version 2, this kastrun reads version 1\n")


def test_a_run_under_way_is_shown_and_cannot_be_resumed(tmp_path: Path) -> None:
    going = Going(tmp_path, write_profile(tmp_path, ["waits"]))
    going.wait_for("finding")
    shown = kastrun(tmp_path, "show", "out")
    assert shown.returncode == 0
    assert "note: this run is still going on; what follows is what it has so far" in shown.stderr
    resumed = kastrun(tmp_path, "resume", "out")
    assert resumed.returncode == 2
    assert f"is being written by process {going.process.pid}" in resumed.stderr
    again = kastrun(tmp_path, "scan.toml", "-o", "out")
    assert again.returncode == 2
    assert "error: the output folder out exists and is not empty" in again.stderr
    going.signal(signal.SIGINT)
    assert going.finish().code == 130


# machines


def test_json_is_one_document_and_all_else_is_on_stderr(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh", "no-done"]), "--json")
    assert json.loads(ran.stdout) == ran.summary


def test_quiet_says_the_verdict_only(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"]), "-q")
    assert ran.stderr == ""
    assert len(ran.stdout.split("\n")) < 6


def test_a_dry_run_is_the_plan(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"])
    done = kastrun(tmp_path, profile, "--dry-run")
    assert done.stdout == kastrun(tmp_path, "plan", profile).stdout
    assert not (tmp_path / "runs").exists()


# a bug of ours


def test_a_bug_leaves_a_crash_file_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: object) -> int:
        raise LookupError("the \x1b[31mimpossible\x1b[0m")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(check, "serve", broken)
    with pytest.raises(SystemExit) as raised:
        cli.main(["check", "scan.toml"])
    assert raised.value.code == 70
    said = capsys.readouterr().err
    (report,) = tmp_path.glob("kastrun-crash-*.txt")
    assert said.startswith("error: this is a bug in kastrun: LookupError: the ")
    assert "\x1b" not in said
    assert f"hint: please report it with {report}" in said
    assert "LookupError" in report.read_text() and "['check', 'scan.toml']" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
