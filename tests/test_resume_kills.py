"""A run that is killed with SIGKILL again and again ends as if it never was: nothing lost or doubled."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

import depth
import pytest
import zoo_runs
from resume_runs import artifacts, events, results_of, shown, size, told, write_plugins, write_profile

SEEDS, KILLS = depth.times(8, 2), 13
"""KILLS for each seed: a hundred and four in CI."""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    write_plugins(tmp_path)
    profile = write_profile(tmp_path)
    assert zoo_runs.kastrun(tmp_path, profile, "-o", "unbroken").returncode == 3  # one of its plugins fails
    dice = random.Random(seed)
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        out = tmp_path / f"out{runs}"
        kills += broken_off(tmp_path, profile, out, dice, most=KILLS - kills)
        check_equal(tmp_path, out)
        shutil.rmtree(out)


def broken_off(home: Path, profile: Path, out: Path, dice: random.Random, *, most: int) -> int:
    """Start a run, kill it, resume it, kill it … until it ends by itself; how often it was killed."""
    kills = 0
    while True:
        resume = (out / "profile.toml").exists()
        if (
            not resume
        ):  # it was killed before anybody knew what was planned: nothing is lost by beginning anew
            shutil.rmtree(out, ignore_errors=True)
        arguments = ("resume", out) if resume else (profile, "-o", out)
        process = subprocess.Popen(
            zoo_runs.command(*arguments), cwd=home, env=zoo_runs.environment(home),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        if kills < most:
            wait_for_moment(process, out / "journal.jsonl", dice)
            process.send_signal(signal.SIGKILL)
        _, stderr = process.communicate(timeout=zoo_runs.LIMIT_S)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 3, stderr
            return kills
        kills += 1


def wait_for_moment(process: subprocess.Popen[bytes], journal: Path, dice: random.Random) -> None:
    """Somewhere while it starts, or when it has written some more; or its end."""
    begun = size(journal)
    if dice.random() < 0.2:
        until, grown = time.monotonic() + dice.uniform(0, 0.5), 1 << 30
    else:
        until, grown = time.monotonic() + zoo_runs.LIMIT_S, dice.randrange(1, 20_000)
    while process.poll() is None and size(journal) < begun + grown and time.monotonic() < until:
        time.sleep(0.001)


@cache
def unbroken(home: Path) -> tuple[object, ...]:
    out = home / "unbroken"
    return told(events(out)), shown(home, out), artifacts(out)


def check_equal(home: Path, out: Path) -> None:
    found = events(out)
    assert all(len(statuses) == 1 for statuses in results_of(found).values()), "a finished job ran again"
    assert (told(found), shown(home, out), artifacts(out)) == unbroken(home)
    assert sorted(path.name for path in out.iterdir()) == [
        "artifacts", "journal.jsonl", "profile.toml", "run.json",
    ]  # fmt: skip
