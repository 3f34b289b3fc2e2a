"""Whole runs: exit codes, order, how many at once, deadlines, and what must not depend on chance."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from zoo_runs import OPEN, ZOO, Ran, copy_zoo, kastrun, run, write_profile

FIVE = tuple(f"127.0.0.{number}" for number in range(1, 6))


def summary(ran: Ran) -> dict[str, Any]:
    assert ran.summary is not None
    return ran.summary


# exit codes


@pytest.mark.parametrize(
    ("plugins", "top", "code", "why"),
    [
        (["ok-awk", "skips"], "", 0, "every planned job ended ok or was skipped by choice; fail_on is none"),
        (["ok-sh"], 'fail_on = "medium"', 0, "every planned job ended ok; no finding reached medium"),
        (["ok-sh"], 'fail_on = "low"', 1, "1 finding reached fail_on = low (the worst is low)"),
        (["ok-sh", "no-done"], 'fail_on = "low"', 1, "2 findings reached fail_on = low"),
        (["ok-sh", "partial"], "", 3, "the run is incomplete (1 partial of 2 jobs)"),
        (["ok-awk", "no-done"], 'fail_on = "high"', 3, "the run is incomplete (1 failed of 2 jobs)"),
        (["needy"], "", 3, "the run is incomplete (1 failed of 1 job)"),
        (["active"], "", 0, "every planned job ended ok or was skipped by choice"),
    ],
)
def test_exit_codes(tmp_path: Path, plugins: list[str], top: str, code: int, why: str) -> None:
    ran = run(tmp_path, write_profile(tmp_path, plugins, top=top))
    assert ran.code == code
    assert summary(ran)["exit"]["why"].startswith(why)
    assert f"Exit code {code}" in ran.stdout


def test_a_finding_of_a_failed_job_is_incomplete_and_counts(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["no-done"], top='fail_on = "low"'))
    assert ran.code == 1
    assert summary(ran)["findings"] == {"by_severity": {"low": 1}, "incomplete": 1}


# order and number


def test_two_hundred_jobs_at_eight_workers(tmp_path: Path) -> None:
    targets = [f"127.0.0.{number}" for number in range(1, 201)]
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=targets, top="max_workers = 8"))
    assert ran.code == 0
    assert {result["target"] for result in ran.of("result")} == set(targets)
    assert len(ran.of("finding")) == 200


def test_one_worker_starts_jobs_in_the_order_of_the_plan(tmp_path: Path) -> None:
    plugins = {
        "ok-sh": "priority = 60",
        "ok-awk": "priority = 10",
        "ok-perl": "priority = 30",
        "skips": "priority = 30",
    }
    profile = write_profile(tmp_path, plugins, targets=FIVE, top="max_workers = 1")
    plan = json.loads(kastrun(tmp_path, "plan", "--json", profile).stdout)
    planned = [job["job"] for job in plan["jobs"]]
    by_plugin = [job["plugin"] for job in plan["jobs"]]
    assert by_plugin == ["ok-awk"] * 5 + ["ok-perl", "skips"] * 5 + ["ok-sh"] * 5
    ran = run(tmp_path, profile)
    assert [start["job"] for start in ran.of("start")] == planned
    assert [result["job"] for result in ran.of("result")] == planned


@pytest.mark.parametrize("workers", [1, 3])
def test_never_more_at_once_than_workers(tmp_path: Path, workers: int) -> None:
    (tmp_path / "most").write_text(f"{0:6} {0:6}")
    own = {"counts-itself": f"options = {{ file = {json.dumps(str(tmp_path / 'most'))} }}"}
    targets = [f"127.0.0.{number}" for number in range(1, 13)]
    ran = run(
        tmp_path, write_profile(tmp_path, own, targets=targets, top=f"max_workers = {workers}", tables=OPEN)
    )
    now, most = map(int, (tmp_path / "most").read_text().split())
    assert (ran.code, now) == (0, 0)
    assert 1 <= most <= workers
    assert workers == 1 or most > 1


def test_the_same_work_has_the_same_id_in_any_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = run(tmp_path / "a", write_profile(tmp_path / "a", ["ok-sh", "ok-awk"], targets=FIVE))
    again = run(tmp_path / "b", write_profile(tmp_path / "b", ["ok-awk", "ok-sh"], targets=FIVE[::-1]))
    ids = {(result["plugin"], result["target"]): result["job"] for result in first.of("result")}
    assert ids == {(result["plugin"], result["target"]): result["job"] for result in again.of("result")}
    assert len(set(ids.values())) == 10
    prints = {finding["fingerprint"] for finding in first.of("finding")}
    assert prints == {finding["fingerprint"] for finding in again.of("finding")}


# deadlines


def test_the_profiles_timeout_wins_over_the_plugins(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, {"waits": "timeout = 0.3"}))
    result = ran.result("waits")
    assert result["reason"] == "total_timeout"
    assert result["failure"]["message"] == "it was still running after 0.3 s"
    assert ran.of("start")[0]["deadline_s"] == 0.3


def test_the_runs_own_deadline_cancels_what_runs(tmp_path: Path) -> None:
    profile = write_profile(
        tmp_path, ["waits"], targets=FIVE, top="max_workers = 2", tables="[limits]\nrun_timeout = 2.5"
    )
    ran = run(tmp_path, profile, complete=False)
    assert ran.code == 3
    assert [(each["status"], each["reason"]) for each in ran.of("result")] == [("cancelled", "cancelled")] * 2
    assert summary(ran)["coverage"]["not_run"] == 3
    assert summary(ran)["exit"]["why"].startswith(
        "the run reached its run_timeout and is incomplete (2 cancelled, 3 not run of 5 jobs)"
    )
    assert (ran.events[-1]["status"], ran.events[-1]["cause"]) == ("interrupted", "run_timeout")


# shapes of a run


def test_a_url_and_a_service_are_turned_into_what_the_plugin_takes(tmp_path: Path) -> None:
    targets = ["http://127.0.0.1:8080/app", "127.0.0.2:22", "127.0.0.1"]
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=targets))
    assert sorted(result["target"] for result in ran.of("result")) == ["127.0.0.1", "127.0.0.2"]


def test_an_excluded_target_has_no_job_and_is_named(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=FIVE, top='exclude = ["127.0.0.3"]'))
    assert ran.events[0]["planned"] == 4
    assert ran.events[0]["left_out"] == [
        {"plugin": None, "target": "127.0.0.3", "reason": "excluded", "message": "excluded by 127.0.0.3"}
    ]


def test_a_name_that_resolves_to_an_excluded_address_is_out_of_scope(tmp_path: Path) -> None:
    top = 'exclude = ["127.0.0.1", "::1"]'
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=["localhost"], top=top))
    result = ran.result("ok-sh")
    assert (ran.code, result["status"], result["reason"]) == (0, "skipped", "out_of_scope")
    assert result["message"].startswith("localhost resolves to ")
    assert result["message"].endswith("in `exclude` covers")
    assert ran.of("start") == []


def test_tags_of_a_target_are_in_its_results(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"])
    text = profile.read_text().replace('["127.0.0.1"]', '[{ ip = "127.0.0.1", tags = ["shop", "eu"] }]')
    profile.write_text(text)
    assert run(tmp_path, profile).result("ok-sh")["tags"] == ["shop", "eu"]


def test_the_resolved_profile_repeats_the_run(tmp_path: Path) -> None:
    first = run(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=FIVE))
    (tmp_path / "again").mkdir()
    again = run(tmp_path / "again", first.folder / "profile.toml")
    jobs = {result["job"] for result in first.of("result")}
    assert {result["job"] for result in again.of("result")} == jobs


def test_a_run_shown_later_says_what_it_said_then(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ok-sh", "no-done", "skips", "partial"]))
    shown = kastrun(tmp_path, "show", "out", "--json")
    assert json.loads(shown.stdout) == ran.summary
    text = kastrun(tmp_path, "show", "out")
    assert text.stdout == ran.stdout


def test_runs_go_below_runs_and_latest_is_the_newest(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"])
    for _ in range(3):  # within one second, perhaps
        assert kastrun(tmp_path, profile).returncode == 0
    runs = list((tmp_path / "runs" / "scan").glob("2*"))
    assert len(runs) == 3
    rows = json.loads(kastrun(tmp_path, "runs", "--json").stdout)
    assert len(rows) == 3 and {row["status"] for row in rows} == {"complete"}
    assert (tmp_path / "runs" / "scan" / "latest").resolve() == (tmp_path / rows[0]["folder"]).resolve()
    assert kastrun(tmp_path, "show", "scan").returncode == 0


def test_a_secret_file_that_goes_away_fails_its_jobs_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sesame-open", encoding="utf-8")
    forgets = tmp_path / "more" / "forgets"
    forgets.mkdir(parents=True)
    (forgets / "plugin.toml").write_text(
        '[plugin]\nname = "forgets"\nversion = "1.0.0"\nprotocol = 1\nsummary = "takes the secret away"\n'
        'exec = ["./run.sh"]\nmode = "passive"\ntargets = ["ip"]\n',
        encoding="utf-8",
    )
    script = forgets / "run.sh"
    script.write_text(
        f'#!/bin/sh\nread -r job\nrm -f \'{tmp_path}/secret\'\necho \'{{"type":"done","status":"ok"}}\'\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    tables = OPEN + '[http.headers]\nX-Key = { file = "secret" }\n'
    profile = write_profile(
        tmp_path, ["forgets"], targets=FIVE[:3], zoo=forgets.parent, top="max_workers = 1", tables=tables
    )
    ran = run(tmp_path, profile)
    assert (ran.code, [each["reason"] for each in ran.of("result")]) == (3, [None, *["options_invalid"] * 2])
    assert "secret cannot be read" in ran.of("result")[1]["failure"]["message"]


def test_runs_begun_at_once_have_a_folder_each(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"])
    with ThreadPoolExecutor(6) as at_once:
        runs = list(at_once.map(lambda _: kastrun(tmp_path, profile), range(6)))
    assert [(ran.returncode, ran.stdout.count("1 of 1 job ok")) for ran in runs] == [(0, 1)] * 6
    assert len(list((tmp_path / "runs" / "scan").glob("*/run.json"))) == 7  # and through `latest`


def test_an_output_folder_leaves_its_surroundings_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("somebody-elses")
    assert kastrun(tmp_path, write_profile(tmp_path, ["ok-sh"]), "-o", "out").returncode == 0
    assert (tmp_path / "latest").readlink() == Path("somebody-elses")


def test_a_resume_of_an_older_run_leaves_latest_with_the_newest(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"])
    for _ in range(2):
        assert kastrun(tmp_path, profile).returncode == 0
    latest = tmp_path / "runs" / "scan" / "latest"
    newest = latest.readlink()
    (older,) = (each for each in latest.parent.glob("2*") if each.name != str(newest))
    assert kastrun(tmp_path, "resume", older).returncode == 0
    assert latest.readlink() == newest


def test_a_name_means_the_newest_run_though_it_was_killed(tmp_path: Path) -> None:
    assert kastrun(tmp_path, write_profile(tmp_path, ["ok-sh"])).returncode == 0
    parent = tmp_path / "runs" / "scan"
    (ended,) = parent.glob("2*")
    killed = parent / "29990101T000000Z"
    killed.mkdir()
    lines = (ended / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (killed / "journal.jsonl").write_bytes(lines[0])  # as kill -9 leaves it: no end, no `latest`
    shown = kastrun(tmp_path, "show", "scan", "--json")
    assert json.loads(shown.stdout)["status"] != "complete"


def test_a_plugin_is_not_changed_by_its_run(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["looks-around", "ok-sh"])
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    grants = {"looks-around": 'grant = ["env:ZOO_PASSED", "env:ZOO_ABSENT"]', "ok-sh": ""}
    assert run(tmp_path, write_profile(tmp_path, grants, zoo=folder)).code == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_a_plugin_that_is_changed_has_other_jobs(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["ok-sh"])
    profile = write_profile(tmp_path, ["ok-sh"], zoo=folder)
    first = json.loads(kastrun(tmp_path, "plan", "--json", profile).stdout)["jobs"][0]["job"]
    shutil.copy(ZOO / "ok-awk" / "run.awk", folder / "ok-sh")
    assert json.loads(kastrun(tmp_path, "plan", "--json", profile).stdout)["jobs"][0]["job"] != first
