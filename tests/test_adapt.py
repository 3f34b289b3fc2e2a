"""Adaptive workers: the controllers settle and do not swing; the run does what they say, and tells it."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest
import zoo_runs
from test_dependencies import plugin

from kastrun import adapt, pressure
from kastrun.adapt import Pauses, Signs, Workers

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIMULATION = runpy.run_path(str(DOCS / "adapting.py"))
machine, fragile, host = (SIMULATION[name] for name in ("machine", "fragile", "host"))


def changes(points: list, after: float) -> int:
    counts = [point.workers for point in points if point.at >= after]
    return sum(one != two for one, two in pairwise(counts))


# settling


@pytest.mark.parametrize("room", [1, 2, 3, 5, 8, 13, 24, 40])
def test_workers_settle_where_the_machine_is_full_and_stay_there(room: int) -> None:
    points = machine(lambda _: float(room))
    last = points[-1]
    assert changes(points, 300) == 0
    assert max(2, room) <= last.workers <= max(2, 2.5 * room)
    assert last.pressure < adapt._PRESSES["cpu"] or last.workers == 2


@pytest.mark.parametrize("later", [4, 8, 12])
def test_they_follow_a_machine_that_takes_less(later: int) -> None:
    points = machine(lambda at: 24.0 if at < 300 else float(later))
    before = next(point.workers for point in points if point.at >= 290)
    assert points[-1].workers < before
    assert later <= points[-1].workers <= 2.5 * later
    assert changes(points, 500) == 0


def test_and_one_that_takes_more_again() -> None:
    points = machine(lambda at: 8.0 if at < 200 else 24.0, seconds=1500)
    assert points[-1].workers >= 24


@pytest.mark.parametrize("limit", [5, 20, 50])
def test_where_jobs_time_out_they_come_back_seldom(limit: int) -> None:
    points = fragile(limit)
    counts = [point.workers for point in points if point.at >= 300]
    over = sum(count > limit for count in counts) / len(counts)
    assert over < 0.05  # one look in twenty, and each costs ten seconds of calm
    assert min(counts) >= int(0.6 * limit)
    cuts = sum(two < one for one, two in pairwise(counts))
    assert cuts <= 1500 / adapt.SLOWLY_S


def test_what_is_not_busy_does_not_grow_and_nothing_leaves_the_bounds() -> None:
    workers = Workers(3, 5)
    assert workers.look(0, Signs(busy=False)) is None
    assert [workers.look(10.0 * step, Signs()) for step in range(4)] == ["room", "room", None, None]
    assert workers.count == 5
    assert workers.look(100, Signs(memory=0.5, cpu=0.9)) == "memory"
    assert workers.count == 3
    assert workers.look(105, Signs(memory=0.5)) is None  # the calm after a cut
    assert workers.look(120, Signs(memory=0.5)) is None
    assert workers.count == 3


@pytest.mark.parametrize("allowed", [0.5, 3.0, 5.0, 20.0])
def test_a_host_that_complains_is_left_alone_about_as_long_as_it_wants(allowed: float) -> None:
    pauses = [pause for _, pause in host(allowed)][50:]
    assert allowed * 0.5 <= max(pauses) <= max(2.0, 2 * allowed)


def test_a_host_that_answers_again_is_as_any_other() -> None:
    pauses = Pauses()
    assert [pauses.complains("a") for _ in range(7)] == [1, 2, 4, 8, 16, 30, None]
    assert pauses.answers("b") is None
    answers = 0
    while pauses.of("a"):
        pauses.answers("a")
        answers += 1
    assert 200 < answers < 300
    assert pauses.answers("a") is None


def test_the_plots_in_the_docs_are_those_of_this_controller() -> None:
    page = (DOCS / "scheduling.md").read_text(encoding="utf-8")
    for name, text in SIMULATION["plots"]().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run: python docs/adapting.py"
        assert f"({name})" in page


# what presses


def test_pressure_is_the_kernels_or_what_is_known_without_it(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  50 kB\n")
    (tmp_path / "loadavg").write_text("8.00 4.00 2.00 1/100 4711\n")
    assert pressure.memory(tmp_path) == pytest.approx(0.5)
    assert pressure.cpu(tmp_path, 2) == pytest.approx(0.75)
    assert pressure.cpu(tmp_path, 8) == 0
    (tmp_path / "pressure").mkdir()
    for what in ("memory", "cpu"):
        (tmp_path / "pressure" / what).write_text("some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n")
    assert (pressure.memory(tmp_path), pressure.cpu(tmp_path, 2)) == (0.125, 0.125)
    assert (pressure.memory(tmp_path / "none"), pressure.cpu(tmp_path / "none")) == (0, 0)
    assert 0 <= pressure.memory() <= 1 and 0 <= pressure.cpu() <= 1


# for real


class Busy(ThreadingHTTPServer):
    """A server that answers 429 to every request that comes too soon after the one before."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.at: list[float] = []


class _Handler(BaseHTTPRequestHandler):
    server: Busy

    def do_GET(self) -> None:
        now = monotonic()
        soon = bool(self.server.at) and now - self.server.at[-1] < 0.9
        self.server.at.append(now)
        self.send_response(429 if soon else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[Busy]:
    with Busy() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.needs("curl")
def test_a_server_that_answers_429_is_asked_less_and_less_often(tmp_path: Path, busy: Busy) -> None:
    body = f"""code=$(curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{busy.server_port}/)
[ "$code" = 429 ] && echo '{{"type":"progress","slow_down":true}}'"""
    for number in range(6):
        plugin(tmp_path / "plugins", f"asks{number}", body)
    names = [f"asks{number}" for number in range(6)]
    profile = zoo_runs.write_profile(
        tmp_path, names, zoo=tmp_path / "plugins", top="max_workers = { min = 2, max = 4 }"
    )
    ran = zoo_runs.run(tmp_path, profile)
    assert ran.code == 0, ran.stdout
    told = [event for event in ran.of("adapt") if event["cause"] == "slow_down"]
    assert told and {event["host"] for event in told} == {"127.0.0.1"}
    assert told[0]["pause_s"] >= 1 and told[0]["workers"] is None
    gaps = [two - one for one, two in pairwise(busy.at)]
    assert min(gaps[-2:]) >= 0.8, gaps  # the first ones came at once
    assert min(gaps[:3]) < 0.8


def test_bounds_that_do_not_fit_are_shown(tmp_path: Path) -> None:
    for given, said in (
        ("{ min = 9, max = 2 }", "min is 9, and max only 2"),
        ("{ min = 2 }", "max"),
        ('"many"', "a whole number from 1 to 1024, or { min = 2, max = 32 }"),
    ):
        done = zoo_runs.kastrun(
            tmp_path, "check", zoo_runs.write_profile(tmp_path, ["ok-sh"], top=f"max_workers = {given}")
        )
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
