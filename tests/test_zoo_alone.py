"""Animals of the zoo that live alone: they need a friend, a slow disk, or a profile of their own."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from pathlib import Path

import offspring
from zoo_runs import ZOO, copy_zoo, kastrun, run, write_profile

from kastrun import files
from kastrun.engine import Batch, Control, Engine
from kastrun.engine.clock import Clock
from kastrun.facts import JobEnded
from kastrun.inputs import Inputs
from kastrun.model import Job
from kastrun.process import Family
from kastrun.targets import parse
from kastrun.trial import Trial
from kastrun.trial.station import station_of


def test_a_daemon_that_wiped_its_environment_dies_with_its_job(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, ["ghost"]))
    assert (ran.code, ran.result("ghost")["warnings"]) == (0, ["leaked_process"])
    assert offspring.living() == {}


def test_a_pipe_that_an_outsider_holds_delays_the_end_by_two_seconds(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{short}/friend")
        door.listen()
        held: list[int] = []

        def befriend() -> None:
            with door.accept()[0] as caller:
                held.extend(socket.recv_fds(caller, 1, 1)[1])
                caller.send(b"!")

        friend = threading.Thread(target=befriend)
        friend.start()
        try:
            options = f"options = {{ friend = {json.dumps(f'{short}/friend')} }}"
            ran = run(tmp_path, write_profile(tmp_path, {"lends-out": options}))
        finally:
            friend.join()
            os.close(held.pop())
    result = ran.result("lends-out")
    assert (result["status"], result["warnings"]) == ("ok", [])
    assert 2 <= result["timings"]["duration_s"] < 10


async def test_what_kastrun_cannot_take_in_time_is_no_silence_of_the_plugin(tmp_path: Path) -> None:
    plugin, _ = files.read_manifest(ZOO / "eager")
    assert plugin is not None
    station = station_of(Trial(plugin=plugin, target=parse("127.0.0.1")))
    job = Job(
        id="j1", plugin="eager", target=parse("127.0.0.1"), declared="", options={}, priority=1, order=1
    )
    batches: list[Batch] = []

    clock = Delayed()

    def slow(batch: Batch) -> None:
        batches.append(batch)
        if len(batches) in {2, 3}:  # a disk that sleeps longer than `idle_s`
            clock.delay += 2 * plugin.limits.idle_s

    (tmp_path / "work").mkdir()
    with Family() as family:
        await Engine(
            jobs=[job],
            stations={"eager": station},
            allowed=always,
            sink=slow,
            folder=str(tmp_path),
            max_workers=1,
            timeout_s=None,
            clock=clock,
            control=Control(),
            family=family,
            inputs=Inputs(str(tmp_path)),
        ).run()
    (ended,) = [fact for batch in batches for fact in batch.facts if isinstance(fact, JobEnded)]
    assert (ended.status, ended.reason, ended.counts.asset) == ("ok", None, 20_000)
    assert len(batches) > 4


class Delayed(Clock):
    """On which time passes while nothing is done."""

    delay = 0.0

    def now(self) -> float:
        return super().now() + self.delay


async def always(job: Job) -> None:
    return None


def test_a_missing_program_may_be_skipped(tmp_path: Path) -> None:
    ran = run(tmp_path, write_profile(tmp_path, {"needy": 'if_missing = "skip"', "ok-sh": ""}))
    result = ran.result("needy")
    assert (result["status"], result["reason"]) == ("skipped", "requires_missing")
    assert (
        result["message"] == "the program no-such-scanner is not installed (apt-get install no-such-package)"
    )
    assert result["failure"] is None
    assert ran.code == 0


def test_without_a_plugins_table_what_cannot_run_is_left_out_and_named(tmp_path: Path) -> None:
    folder = copy_zoo(tmp_path / "zoo", ["needy", "ok-sh", "active", "counts-itself", "looks-around"])
    (folder / "looks-around" / "plugin.toml").write_text(
        (folder / "looks-around" / "plugin.toml").read_text().split("[sandbox]")[0]
    )
    (folder / "ok-sh" / "plugin.toml").write_text("[plugin]\nname = 7\n")
    plan = json.loads(kastrun(tmp_path, "plan", "--json", write_profile(tmp_path, zoo=folder)).stdout)
    why = {out["plugin"]: (out["reason"], out["message"]) for out in plan["left_out"] if out["plugin"]}
    assert why["active"] == ("mode", "it is active, and the profile's mode is passive")
    assert why["needy"][0] == "requires_missing"
    assert why["counts-itself"] == (
        "options_invalid",
        "it needs the option `file`: name it in the profile as [plugins.counts-itself]",
    )
    assert why["ok-sh"][0] == "manifest_invalid"
    assert "looks-around" in {job["plugin"] for job in plan["jobs"]}
