"""Plugins that wait for others: order, inputs, upstream failures, cycles; as whole runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zoo_runs

from kastrun.dependencies import cycle, in_order

FINDS = """
for port in 22 80; do
  echo "{\\"type\\":\\"asset\\",\\"kind\\":\\"service\\",\\"value\\":\\"127.0.0.1:$port/tcp\\"}"
done
echo '{"type":"asset","kind":"tech","value":"nginx"}'
"""
COUNTS = """
inputs=$(echo "$job" | jq -r .inputs)
jq -c '{type: "finding", rule: .kind, title: .value, severity: "info", key: .value}' "$inputs"
"""


def plugin(
    folder: Path, name: str, body: str = "", done: str = '{"type":"done","status":"ok"}', **keys: object
) -> None:
    place = folder / name
    place.mkdir(parents=True)
    base = {
        "name": name, "version": "1.0.0", "protocol": 1, "summary": name, "exec": ["./run.sh"],
        "mode": "passive", "targets": ["host", "ip"], "produces": ["finding"],
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in (base | keys).items()]
    (place / "plugin.toml").write_text("[plugin]\n" + "\n".join(lines) + "\n")
    script = place / "run.sh"
    script.write_text(f"#!/bin/sh\njob=$(cat)\n{body}\necho '{done}'\n")
    script.chmod(0o755)


def profile(tmp_path: Path, names: list[str], **more: object) -> Path:
    return zoo_runs.write_profile(tmp_path, names, zoo=tmp_path / "plugins", **more)  # type: ignore[arg-type]


def order(ran: zoo_runs.Ran) -> list[str]:
    return [event["plugin"] for event in ran.of("start")]


@pytest.mark.needs("jq")
@pytest.mark.parametrize("workers", [1, 8])
def test_a_consumer_runs_after_its_producers_and_gets_what_it_asked_for(tmp_path: Path, workers: int) -> None:
    plugin(tmp_path / "plugins", "zz-finder", FINDS, produces=["asset:service", "asset:tech"], priority=90)
    plugin(tmp_path / "plugins", "counter", COUNTS, consumes=["asset:service"], priority=10)
    path = profile(
        tmp_path, ["zz-finder", "counter"], targets=["127.0.0.1", "127.0.0.2"], top=f"max_workers = {workers}"
    )
    ran = zoo_runs.run(tmp_path, path)
    assert ran.code == 0, ran.stderr
    for target in ("127.0.0.1", "127.0.0.2"):
        found = [f["title"] for f in ran.of("finding", "counter") if f["target"] == target]
        assert found == ["127.0.0.1:22/tcp", "127.0.0.1:80/tcp"]
        starts = [event for event in ran.events if event["type"] in {"start", "result"}]
        kinds = [
            (e["type"], e["plugin"]) for e in starts if target in (e.get("targets") or [e.get("target")])
        ]
        assert kinds.index(("result", "zz-finder")) < kinds.index(("start", "counter"))


@pytest.mark.needs("jq")
def test_inputs_are_there_and_empty_where_the_producer_failed(tmp_path: Path) -> None:
    failing = '{"type":"done","status":"error","error":{"kind":"target","message":"no"}}'
    plugin(tmp_path / "plugins", "finder", produces=["asset:service"], done=failing)
    plugin(
        tmp_path / "plugins",
        "counter",
        COUNTS + '\ntest -f "$inputs" || exit 9\n',
        consumes=["asset:service"],
    )
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["finder", "counter"]))
    assert ran.result("counter")["status"] == "ok"
    assert ran.code == 3


@pytest.mark.parametrize(
    "done",
    [
        '{"type":"done","status":"error","error":{"kind":"target","message":"no"}}',
        '{"type":"done","status":"partial"}',
        '{"type":"done","status":"skipped"}',
        "",
    ],
)
def test_who_depends_on_one_that_did_not_succeed_is_skipped_and_so_are_its_own(
    tmp_path: Path, done: str
) -> None:
    plugin(tmp_path / "plugins", "a-first", done=done)
    plugin(tmp_path / "plugins", "b-second", depends_on=["a-first"])
    plugin(tmp_path / "plugins", "c-third", depends_on=["b-second"])
    plugin(tmp_path / "plugins", "d-free")
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["a-first", "b-second", "c-third", "d-free"]))
    for name, upstream in (("b-second", "a-first"), ("c-third", "b-second")):
        result = ran.result(name)
        assert (result["status"], result["reason"]) == ("skipped", "upstream_failed")
        assert result["message"] == f"{upstream} did not succeed on this target"
    assert ran.result("d-free")["status"] == "ok"
    assert ran.code == 3


def test_dependencies_hold_target_by_target(tmp_path: Path) -> None:
    body = 'case "$job" in *127.0.0.2*) exit 4;; esac'
    plugin(tmp_path / "plugins", "first", body)
    plugin(tmp_path / "plugins", "second", depends_on=["first"])
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["first", "second"], targets=["127.0.0.0/30"]))
    status = {result["target"]: result["status"] for result in ran.of("result", "second")}
    assert status == {"127.0.0.0": "ok", "127.0.0.1": "ok", "127.0.0.2": "skipped", "127.0.0.3": "ok"}


def test_a_network_scanned_as_a_whole_is_waited_for_by_each_of_its_addresses(tmp_path: Path) -> None:
    plugin(tmp_path / "plugins", "net", targets=["cidr"], priority=90)
    plugin(tmp_path / "plugins", "each", depends_on=["net"], priority=1)
    ran = zoo_runs.run(tmp_path, profile(tmp_path, ["net", "each"], targets=["127.0.0.0/30"]))
    assert order(ran) == ["net", "each", "each", "each", "each"]
    assert ran.code == 0


def test_a_circle_is_refused_and_printed(tmp_path: Path) -> None:
    plugin(tmp_path / "plugins", "one", depends_on=["two"])
    plugin(tmp_path / "plugins", "two", depends_on=["one"])
    ran = zoo_runs.kastrun(tmp_path, profile(tmp_path, ["one", "two"]))
    assert ran.returncode == 2
    assert "these plugins wait for each other: one → two → one" in ran.stderr
    assert "plugin.toml:10:14" in ran.stderr


def test_what_is_depended_on_must_take_part(tmp_path: Path) -> None:
    plugin(tmp_path / "plugins", "one", depends_on=["two"])
    plugin(tmp_path / "plugins", "two")
    ran = zoo_runs.kastrun(tmp_path, profile(tmp_path, ["one"]))
    assert ran.returncode == 2
    assert "one depends on two, which the profile does not enable" in ran.stderr
    assert "add [plugins.two] to the profile" in ran.stderr


def test_no_circle_no_answer() -> None:
    assert cycle({}) is None
    assert in_order({}) == []
