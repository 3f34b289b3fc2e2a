"""What users get wrong and machines refuse: each has its first line, its exit code, and nothing ran."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from zoo_runs import (
    LIMIT_S,
    ZOO,
    command,
    copy_zoo,
    environment,
    finished,
    kastrun,
    largest_file,
    run,
    write_profile,
)

from kastrun import record
from kastrun.errors import JournalError


def refused(home: Path, *arguments: str | Path, **more: object) -> str:
    """What a command says that must end with 2 and leave no run behind; it is all on stderr."""
    done = kastrun(home, *arguments, **more)  # type: ignore[arg-type]
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert not (home / "runs").exists() or list((home / "runs").glob("*/*")) == []
    assert not (home / "out").exists()
    return done.stderr


def first_line(text: str) -> str:
    return text.splitlines()[0]


# the profile's file


def test_no_file(tmp_path: Path) -> None:
    assert first_line(refused(tmp_path, "gone.toml")) == "error: gone.toml: no such file"


def test_a_folder(tmp_path: Path) -> None:
    assert first_line(refused(tmp_path, tmp_path)) == f"error: {tmp_path}: this is a folder"


def test_binary_junk(tmp_path: Path) -> None:
    (tmp_path / "scan.toml").write_bytes(bytes(range(256)) * 40)
    assert first_line(refused(tmp_path, "scan.toml")) == "error: scan.toml: this is binary, not a text file"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "scan.toml").touch()
    said = refused(tmp_path, "scan.toml").splitlines()
    assert said[0] == "error: scan.toml:1:1"
    assert "no target to scan" in said[3]


def test_ten_megabytes(tmp_path: Path) -> None:
    (tmp_path / "scan.toml").write_text("".join(f"key{number} = {number}\n" for number in range(600_000)))
    said = refused(tmp_path, "scan.toml")
    assert first_line(said) == "error: scan.toml: larger than 4 MiB, so it is not read"
    assert "targets_from" in said


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, which pytest's own are not."""
    with TemporaryDirectory(prefix="kastrun-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_without_the_right_to_read_it(open_folder: Path) -> None:
    profile = write_profile(open_folder, ["ok-sh"])
    profile.chmod(0)
    said = refused_without_rights(open_folder, "check", profile)
    assert first_line(said) == f"error: {profile}: no permission to read it"


def refused_without_rights(home: Path, *arguments: str | Path) -> str:
    """The same without root's right to pass over permissions; others never had it."""
    rights = "-dac_override,-dac_read_search"
    drop = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.getuid() == 0 else []
    (home / "home").mkdir()
    done = subprocess.run(
        [*drop, *command(*arguments)],
        cwd=home,
        env=environment(home / "home"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr


# plugins


def test_a_broken_manifest_that_is_named_stops_the_run(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh", "ok-awk"])
    manifest = folder / "ok-sh" / "plugin.toml"
    manifest.write_text(manifest.read_text().replace("summary", "sumary"))
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh", "ok-awk"], zoo=folder))
    assert f"{manifest}:5:1" in said
    assert "unknown key" in said and "summary" in said


def test_a_broken_manifest_that_is_not_named_harms_no_one(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh", "ok-awk"])
    (folder / "ok-sh" / "plugin.toml").write_text("not toml at all")
    ran = run(tmp_path, write_profile(tmp_path, ["ok-awk"], zoo=folder))
    assert ran.code == 0
    listed = kastrun(tmp_path, "plugins", "list", "--dir", folder, "--json")
    assert listed.returncode == 0
    told = json.loads(listed.stdout)
    assert list(told["broken"]) == ["ok-sh"]
    assert "ok-awk" in {row["name"] for row in told["plugins"]}


def test_a_later_protocol_is_not_spoken(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh"])
    manifest = folder / "ok-sh" / "plugin.toml"
    manifest.write_text(manifest.read_text().replace("protocol = 1", "protocol = 2"))
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"], zoo=folder))
    assert "protocol" in said and "2" in said
    listed = json.loads(kastrun(tmp_path, "plugins", "list", "--dir", folder, "--json").stdout)
    assert [problem["rule"] for problem in listed["broken"]["ok-sh"]] == ["protocol_unsupported"]


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    grant = 'grant = ["env:ZOO_PASSED", "env:ZOO_ABSENT"]\noptions = { ports = 443 }'
    profile = write_profile(tmp_path, {"looks-around": grant})
    line = profile.read_text().splitlines().index(grant.splitlines()[1]) + 1
    assert first_line(refused(tmp_path, profile)) == f"error: {profile}:{line}:21"
    told = json.loads(kastrun(tmp_path, "check", "--json", profile).stdout)
    assert told["exit_code"] == 2
    assert [problem["path"] for problem in told["problems"]] == ["plugins.looks-around.options.ports"]


def test_a_plugin_that_is_not_executable(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh"])
    (folder / "ok-sh" / "run.sh").chmod(0o644)
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"], zoo=folder))
    assert "this file is not executable" in said
    assert "chmod +x" in said


def test_two_plugins_with_one_name(tmp_path: Path) -> None:
    first, second = copy_zoo(tmp_path / "one", ["ok-sh"]), copy_zoo(tmp_path / "two", ["ok-sh"])
    profile = write_profile(tmp_path, ["ok-sh"], zoo=first)
    profile.write_text(profile.read_text().replace(f'"{first}"', f'"{first}", "{second}"'))
    ran = run(tmp_path, profile)
    assert ran.code == 0
    told = f"two plugins are called ok-sh: {first}/ok-sh is used, {second}/ok-sh is not"
    assert told in ran.stderr
    plan = kastrun(tmp_path, "plan", profile)
    assert f"in {first}/ok-sh" in plan.stdout


# the command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan.toml", "--nope"], "kastrun: error: unrecognized arguments: --nope"),
        (["scan.toml", "-p"], "error: -p goes without a profile"),
        (["chekc"], "kastrun: error: there is no command 'chekc'; did you mean `check`?"),
        (["show", "nowhere"], "error: nowhere is no run: there is no journal.jsonl in it"),
        (["resume", "nowhere"], "error: nowhere is no run: there is no journal.jsonl in it"),
        (["show", "n" * 300], f"error: {'n' * 300} cannot be looked into: File name too long"),
        (["run"], "error: nothing to scan: there is neither a profile nor a target"),
        (["plugins", "show", "ok"], "error: there is no plugin called ok"),
        (["schema", "nope"], "invalid choice: 'nope'"),
        (["scan.toml", "-q", "-v"], "not allowed with argument"),
        (["scan.toml", "--mode", "fast"], 'expected "passive", "active" or "both", found "fast"'),
        (["scan.toml", "--max-workers", "0"], "max-workers 0"),
        (["scan.toml", "--set", "no.such=1"], "unknown key"),
        (["scan.toml", "--only", "no-such"], "no-such"),
        (["scan.toml", "-o", "scan.toml"], "error: cannot make the run folder scan.toml: File exists"),
        (["-t", "-x", "-m", "passive"], "expected one argument"),
        (["-t", "a b", "-m", "passive"], "holds a space"),
    ],
)
def test_bad_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    write_profile(tmp_path, ["ok-sh"])
    assert said in refused(tmp_path, *arguments)


def test_an_output_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"]), "-o", "mine").splitlines()
    assert said == [
        "error: the output folder mine exists and is not empty",
        "hint: name another with --output",
    ]
    assert os.listdir(tmp_path / "mine") == ["precious"]


def test_an_output_folder_that_may_not_be_written(open_folder: Path) -> None:
    profile = write_profile(open_folder, ["ok-sh"])
    (open_folder / "closed").mkdir(mode=0o555)
    said = refused_without_rights(open_folder, profile, "-o", open_folder / "closed" / "out")
    assert (
        first_line(said) == f"error: cannot make the run folder {open_folder}/closed/out: Permission denied"
    )


# targets


def test_a_list_with_bad_lines_names_each(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("127.0.0.1\n# comment\n\nbad host\n-x\n127.0.0.2\n")
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"], top='targets_from = ["hosts.txt"]'))
    assert f"error: {tmp_path}/hosts.txt:4:1" in said
    assert f"error: {tmp_path}/hosts.txt:5:1" in said
    assert "2 errors; nothing was run" in said


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"], top='targets_from = ["gone.txt"]'))
    assert f"{tmp_path}/gone.txt: no such file" in said


def test_bad_lines_on_standard_input(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], targets=(), top='targets_from = ["-"]')
    said = refused(tmp_path, profile, stdin="127.0.0.1\nbad host\n", env={"TMPDIR": str(tmp_path)})
    assert first_line(said) == "error: <stdin>:2:1"
    assert list(tmp_path.glob("kastrun-*")) == []


def test_no_line_on_standard_input(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], targets=(), top='targets_from = ["-"]')
    assert first_line(refused(tmp_path, profile)) == "error: there is no target: standard input is empty"


def test_targets_on_standard_input_are_kept_for_the_next_time(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], targets=(), top='targets_from = ["-"]')
    env = {"TMPDIR": str(tmp_path)}
    ran = run(tmp_path, profile, stdin="127.0.0.1\n127.0.0.2\n127.0.0.1\n", env=env)
    assert len(ran.of("result")) == 2
    (tmp_path / "again").mkdir()
    again = run(tmp_path / "again", ran.folder / "profile.toml")
    assert {each["job"] for each in again.of("result")} == {each["job"] for each in ran.of("result")}
    assert list(tmp_path.glob("kastrun-*")) == []


def test_a_run_without_a_job_is_refused_for_it_would_look_clean(tmp_path: Path) -> None:
    said = refused(tmp_path, write_profile(tmp_path, ["ok-sh"], top='exclude = ["127.0.0.0/8"]'), "-o", "out")
    assert "error: nothing to scan: no job is planned\n  127.0.0.1: excluded by 127.0.0.0/8\n" in said
    assert "hint: `kastrun plan` shows what is left out and why" in said
    assert not (tmp_path / "out").exists()


# streams


def shell(home: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which K is kastrun."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=home,
        env=environment(home, K=" ".join(command()), **more),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_closed_streams_change_nothing(tmp_path: Path, closed: str, unbuffered: str) -> None:
    write_profile(tmp_path, ["ok-sh", "no-done"])
    done = shell(tmp_path, f"$K scan.toml -o out {closed}", PYTHONUNBUFFERED=unbuffered)
    ran = finished(tmp_path / "out", done.returncode, done.stdout, done.stderr)
    assert ran.code == 3
    assert len(ran.of("result")) == 2


def test_targets_from_a_closed_standard_input(tmp_path: Path) -> None:
    write_profile(tmp_path, ["ok-sh"], targets=(), top='targets_from = ["-"]')
    done = shell(tmp_path, "$K scan.toml <&-")
    assert done.returncode == 2
    assert first_line(done.stderr) == "error: there is no target: standard input is empty"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early(tmp_path: Path, unbuffered: str) -> None:
    targets = [f"127.0.{number // 250}.{number % 250}" for number in range(1, 3000)]
    write_profile(tmp_path, ["ok-sh"], targets=targets)
    done = shell(tmp_path, "$K plan scan.toml | head -1; echo ${PIPESTATUS[0]}", PYTHONUNBUFFERED=unbuffered)
    assert done.stdout.splitlines() == ["scan: mode passive, 5 at once, fail_on none", "0"]
    assert done.stderr == ""


@pytest.mark.parametrize("end", ["| true", ">/dev/full", "2>&1 | true", ">/dev/full 2>&1"])
def test_a_run_is_worth_the_same_whoever_reads_of_it(tmp_path: Path, end: str) -> None:
    write_profile(tmp_path, ["ok-sh", "no-done"])
    done = shell(tmp_path, f"$K scan.toml -o out {end}; echo ${{PIPESTATUS[0]}} >&2")
    assert done.stderr.splitlines()[-1] == "3"
    assert "bug" not in done.stderr
    assert finished(tmp_path / "out", 3, "", done.stderr).of("end")


@pytest.mark.parametrize("what", ["plan scan.toml", "check scan.toml", "--version", "schema journal"])
def test_output_that_cannot_be_written_is_said(tmp_path: Path, what: str) -> None:
    write_profile(tmp_path, ["ok-sh"])
    done = shell(tmp_path, f"$K {what} >/dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: what is to be said cannot be written: No space left on device\n"


@pytest.mark.parametrize("end", ["2>&1 | true", "2>/dev/full"])
def test_an_error_that_nobody_hears_has_its_code(tmp_path: Path, end: str) -> None:
    done = shell(tmp_path, f"$K gone.toml {end}; echo ${{PIPESTATUS[0]}} >&2")
    assert done.stderr == "2\n"


def test_piped_output_is_plain_and_eighty_columns_wide(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh", "no-done", "paints", "partial"])
    ran = run(tmp_path, profile, "-v", env={"TERM": "xterm-256color", "COLUMNS": "200"})
    assert "\x1b" not in ran.stdout + ran.stderr
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_no_color_is_heard_on_a_terminal(tmp_path: Path) -> None:
    write_profile(tmp_path, ["ok-sh", "no-done"])
    line = "script -qec '{} $K check gone.toml' /dev/null"
    coloured = shell(tmp_path, line.format(""), TERM="xterm")
    plain = shell(tmp_path, line.format(""), TERM="xterm", NO_COLOR="1")
    asked = shell(tmp_path, line.format("").replace("gone.toml", "--no-color gone.toml"), TERM="xterm")
    assert "\x1b[" in coloured.stdout
    assert "\x1b[" not in plain.stdout + asked.stdout
    assert "gone.toml: no such file" in plain.stdout


# no space left


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_stops_the_run_and_what_was_written_stays(tmp_path: Path, small_disk: Path) -> None:
    plugins = {"ok-sh": "priority = 0", "fifty-thousand": "", "waits": ""}
    profile = write_profile(tmp_path, plugins, top="max_workers = 1")
    done = kastrun(tmp_path, profile, "-o", small_disk / "out")
    ran = finished(small_disk / "out", done.returncode, done.stdout, done.stderr, complete=False)
    assert ran.code == 5
    assert ran.result("ok-sh")["status"] == "ok"
    assert ran.of("start", "waits") == [] and ran.of("end") == []
    told = " ".join(ran.stdout.split())  # the folder's name decides where its lines are broken
    assert "Exit code 5" in told and "the disk is full" in told
    shown = kastrun(tmp_path, "show", "--json", small_disk / "out")
    assert json.loads(shown.stdout)["coverage"]["not_run"] == 2


def test_a_file_size_limit_stops_the_run_alike(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["fifty-thousand"])
    done = shell(tmp_path, f"ulimit -f 100; $K {profile} -o out")
    ran = finished(tmp_path / "out", done.returncode, done.stdout, done.stderr, complete=False)
    assert ran.code == 5
    assert "it reached the largest file size allowed (ulimit -f)" in " ".join(ran.stdout.split())


def test_no_room_for_the_profile_is_told_before_anything_runs(tmp_path: Path, small_disk: Path) -> None:
    with (small_disk / "fill").open("wb", buffering=0) as file:
        while file.write(bytes(4096)) == 4096 and file.tell() < 252 << 10:
            pass
        (small_disk / "rest").write_bytes(bytes(1))
        done = kastrun(tmp_path, write_profile(tmp_path, ["ok-sh"]), "-o", small_disk / "out")
    assert done.returncode == 5
    assert done.stderr.splitlines() == [
        f"error: {small_disk}/out/profile.toml cannot be written: No space left on device",
        "hint: make room, then try again; what a journal holds is safe",
    ]
    assert not (small_disk / "out").exists()


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    record.write(tmp_path / "run.json", [b"old"])
    with largest_file(100), pytest.raises(JournalError) as raised:
        record.write(tmp_path / "run.json", [b"n" * 60, b"n" * 60])
    assert raised.value.message == f"{tmp_path}/run.json cannot be written: File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_bytes() == b"old"


def test_the_zoo_is_as_it_was_found() -> None:
    assert not list(ZOO.rglob("__pycache__"))
