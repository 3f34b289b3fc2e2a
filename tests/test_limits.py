"""What may start now: per host, per plugin, in time; pure with a clock of its own, and in whole runs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from test_batches import OK, plugin, profile
from test_ready import ids, job, ordered
from zoo_runs import Ran, kastrun, run, write_profile

from kastrun.model import Job, Rate
from kastrun.profile.rates import rate
from kastrun.ready import Caps, ReadyQueue, Taken
from kastrun.ready.allowance import Allowance


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue_of(jobs: list[Job], **caps: Any) -> tuple[ReadyQueue, Time]:
    time = Time()
    return ReadyQueue(iter(jobs), caps=Caps(**caps), clock=time), time


def all_of(queue: ReadyQueue) -> list[Taken]:
    found = []
    while (taken := queue.take()) is not None:
        found.append(taken)
    return found


@pytest.mark.parametrize(
    ("text", "per_s", "burst"), [("10/s", 10, 10), ("30/m", 0.5, 1), ("600/m", 10, 10), ("7200/h", 2, 2)]
)
def test_a_rate_is_so_many_and_a_seconds_worth_at_once(text: str, per_s: float, burst: int) -> None:
    assert rate(text) == Rate(per_s=per_s, burst=burst)


@pytest.mark.parametrize("text", ["", "10", "0/s", "10/d", "1.5/s", "10 / s", "-1/s"])
def test_what_is_no_rate(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        rate(text)
    tables = f"[limits]\nrate = {json.dumps(text)}\n"
    done = kastrun(tmp_path, "check", write_profile(tmp_path, ["ok-sh"], tables=tables))
    assert done.returncode == 2
    assert 'expected a rate such as "10/s", "30/m" or "100/h"' in done.stderr


# a host


def test_jobs_of_a_busy_host_step_aside_and_hold_nobody_up() -> None:
    jobs = [job(1, host="a"), job(2, host="a", plugin="q"), job(3, host="a"), job(4, host="b")]
    queue, _ = queue_of(jobs, per_host=1)
    first, second = queue.take(), queue.take()
    assert (ids(first), ids(second), ids(queue.take())) == (["j1"], ["j4"], None)
    assert queue.opens() == float("inf")
    assert first is not None
    queue.freed(first)
    assert ids(queue.take()) == ["j2"]
    assert queue.take() is None


def test_a_batch_has_no_more_jobs_of_a_host_than_may_be_at_once() -> None:
    jobs = [job(number, host=f"h{number // 3}", batch=10) for number in range(9)]
    assert ordered(jobs, caps=Caps(per_host=2)) == [["j0", "j3", "j6", "j1", "j4", "j7"], ["j2", "j5", "j8"]]


def test_what_starts_nothing_waits_for_no_limit() -> None:
    caps = Caps(per_host=1, rate=Rate(per_s=1, burst=1))
    queue = ReadyQueue(iter([job(1), job(2, needs=("f",))]), caps=caps, failed={"f": "upstream"})
    assert [ids(taken) for taken in all_of(queue)] == [["j1"], ["j2"]]


# a plugin


def test_a_plugin_has_no_more_processes_than_it_may() -> None:
    jobs = [job(number, host=f"h{number}") for number in range(3)] + [job(9, plugin="q")]
    queue, _ = queue_of(jobs, plugins={"p": 1})
    taken = all_of(queue)
    assert [ids(each) for each in taken] == [["j0"], ["j9"]]
    queue.freed(taken[0])
    assert ids(queue.take()) == ["j1"]


def test_a_plugin_and_a_host_that_are_busy_in_turn_lose_no_job() -> None:
    jobs = [job(n, host=f"h{n % 3}", plugin=f"p{n % 4}") for n in range(120)]
    queue, _ = queue_of(jobs, per_host=1, plugins={"p0": 1, "p1": 1, "p2": 1, "p3": 1})
    done: list[str] = []
    going: list[Taken] = []
    while (taken := queue.take()) is not None or going:
        if taken is not None:
            going.append(taken)
            assert len({each.jobs[0].job.target.host for each in going}) == len(going)
            continue
        ended = going.pop(0)
        done += [each.job.id for each in ended.jobs]
        queue.freed(ended)
    assert sorted(done) == sorted(each.id for each in jobs)


# time


def test_a_rate_lets_a_burst_go_and_then_one_at_a_time() -> None:
    queue, time = queue_of([job(number) for number in range(8)], rate=Rate(per_s=4, burst=3))
    assert len(all_of(queue)) == 3
    for _ in range(4):
        assert queue.opens() == pytest.approx(time.now + 0.25)
        time.now = queue.opens()
        assert len(all_of(queue)) == 1
    time.now += 100
    assert len(all_of(queue)) == 1
    assert queue.opens() == float("inf")


def test_a_batch_is_let_go_as_a_whole_and_paid_for_afterwards() -> None:
    jobs = [job(number, batch=50) for number in range(50)] + [job(99, plugin="q")]
    queue, time = queue_of(jobs, rate=Rate(per_s=10, burst=10))
    assert [len(taken.jobs) for taken in all_of(queue)] == [50]
    assert queue.opens() == pytest.approx(time.now + 5 - 0.9)


def test_a_host_that_had_its_share_waits_alone() -> None:
    jobs = [job(1, host="a"), job(2, host="a"), job(3, host="b"), job(4, host="b")]
    queue, time = queue_of(jobs, per_host_rate=Rate(per_s=0.5, burst=1))
    assert [ids(taken) for taken in all_of(queue)] == [["j1"], ["j3"]]
    assert queue.opens() == time.now + 2
    time.now += 2
    assert [ids(taken) for taken in all_of(queue)] == [["j2"], ["j4"]]


def test_hosts_that_owe_nothing_are_forgotten() -> None:
    time = Time()
    allowance = Allowance(Caps(per_host_rate=Rate(per_s=1000, burst=1)), time)
    for number in range(50_000):
        time.now += 0.01
        allowance.started("p", [f"h{number}"])
        allowance.ended("p", [f"h{number}"])
    assert len(allowance._due_by_host) <= 4097


# whole runs


def most_at_once(tmp_path: Path, own: str = "", **more: Any) -> tuple[Ran, int]:
    counter = tmp_path / "most"
    counter.write_text(f"{0:6} {0:6}")
    table = f"options = {{ file = {json.dumps(str(counter))} }}\n{own}"
    ran = run(tmp_path, write_profile(tmp_path, {"counts-itself": table}, **more))
    assert ran.code == 0
    now, most = map(int, counter.read_text().split())
    assert now == 0
    return ran, most


def test_per_host_holds_in_a_run(tmp_path: Path) -> None:
    plugin(tmp_path, "one", "import time\ntime.sleep(0.1)\n" + OK, batch=1, targets=["url"])
    plugin(tmp_path, "two", "import time\ntime.sleep(0.1)\n" + OK, batch=1, targets=["url"])
    urls = [f"http://127.0.0.{host}/{page}" for host in (1, 2) for page in range(3)]
    tables = "[limits]\nper_host = 1\n"
    ran = run(tmp_path, profile(tmp_path, "one", "two", targets=urls, tables=tables, top="max_workers = 8"))
    assert ran.code == 0
    running: dict[str, str] = {}
    most = 0
    for event in ran.events:
        if event["type"] == "start":
            host = event["targets"][0].split("/")[2]
            assert host not in running.values()
            running[event["job"]] = host
            most = max(most, len(running))
        elif event["type"] == "result":
            del running[event["job"]]
    assert most == 2


def test_max_workers_of_a_plugin_holds_in_a_run(tmp_path: Path) -> None:
    targets = [f"127.0.0.{number}" for number in range(1, 8)]
    _, most = most_at_once(tmp_path, "max_workers = 2", targets=targets, top="max_workers = 6")
    assert most <= 2


def test_a_rate_holds_in_a_run(tmp_path: Path) -> None:
    targets = [f"127.0.0.{number}" for number in range(1, 9)]
    tables = '[limits]\nrate = "5/s"\n'
    ran = run(
        tmp_path, write_profile(tmp_path, ["ok-sh"], targets=targets, tables=tables, top="max_workers = 8")
    )
    at = [datetime.fromisoformat(start["at"]).timestamp() for start in ran.of("start")]
    assert at[-1] - at[0] >= 0.55  # five at once, then three a fifth of a second apart
    for first, sixth in zip(at, at[5:], strict=False):
        assert sixth - first >= 0.18


def test_ctrl_c_ends_a_run_that_waits_for_its_rate(tmp_path: Path) -> None:
    from zoo_runs import Going

    targets = ["127.0.0.1", "127.0.0.2"]
    tables = '[limits]\nrate = "1/h"\n'
    going = Going(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=targets, tables=tables))
    going.wait_for("result")
    going.signal(2)
    ran = going.finish()
    assert (ran.code, len(ran.of("result"))) == (130, 1)


def test_plan_says_what_is_allowed(tmp_path: Path) -> None:
    tables = '[limits]\nper_host = 2\nrate = "10/s"\nper_host_rate = "30/m"\n'
    path = write_profile(tmp_path, {"ok-sh": "max_workers = 3"}, tables=tables)
    text = kastrun(tmp_path, "plan", path).stdout
    assert "at most 2 jobs against one host, 10/s starts, 30/m starts against one host\n" in text
    assert " a job, 3 at once, network" in text
    told = json.loads(kastrun(tmp_path, "plan", "--json", path).stdout)
    assert told["limits"] == {"per_host": 2, "rate": "10/s", "per_host_rate": "30/m"}
    assert told["plugins"][0]["max_workers"] == 3
