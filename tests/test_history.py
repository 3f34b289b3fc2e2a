"""The longest first: what earlier runs took is kept beside them, and orders the next one."""

from __future__ import annotations

import json
from pathlib import Path

from profile_rooms import plugin as manifest
from run_facts import ended
from test_batches import EACH, OK, plugin, profile
from test_plan import BASE, catalogue, entries, planned
from zoo_runs import kastrun

from kastrun.history import OUTLIERS, History, Learning
from kastrun.plan import select

SLOW = "import time\ntime.sleep(0.3)\n" + OK


def order(home: Path, path: Path) -> list[tuple[str, str]]:
    jobs = json.loads(kastrun(home, "plan", "--json", path).stdout)["jobs"]
    return [(job["plugin"], job["target"]["value"]) for job in jobs]


def learned(*results: object, before: History = History()) -> History:  # noqa: B008 (a value)
    learning = Learning()
    for result in results:
        learning.take(result)  # type: ignore[arg-type]
    return learning.history(before)


def test_the_second_run_begins_with_what_took_longest_in_the_first(tmp_path: Path) -> None:
    plugin(tmp_path, "a-quick", OK, batch=1)
    plugin(tmp_path, "b-slow", SLOW, batch=1)
    path = profile(tmp_path, "a-quick", "b-slow", targets=("127.0.0.1", "127.0.0.2"), top="max_workers = 1")
    first = [(name, host) for host in ("127.0.0.1", "127.0.0.2") for name in ("a-quick", "b-slow")]
    assert order(tmp_path, path) == first
    assert kastrun(tmp_path, path).returncode == 0
    kept = json.loads((tmp_path / "runs/scan/durations.json").read_text())
    assert kept["plugins"]["b-slow"] > kept["plugins"]["a-quick"] > 0
    second = [(name, host) for name in ("b-slow", "a-quick") for host in ("127.0.0.1", "127.0.0.2")]
    assert order(tmp_path, path) == second
    assert ": priority 50, passive, usually 0." in kastrun(tmp_path, "plan", path).stdout
    assert kastrun(tmp_path, path).returncode == 0
    (newest,) = sorted(each for each in (tmp_path / "runs/scan").glob("2*"))[1:]
    events = [json.loads(line) for line in (newest / "journal.jsonl").read_text().splitlines()]
    assert [(e["plugin"], e["targets"][0]) for e in events if e["type"] == "start"] == second


def test_a_run_elsewhere_leaves_nothing_beside_it(tmp_path: Path) -> None:
    plugin(tmp_path, "quick", EACH)
    assert kastrun(tmp_path, profile(tmp_path, "quick"), "-o", "out").returncode == 0
    assert not (tmp_path / "durations.json").exists() and not (tmp_path / "runs").exists()


def test_a_file_that_cannot_be_read_is_said_and_stops_nothing(tmp_path: Path) -> None:
    plugin(tmp_path, "quick", EACH)
    (tmp_path / "runs/scan").mkdir(parents=True)
    (tmp_path / "runs/scan/durations.json").write_text('{"plugins": {"quick": "long"}}')
    done = kastrun(tmp_path, profile(tmp_path, "quick"))
    assert done.returncode == 0
    assert "warning: runs/scan/durations.json cannot be read: Expected `float`, got `str`" in done.stderr
    assert "hint: remove it: it only helps to order the jobs" in done.stderr
    assert json.loads((tmp_path / "runs/scan/durations.json").read_text())["plugins"]["quick"] > 0


def test_what_is_learned() -> None:
    results = [ended(f"j{number}", took=1) for number in range(9)]
    results += [
        ended("long", took=60),
        ended("f", "fail", "exit_nonzero", took=500),
        ended("t", "fail", "total_timeout", plugin="waf", took=30),
        ended("b", plugin="batched", took=40, process="b1", batch=4),
    ]
    history = learned(*results, before=History(plugins={"nmap": 99, "gone": 3}, jobs={"old": 9}))
    assert history.plugins == {"nmap": 6.9, "gone": 3, "waf": 30, "batched": 10}
    assert history.jobs == {"long": 60}


def test_only_the_longest_jobs_are_remembered_one_by_one() -> None:
    short = [ended(f"s{number}", took=0.001) for number in range(3000)]
    history = learned(*short, *(ended(f"l{number}", took=10 + number) for number in range(1500)))
    assert len(history.jobs) <= OUTLIERS
    assert "l1499" in history.jobs


def test_what_others_wait_for_counts_with_them_and_the_unknown_as_the_longest() -> None:
    found = catalogue(
        manifest("finder", targets=("host",), produces=("asset:service",)),
        manifest("checker", targets=("host",), consumes=("asset:service",)),
        manifest("other", targets=("host",)),
        manifest("new", targets=("host",)),
    )
    usual = {"finder": 1.0, "checker": 20.0, "other": 15.0}
    selection = select(BASE, found, {}, History(plugins=usual))
    expected = {each.plugin.name: each.expected_s for each in selection.chosen}
    assert expected == {"finder": 21.0, "checker": 20.0, "other": 15.0, "new": 20.0}


def test_a_job_that_takes_longer_than_its_plugins_others_goes_first() -> None:
    found = catalogue(manifest("hosty", targets=("host",)))
    targets = entries("a.example", "b.example", "c.example")
    ids = {job.target.value: job.id for job in planned(select(BASE, found, {}), targets)[0]}
    history = History(plugins={"hosty": 2.0}, jobs={ids["c.example"]: 50.0})
    jobs = planned(select(BASE, found, {}, history), targets)[0]
    assert {job.target.value: job.expected_s for job in jobs} == {
        "a.example": 2.0,
        "b.example": 2.0,
        "c.example": 50.0,
    }
    assert {job.id for job in jobs} == set(ids.values())
