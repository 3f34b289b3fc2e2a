"""Going on where a run stopped: nothing twice, nothing lost, the failed ones where asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import zoo_runs
from test_dependencies import plugin, profile


def resume(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        zoo_runs.command("resume", "out", *arguments),
        cwd=home, env=zoo_runs.environment(home), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def killed_half_way(tmp_path: Path, number: int) -> zoo_runs.Path:
    """A run killed with `number` when its first result was in the journal; its folder."""
    gate = tmp_path / "gate"
    gate.mkdir()
    # The first job ends, the others wait for a file that nobody makes before the kill.
    body = f'case "$job" in *127.0.0.0*) ;; *) while [ ! -e {gate}/open ]; do sleep 0.05; done;; esac'
    plugin(tmp_path / "plugins", "waits", body + '\necho \'{"type":"log","level":"info","message":"x"}\'')
    path = profile(tmp_path, ["waits"], targets=["127.0.0.0/30"], top="max_workers = 1", tables=zoo_runs.OPEN)
    process = subprocess.Popen(
        zoo_runs.command(path, "-o", "out"), cwd=tmp_path, env=zoo_runs.environment(tmp_path),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    journal = tmp_path / "out" / "journal.jsonl"
    while not journal.exists() or journal.read_bytes().count(b'"type":"start"') < 2:
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, number)
    process.wait(timeout=30)
    (gate / "open").touch()
    return tmp_path / "out"


def results(folder: Path) -> list[dict[str, object]]:
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return [event for event in events if event["type"] == "result"]


def test_after_ctrl_c_the_cancelled_and_the_unstarted_run_and_no_other(tmp_path: Path) -> None:
    folder = killed_half_way(tmp_path, signal.SIGINT)
    assert [result["status"] for result in results(folder)] == ["ok", "cancelled"]
    done = resume(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 jobs ok" in done.stdout
    assert ", 1 job of an earlier start kept\n" in done.stderr  # the cancelled one is not kept
    assert [result["status"] for result in results(folder)] == ["ok", "cancelled", "ok", "ok", "ok"]


def test_after_kill_9_and_a_torn_line(tmp_path: Path) -> None:
    folder = killed_half_way(tmp_path, signal.SIGKILL)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"seq":99,"type":"resu')
    done = resume(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [result["status"] for result in results(folder)] == ["ok", "ok", "ok", "ok"]
    assert json.loads((folder / "run.json").read_text())["coverage"]["ok"] == 4


def test_a_job_of_which_a_line_is_damaged_has_not_ended(tmp_path: Path) -> None:
    path = zoo_runs.write_profile(tmp_path, ["ok-sh", "ok-awk"], top="max_workers = 1")
    assert zoo_runs.run(tmp_path, path).code == 0
    journal = tmp_path / "out" / "journal.jsonl"
    whole = json.loads(zoo_runs.kastrun(tmp_path, "show", "--json", "out").stdout)
    lines = journal.read_bytes().splitlines(keepends=True)
    hurt = next(place for place, line in enumerate(lines) if b'"type":"finding"' in line)
    lines[hurt] = lines[hurt].replace(b'"type"', b"\0type\0")
    journal.write_bytes(b"".join(lines))
    shown = json.loads(zoo_runs.kastrun(tmp_path, "show", "--json", "out").stdout)
    assert (shown["exit"]["code"], shown["coverage"]["ok"], shown["coverage"]["not_run"]) == (3, 1, 1)
    done = resume(tmp_path)
    assert (done.returncode, done.stdout.count("2 of 2 jobs ok")) == (0, 1)
    assert "a line cannot be read; the jobs that this touches run again" in done.stderr
    again = json.loads(zoo_runs.kastrun(tmp_path, "show", "--json", "out").stdout)
    assert (again["coverage"], again["findings"]) == (whole["coverage"], whole["findings"])


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    plugin(tmp_path / "plugins", "quick")
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["quick"]))
    before = len(results(ran.folder))
    assert resume(tmp_path).returncode == 0
    assert len(results(ran.folder)) == before


def test_failed_jobs_run_again_only_where_asked(tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    plugin(tmp_path / "plugins", "broken", f"test -e {flag} || exit 3")
    plugin(tmp_path / "plugins", "later", depends_on=["broken"])
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["broken", "later"], tables=zoo_runs.OPEN))
    assert ran.code == 3
    flag.touch()
    assert resume(tmp_path).returncode == 3
    done = resume(tmp_path, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert [result["status"] for result in results(ran.folder)] == ["fail", "skipped", "ok", "ok"]


def test_what_was_found_before_reaches_those_that_consume_it(tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    found = '{"type":"asset","kind":"service","value":"127.0.0.1:22/tcp"}'
    plugin(tmp_path / "plugins", "finder", f"echo '{found}'", produces=["asset:service"])
    body = f'test -e {flag} || exit 3\ngrep -q 127.0.0.1:22/tcp "$HOME/inputs.jsonl" || exit 4'
    plugin(tmp_path / "plugins", "reader", body, consumes=["asset:service"])
    zoo_runs.run(tmp_path, profile(tmp_path, ["finder", "reader"], tables=zoo_runs.OPEN))
    flag.touch()
    done = resume(tmp_path, "--retry-failed")
    assert done.returncode == 0, done.stdout


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    done = resume(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: out is no run: there is no journal.jsonl in it\n")
