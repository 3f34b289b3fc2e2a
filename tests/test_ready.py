"""The queue of what is ready: order, window, who shares a process; pure, with a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.model import Job, Target, Verdict
from kastrun.ready import ReadyQueue, Taken, in_order


def job(number: int, host: str = "h", **keys: Any) -> Job:
    target = Target(kind="url", value=f"http://{host}/{number}", host=host)
    base = {"plugin": "p", "target": target, "declared": "h", "options": {}, "priority": 50, "order": number}
    return Job(id=f"j{number}", **(base | keys))


def ids(taken: Taken | None) -> list[str] | None:
    return None if taken is None else [each.job.id for each in taken.jobs]


def ordered(jobs: Iterable[Job], **more: Any) -> list[list[str]]:
    return [[each.id for each in jobs] for jobs in in_order(iter(jobs), **more)]


def flat(jobs: Iterable[Job], **more: Any) -> list[str]:
    return [each for process in ordered(jobs, **more) for each in process]


def test_the_window_bounds_what_is_held() -> None:
    pulled = 0

    def stream() -> Iterator[Job]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield job(number)

    queue = ReadyQueue(stream(), window=10)
    assert ids(queue.take()) == ["j0"]
    assert pulled == 10


def test_a_job_that_waits_is_passed_over_not_waited_for() -> None:
    queue = ReadyQueue(iter([job(1, awaited=True), job(2, needs=("j1",), priority=0), job(3)]))
    first = queue.take()
    assert first is not None
    assert [ids(first), ids(queue.take()), ids(queue.take())] == [["j1"], ["j3"], None]
    queue.ended(first.jobs[0].job, succeeded=True)
    assert ids(queue.take()) == ["j2"]


# batches


def test_jobs_of_one_plugin_share_a_process_up_to_its_batch() -> None:
    jobs = [job(number, batch=3) for number in range(7)] + [job(7, plugin="q", priority=60)]
    assert ordered(jobs) == [["j0", "j1", "j2"], ["j3", "j4", "j5"], ["j6"], ["j7"]]


def test_a_batch_takes_the_first_in_order_and_leaves_other_plugins_their_place() -> None:
    jobs = [job(1, batch=9), job(2, plugin="q"), job(3, batch=9, priority=50), job(4, plugin="q")]
    assert ordered(jobs) == [["j1", "j3"], ["j2"], ["j4"]]


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"depth": 2}},
        {"attempt": 2},
        {"target": Target(kind="domain", value="http://h/1", host="h")},
    ],
    ids=["options", "attempt", "same value"],
)
def test_what_cannot_share_a_process_has_its_own(other: dict[str, Any]) -> None:
    assert ordered([job(1, batch=5), job(2, batch=5, **other), job(3, batch=5)])[0] == ["j1"]


def test_equal_options_of_two_targets_share_a_process() -> None:
    jobs = [job(number, batch=5, options={"depth": 2}) for number in range(2)]
    assert ordered(jobs) == [["j0", "j1"]]


def test_what_will_not_run_shares_no_process() -> None:
    verdict = Verdict(status="skipped", reason="mode", message="not now")
    jobs = [job(1, batch=5), job(2, batch=5, verdict=verdict), job(3, batch=5)]
    assert ordered(jobs) == [["j1", "j3"], ["j2"]]


def test_a_batch_does_not_wait_for_jobs_that_are_not_ready() -> None:
    queue = ReadyQueue(
        iter([job(1, awaited=True, plugin="q"), job(2, batch=5, needs=("j1",)), job(3, batch=5)])
    )
    assert ids(queue.take()) == ["j1"]
    assert ids(queue.take()) == ["j3"]


def test_whoever_waits_for_one_job_of_a_batch_waits_for_no_other() -> None:
    jobs = [job(1, batch=2, awaited=True), job(2, batch=2, awaited=True)]
    jobs += [job(3, plugin="q", needs=("j1",)), job(4, plugin="q", needs=("j2",))]
    queue = ReadyQueue(iter(jobs))
    both = queue.take()
    assert both is not None
    queue.freed(both)
    queue.ended(both.jobs[0].job, succeeded=True)
    queue.ended(both.jobs[1].job, succeeded=False)
    third, fourth = queue.take(), queue.take()
    assert third is not None and fourth is not None
    assert [(each.jobs[0].job.id, each.jobs[0].doomed_by) for each in (third, fourth)] == [
        ("j3", None),
        ("j4", "p"),
    ]


# order


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 3)), max_size=40))
def test_every_job_comes_once_in_the_same_order_each_time(drawn: list[tuple[int, int, int]]) -> None:
    jobs = [
        job(number, host=f"h{host}", plugin=f"p{batch}", priority=priority, batch=batch)
        for number, (priority, host, batch) in enumerate(drawn)
    ]
    first = ordered(jobs)
    assert ordered(jobs) == first
    assert sorted(flat(jobs)) == sorted(each.id for each in jobs)
    assert [sorted(flat(jobs, window=3))] == [sorted(flat(jobs))]


def test_hosts_take_turns() -> None:
    jobs = [job(number, host="busy") for number in range(4)] + [job(9, host="other"), job(10, host="other")]
    assert flat(jobs) == ["j0", "j9", "j1", "j10", "j2", "j3"]


def test_priority_then_the_longest_then_hosts_in_turn_then_the_plan() -> None:
    jobs = [
        job(1, priority=60, expected_s=99.0),
        job(3, expected_s=5.0),
        job(4, host="i", expected_s=5.0),
        job(5, expected_s=5.0),
        job(6, expected_s=20.0),
        job(7, expected_s=1.0),
    ]
    assert flat(jobs) == ["j6", "j3", "j4", "j5", "j7", "j1"]
