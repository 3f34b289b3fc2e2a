"""A journal cut or damaged at any byte, resumed: it tells what it would have told unbroken.

The resume is played here without processes, so that there can be thousands: what is not finished
is appended from the whole journal's lines. At some places a real one follows.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import depth
import msgspec
import pytest
import zoo_runs
from resume_runs import events, results_of, shown, told, write_plugins, write_profile

from kastrun import record
from kastrun.facts import RunEnded, RunStarted
from kastrun.jobids import JobIds
from kastrun.journal import Journal
from kastrun.report import run_json
from kastrun.scan.resume import take_back
from kastrun.scan.sinks import Sinks
from kastrun.tally import Tally
from kastrun.terminal.plain import QuietScreen


class Whole:
    """An unbroken run: its lines by job, in the order of the results, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self.data = (folder / "journal.jsonl").read_bytes()
        self.events = events(folder)
        self.told = told(self.events)
        self.lines: dict[str, list[bytes]] = {}
        self.planned = JobIds()
        for line in self.data.splitlines():
            event = json.loads(line)
            if "job" in event:
                event.pop("seq")
                self.lines.setdefault(event["job"], []).append(msgspec.json.encode(event))
                self.planned.add(event["job"])
        first, last = (
            msgspec.json.encode({**event, "seq": None}) for event in (self.events[0], self.events[-1])
        )
        self.begun = msgspec.json.decode(first, type=RunStarted)
        self.over = msgspec.json.decode(last, type=RunEnded)
        self.essence = essence(record.replay(folder / "journal.jsonl").tally, folder / "journal.jsonl")


def essence(tally: Tally, journal: Path) -> object:
    """What `run.json` would say, without what only time and the number of starts change."""
    document = json.loads(
        b"".join(run_json.chunks(tally, record.results(journal, tally), record.exit_of(tally)))
    )
    jobs = sorted((job["job"], job["status"], job["reason"]) for job in document["jobs"])
    kept = ("coverage", "findings", "assets", "artifacts", "warnings", "exit", "status")
    return jobs, {key: document[key] for key in kept}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    home = tmp_path_factory.mktemp("whole")
    write_plugins(home, ["finds", "reads", "hands"])
    profile = write_profile(home, ["finds", "reads", "hands"], hosts=1, workers=2)
    assert zoo_runs.kastrun(home, profile, "-o", "out").returncode == 0
    return Whole(home / "out")


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a journal may be written some thousand times; in memory, if there is such a place."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder, "journal.jsonl")


def resumed(whole: Whole, path: Path) -> record.Earlier:
    """What a resume does to the journal at `path`, and that it then tells the same as an unbroken one."""
    with Journal(path) as journal, open("/dev/null", "w", encoding="utf-8") as nowhere:
        earlier = record.earlier(path, whole.planned)
        screen = QuietScreen(nowhere)
        sinks = Sinks(journal, earlier.tally, screen)
        journal.append([msgspec.json.encode(whole.begun)])
        earlier.tally.apply(whole.begun)
        take_back(earlier, sinks, screen, whole.begun.started_at)
        for job, lines in whole.lines.items():
            if job not in earlier.finished:
                journal.append(lines)
        journal.append([msgspec.json.encode(whole.over)])
    replayed = record.replay(path)
    assert essence(replayed.tally, path) == whole.essence
    assert not replayed.lost
    return earlier


def test_cut_at_every_byte(whole: Whole, path: Path) -> None:
    ends = {place + step for place, byte in enumerate(whole.data) if byte == ord("\n") for step in (0, 1, 2)}
    every = range(0, len(whole.data) + 1, depth.times(1, 5))
    for cut in sorted(ends & set(range(len(whole.data) + 1)) | set(every)):
        path.write_bytes(whole.data[:cut])
        ended = results_of(whole.events[: whole.data.count(b"\n", 0, cut)])
        earlier = resumed(whole, path)
        assert {job for job in whole.lines if job in earlier.finished} == ended.keys(), cut
        assert told([json.loads(line) for line in path.read_bytes().splitlines()]) == whole.told


def test_a_byte_that_is_damaged_anywhere(whole: Whole, path: Path) -> None:
    for place in range(0, len(whole.data) - 1, depth.times(3, 13)):
        path.write_bytes(whole.data[:place] + b"\0" + whole.data[place + 1 :])
        earlier = resumed(whole, path)
        begins = whole.data.rfind(b"\n", 0, place) + 1
        assert [damage.offset for damage in earlier.damage] == [begins]


