"""Several targets in one process: one job line, one result for each, and each its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import zoo_runs
from test_resume import results, resume

from kastrun.protocol.fingerprint import fingerprint
from kastrun.protocol.messages import Finding

FOUR = tuple(f"127.0.0.{number}" for number in range(1, 5))
HEAD = """#!/usr/bin/env python3
import json, os, sys
job = json.load(sys.stdin)
values = [target["value"] for target in job["targets"]]
def out(**message): print(json.dumps(message), flush=True)
def find(value, **more):
    out(type="finding", rule="r", title="found", severity="low", target=value, **more)
"""
OK = 'out(type="done", status="ok")\n'
EACH = "for value in values: find(value)\n" + OK


def plugin(folder: Path, name: str, body: str, *, batch: int = 10, **keys: object) -> None:
    """A plugin in Python that is given up to `batch` targets."""
    place = folder / "plugins" / name
    place.mkdir(parents=True)
    base = {
        "name": name, "version": "1.0.0", "protocol": 1, "summary": name, "exec": ["./run.py"],
        "mode": "passive", "targets": ["host", "ip"], "produces": ["finding"],
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in (base | keys).items()]
    manifest = "[plugin]\n" + "\n".join(lines) + f"\n[limits]\nbatch = {batch}\n"
    (place / "plugin.toml").write_text(manifest, encoding="utf-8")
    script = place / "run.py"
    script.write_text(HEAD + body, encoding="utf-8")
    script.chmod(0o755)


def profile(folder: Path, *names: str, targets: Sequence[str] = FOUR, **more: Any) -> Path:
    return zoo_runs.write_profile(folder, names, zoo=folder / "plugins", targets=targets, **more)


def by_target(ran: zoo_runs.Ran, kind: str = "result", name: str | None = None) -> dict[str, dict[str, Any]]:
    return {event["target"]: event for event in ran.of(kind, name)}


def test_each_target_has_a_job_and_a_result_of_its_own(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", f"out(type='log', level='info', message=str(len(values)))\n{EACH}")
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    assert ran.code == 0, ran.stderr
    (log,) = ran.of("log")
    assert log["message"] == "4"
    starts, ended, found = ran.of("start"), by_target(ran), by_target(ran, "finding")
    assert len({start["process"] for start in starts}) == 1
    assert len({start["job"] for start in starts}) == 4
    for start in starts:
        (target,) = start["targets"]
        assert ended[target]["job"] == found[target]["job"] == start["job"]
        assert (ended[target]["process"], ended[target]["batch"]) == (start["process"], 4)
        assert ended[target]["counts"]["finding"] == 1
        expected = Finding(rule="r", title="found", severity="low")
        assert found[target]["fingerprint"] == fingerprint("multi", target, expected)
    assert [ended[target]["counts"]["log"] for target in FOUR] == [1, 0, 0, 0]


def test_a_job_has_the_same_id_and_findings_alone_and_in_a_batch(tmp_path: Path) -> None:
    for name, batch in (("one", 1), ("ten", 10)):
        plugin(tmp_path / name, "multi", EACH, batch=batch)
        # The digest of a plugin covers its manifest: let both be the same work.
    manifests = [(tmp_path / name / "plugins/multi/plugin.toml").read_bytes() for name in ("one", "ten")]
    assert manifests[0] != manifests[1]
    alone = zoo_runs.run(tmp_path / "ten", profile(tmp_path / "ten", "multi", targets=FOUR[:1]))
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "plugins").symlink_to(tmp_path / "ten" / "plugins")
    many = zoo_runs.run(tmp_path / "many", profile(tmp_path / "many", "multi"))
    assert "process" not in alone.of("start")[0]
    (only,) = alone.of("finding")
    same = by_target(many, "finding")[FOUR[0]]
    assert (same["job"], same["fingerprint"]) == (only["job"], only["fingerprint"])


def test_a_finding_must_say_of_which_target(tmp_path: Path) -> None:
    body = "find(values[0])\nout(type='finding', rule='r', title='whose?', severity='low')\n" + OK
    plugin(tmp_path, "multi", body)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    assert ran.code == 3
    for result in ran.of("result"):
        assert (result["status"], result["reason"]) == ("fail", "bad_message")
        assert "`target` is required where a job has several targets" in result["failure"]["message"]
    assert by_target(ran)[FOUR[0]]["counts"]["finding"] == 1  # what came before is kept


def test_of_one_target_it_need_not(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", "out(type='finding', rule='r', title='mine', severity='low')\n" + OK)
    assert zoo_runs.run(tmp_path, profile(tmp_path, "multi", targets=FOUR[:1])).code == 0


def test_a_target_of_another_process_is_no_target(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", f"find({FOUR[3]!r})\n{OK}", batch=2)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    ended = by_target(ran)
    assert [ended[target]["status"] for target in FOUR] == ["fail", "fail", "ok", "ok"]
    assert ended[FOUR[0]]["reason"] == "bad_message"


def test_failed_targets_are_partial_and_the_others_ok(tmp_path: Path) -> None:
    body = "out(type='done', status='partial', message='no answer', failed_targets=values[1:3])\n"
    plugin(tmp_path, "multi", "for value in values: find(value)\nprint('told', file=sys.stderr)\n" + body)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    ended = by_target(ran)
    assert [ended[target]["status"] for target in FOUR] == ["ok", "partial", "partial", "ok"]
    assert ended[FOUR[1]]["failure"]["message"] == "no answer"
    assert [ended[target]["failure"].get("stderr") for target in FOUR[1:3]] == ["told\n", None]
    assert ran.summary is not None
    assert ran.summary["findings"]["incomplete"] == 2
    assert ran.code == 3


def test_partial_without_names_is_all_of_them(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", "out(type='done', status='partial')\n")
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    assert [result["status"] for result in ran.of("result")] == ["partial"] * 4


def test_a_crash_is_everyones(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", "find(values[0])\nprint('boom', file=sys.stderr)\nsys.exit(7)\n")
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    ended = by_target(ran)
    assert {(each["status"], each["reason"]) for each in ended.values()} == {("fail", "exit_nonzero")}
    assert {each["failure"]["exit_code"] for each in ended.values()} == {7}
    assert [ended[target]["failure"].get("stderr") for target in FOUR] == ["boom\n", None, None, None]
    assert ran.summary is not None and ran.summary["findings"] == {"by_severity": {"low": 1}, "incomplete": 1}


def test_a_job_of_which_the_target_is_out_of_scope_is_not_given(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", EACH)
    path = profile(tmp_path, "multi", targets=("127.0.0.2", "localhost", "127.0.0.3"))
    text = path.read_text().replace("schema = 1", 'schema = 1\nexclude = ["127.0.0.1", "::1"]')
    path.write_text(text)
    ran = zoo_runs.run(tmp_path, path)
    ended = by_target(ran)
    assert ended["localhost"]["reason"] == "out_of_scope"
    assert [ended[target]["status"] for target in ("127.0.0.2", "127.0.0.3")] == ["ok", "ok"]
    assert len({start["process"] for start in ran.of("start")}) == 1
    assert len(ran.of("start")) == 2


# dependencies


def test_who_depends_on_a_batch_depends_on_its_own_target(tmp_path: Path) -> None:
    body = "out(type='done', status='partial', failed_targets=values[:1])\n"
    plugin(tmp_path, "first", body)
    plugin(tmp_path, "second", EACH, depends_on=["first"])
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "first", "second"))
    ended = by_target(ran, name="second")
    assert [ended[target]["reason"] for target in FOUR] == ["upstream_failed", None, None, None]
    assert {start["targets"][0] for start in ran.of("start", "second")} == set(FOUR[1:])
    assert len({start["process"] for start in ran.of("start", "second")}) == 1


def test_assets_go_to_those_that_consume_them_by_target(tmp_path: Path) -> None:
    gives = "for value in values: out(type='asset', kind='service', value=value + ':22/tcp', target=value)\n"
    reads = (
        "for line in open(job['inputs']):\n"
        "    asset = json.loads(line)\n"
        "    find(asset['target'], key=asset['value'])\n"
    )
    plugin(tmp_path, "gives", gives + OK, produces=["asset:service"])
    plugin(tmp_path, "pairs", reads + OK, batch=2, consumes=["asset:service"])
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "gives", "pairs"))
    assert ran.code == 0, ran.stdout
    found = by_target(ran, "finding", "pairs")
    assert {target: found[target]["key"] for target in FOUR} == {each: f"{each}:22/tcp" for each in FOUR}
    assert len({start["process"] for start in ran.of("start", "pairs")}) == 2


# artifacts


def test_artifacts_lie_with_the_process(tmp_path: Path) -> None:
    body = (
        "open(os.path.join(job['artifacts'], 'all.txt'), 'w').write('x')\n"
        "out(type='artifact', path='all.txt')\n"
        "for value in values: find(value, artifacts=['all.txt'])\n"
    )
    plugin(tmp_path, "multi", body + OK)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    (artifact,) = ran.of("artifact")
    first = ran.of("start")[0]
    assert (artifact["job"], artifact["process"]) == (first["job"], first["process"])
    assert (ran.folder / "artifacts" / artifact["process"] / "all.txt").read_text() == "x"


def test_a_bad_artifact_fails_all(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", "os.symlink('/etc/passwd', os.path.join(job['artifacts'], 'x'))\n" + EACH)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    assert [result["reason"] for result in ran.of("result")] == ["bad_artifact"] * 4


# plan, resume, interruption


def test_plan_shows_who_shares_a_process_and_the_run_does_so(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", EACH, batch=3)
    plugin(tmp_path, "single", OK, batch=1)
    path = profile(tmp_path, "multi", "single", top="max_workers = 1")
    text = zoo_runs.kastrun(tmp_path, "plan", path).stdout
    assert "a process of 3 jobs or fewer" in text
    assert "     2  multi          127.0.0.2  [in the process of 1]\n" in text
    assert text.endswith("\n8 jobs in 6 processes\n")
    planned = json.loads(zoo_runs.kastrun(tmp_path, "plan", "--json", path).stdout)["jobs"]
    ran = zoo_runs.run(tmp_path, path)
    assert [(each["job"], each["process"]) for each in planned] == [
        (start["job"], start.get("process")) for start in ran.of("start")
    ]


def test_a_resume_runs_only_those_that_are_missing(tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    named = f"[] if os.path.exists({str(flag)!r}) else values[2:]"
    body = f"undone = {named}\nfor value in values: find(value)\n"
    body += "out(type='done', status='partial' if undone else 'ok', failed_targets=undone)\n"
    plugin(tmp_path, "multi", body)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi"))
    assert ran.code == 3
    flag.touch()
    done = resume(tmp_path, "--retry-failed")
    assert done.returncode == 0, done.stderr
    again = results(ran.folder)[4:]
    assert [(each["target"], each["status"], each["batch"]) for each in again] == [
        (target, "ok", 2) for target in FOUR[2:]
    ]
    shown = json.loads(zoo_runs.kastrun(tmp_path, "show", "--json", "out").stdout)
    assert shown["findings"] == {"by_severity": {"low": 4}, "incomplete": 0}
    assert shown["coverage"]["ok"] == 4


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_cancels_all_of_a_batch(tmp_path: Path, signals: int) -> None:
    waits = "find(values[0])\nimport time\ntime.sleep(60)\n"
    plugin(tmp_path, "multi", ("import signal\nsignal.signal(15, 1)\n" if signals == 2 else "") + waits)
    going = zoo_runs.Going(tmp_path, profile(tmp_path, "multi"))
    going.wait_for("finding")
    for _ in range(signals):
        going.signal(2)
        going.wait_for_text("stopping")
    ran = going.finish()
    assert ran.code == 130
    assert [result["status"] for result in ran.of("result")] == ["cancelled"] * 4


def test_a_large_batch_is_one_line_and_one_process(tmp_path: Path) -> None:
    plugin(tmp_path, "multi", EACH, batch=10000)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, "multi", targets=["10.0.0.0/22"]))
    assert ran.code == 0
    assert len(ran.of("result")) == 1024
    assert len({start["process"] for start in ran.of("start")}) == 1