def regions(size: int) -> Iterator[tuple[int, int]]:
    dice = random.Random(7)
    for _ in range(depth.times(200, 40)):
        begin = dice.randrange(size)
        yield begin, min(size, begin + dice.choice([2, 30, 300, 2000]))


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\n"])
def test_a_region_that_is_damaged_anywhere(whole: Whole, path: Path, filling: bytes) -> None:
    for begin, end in regions(len(whole.data)):
        path.write_bytes(whole.data[:begin] + filling * (end - begin) + whole.data[end:])
        resumed(whole, path)


def test_damage_of_a_resumed_journal_is_mended_by_the_next_resume(whole: Whole, path: Path) -> None:
    path.write_bytes(whole.data[: len(whole.data) // 3])
    resumed(whole, path)
    twice = path.read_bytes()
    for place in range(0, len(twice), depth.times(31, 131)):
        path.write_bytes(twice[:place] + b"\0" + twice[place + 1 :])
        resumed(whole, path)


def test_what_is_lost_is_not_among_the_jobs_that_are_shown(whole: Whole, path: Path) -> None:
    for place in range(0, len(whole.data), depth.times(17, 67)):
        path.write_bytes(whole.data[:place] + b"\0" + whole.data[place + 1 :])
        try:
            replayed = record.replay(path)
        except record.files.JournalError:
            continue  # the one line that says which run it is
        jobs = [result.job for result in record.results(path, replayed.tally, replayed.lost)]
        assert len(jobs) == replayed.tally.ended()
        assert not set(jobs) & set(replayed.lost)


# for real


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `out` is the folder of a whole run, to be copied and hurt."""
    home = tmp_path_factory.mktemp("real")
    write_plugins(home, ["finds", "reads", "hands"])
    profile = write_profile(home, ["finds", "reads", "hands"], hosts=1, workers=1)
    assert zoo_runs.kastrun(home, profile, "-o", "out").returncode == 0
    return home


@pytest.mark.parametrize("hurt", ["start", "finding", "asset", "artifact", "result", "run"])
def test_a_damaged_line_is_named_and_the_jobs_that_it_touches_run_again(
    home: Path, tmp_path: Path, hurt: str
) -> None:
    out = shutil.copytree(home / "out", tmp_path / "out")
    lines = (out / "journal.jsonl").read_bytes().splitlines(keepends=True)
    number = next(place for place, line in enumerate(lines) if f'"type":"{hurt}"'.encode() in line)
    touched = json.loads(lines[number]).get("job")
    lines[number] = lines[number].replace(b'"type"', b"\0type\0")
    (out / "journal.jsonl").write_bytes(b"".join(lines))
    done = zoo_runs.kastrun(tmp_path, "resume", out)
    assert done.returncode == 0, done.stderr
    offset = sum(map(len, lines[:number]))
    assert f"journal, byte {offset}: a line cannot be read; the jobs that this touches" in done.stderr
    data = (out / "journal.jsonl").read_bytes()
    found = [json.loads(line) for line in data.splitlines() if b"\0" not in line]
    again = {job for job, statuses in results_of(found).items() if len(statuses) > 1}
    assert again == (set() if hurt in {"result", "run"} else {touched})
    assert told(found) == told(events(home / "out"))
    assert shown(tmp_path, out) == shown(home, home / "out")


def test_lines_that_are_missing_are_named(home: Path, tmp_path: Path) -> None:
    out = shutil.copytree(home / "out", tmp_path / "out")
    lines = (out / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (out / "journal.jsonl").write_bytes(b"".join([*lines[:2], *lines[4:]]))
    offset = sum(map(len, lines[:2]))
    for verb, said in (
        ("show", f"byte {offset}: lines are missing before it"),
        ("resume", "lines are missing;"),
    ):
        done = zoo_runs.kastrun(tmp_path, verb, out)
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    assert shown(tmp_path, out) == shown(home, home / "out")


def test_a_journal_cut_within_each_line_is_resumed(home: Path, tmp_path: Path) -> None:
    out = shutil.copytree(home / "out", tmp_path / "out")
    whole = (out / "journal.jsonl").read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in [0, *(end - 9 for end in ends)][:: depth.times(1, 5)]:
        (out / "journal.jsonl").write_bytes(whole[:cut])
        done = zoo_runs.kastrun(tmp_path, "resume", out)
        assert done.returncode == 0, done.stderr
        found = events(out)
        assert all(len(statuses) == 1 for statuses in results_of(found).values())
        assert told(found) == told(events(home / "out"))
