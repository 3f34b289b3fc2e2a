"""Whole runs of zoo plugins as real processes, and what must hold after every one of them.

`run` writes nothing but what it is told to, starts `python -m kastrun`, and checks the
journal, the folder and the process table before it gives anything back.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import offspring

from kastrun import resources

ZOO = Path(__file__).parent / "zoo"
RECORDS = ("finding", "asset", "log", "artifact")
LIMIT_S = 60
_MOST_LINES = 400  # of one type are held against the schema: the next fifty thousand are alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that is over: exit code, both streams, the journal's events (also by type), run.json if any."""

    code: int
    stdout: str
    stderr: str
    folder: Path
    events: list[dict[str, Any]] = field(repr=False)
    kinds: dict[str, list[dict[str, Any]]] = field(repr=False)
    summary: dict[str, Any] | None = field(repr=False)

    def of(self, kind: str, plugin: str | None = None) -> list[dict[str, Any]]:
        """The events of a type, perhaps of one plugin only."""
        return [event for event in self.kinds.get(kind, ()) if plugin in {None, event.get("plugin")}]

    def result(self, plugin: str) -> dict[str, Any]:
        """The one result of a plugin that had one job."""
        (result,) = self.of("result", plugin)
        return result


OPEN = '[sandbox]\nlevel = "off"\n'
"""For most runs, which ask about something else and so are quicker; and for plugins that look outside."""
CONFINED = '[sandbox]\nlevel = "standard"\n'
"""What a profile that does not say gets."""


def write_profile(
    folder: Path,
    plugins: Iterable[str] | Mapping[str, str] = (),
    *,
    targets: Sequence[str] = ("127.0.0.1",),
    zoo: Path = ZOO,
    top: str = "",
    tables: str = "",
) -> Path:
    """`scan.toml` in `folder`: plugins by name, or by name with the lines of their tables.

    Without a sandbox, unless `tables` has one.
    """
    if "[sandbox]" not in tables:
        tables = f"{OPEN}{tables}"
    lines = plugins if isinstance(plugins, Mapping) else dict.fromkeys(plugins, "")
    text = (
        f"schema = 1\ntargets = {json.dumps(list(targets))}\nplugin_dirs = [{json.dumps(str(zoo))}]\n{top}\n"
    )
    text += tables + "\n" + "".join(f"[plugins.{name}]\n{own}\n" for name, own in lines.items())
    path = folder / "scan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def environment(home: Path, **more: str) -> dict[str, str]:
    """What kastrun is started with: nothing of the developer's own settings or terminal."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "dumb"} | more


def command(*arguments: str | Path) -> list[str]:
    """argv of kastrun as a process."""
    return [sys.executable, "-m", "kastrun", *map(str, arguments)]


def kastrun(
    home: Path,
    *arguments: str | Path,
    stdin: str | None = "",
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[str]:
    """Any kastrun command, run in `home` to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=home,
        env=environment(home, **(env or {})),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=LIMIT_S,
        check=False,
        **more,
    )


def run(home: Path, profile: Path, *arguments: str | Path, complete: bool = True, **more: Any) -> Ran:
    """A run of `profile` into `home/out`, held against every invariant."""
    done = kastrun(home, profile, "-o", "out", *arguments, **more)
    return finished(home / "out", done.returncode, done.stdout, done.stderr, complete=complete)


def finished(folder: Path, code: int, stdout: str, stderr: str, *, complete: bool = True) -> Ran:
    """What a run left in `folder`, checked."""
    assert (folder / "journal.jsonl").exists(), f"exit {code}, no journal: {stderr}"
    events = read_journal(folder)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        kinds.setdefault(event["type"], []).append(event)
    summary = folder / "run.json"
    ran = Ran(
        code=code,
        stdout=stdout,
        stderr=stderr,
        folder=folder,
        events=events,
        kinds=kinds,
        summary=json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else None,
    )
    check(ran, complete=complete)
    return ran


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """Every line as an object; there must be no torn one."""
    data = (folder / "journal.jsonl").read_bytes()
    assert data.endswith(b"\n"), data[-200:]
    return [json.loads(line) for line in data.splitlines()]


def check(ran: Ran, *, complete: bool = True) -> None:
    """What holds after every run, whatever the plugins did."""
    check_journal(ran.events, complete=complete, cut_off=ran.code == 5)
    assert not (ran.folder / "work").exists()
    assert (ran.folder.stat().st_mode & 0o777) == 0o700
    assert offspring.living() == {}
    if ran.summary is not None:
        check_summary(ran)
    else:
        assert ran.code == 5
    assert "a bug in kastrun" not in ran.stderr, ran.stderr


def check_journal(events: list[dict[str, Any]], *, complete: bool = True, cut_off: bool = False) -> None:
    """Order, numbers, shapes, and one result for each job; `cut_off`: it could not be written further."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    _check_schema(events)
    first, last = events[0], events[-1]
    assert first["type"] == "run"
    assert [event["type"] for event in events].count("run") == 1
    results = [event for event in events if event["type"] == "result"]
    assert len({result["job"] for result in results}) == len(results), "two results for one job"
    assert _check_lives(events) == set() or cut_off, "started, and without a result"
    if complete:
        assert len(results) == planned(events)
        assert (last["type"], last["status"]) == ("end", "complete")
    if last["type"] == "end":
        counts: dict[str, int] = {}
        for result in results:
            counts[result["status"]] = counts.get(result["status"], 0) + 1
        assert last["counts"] == counts


def _check_schema(events: list[dict[str, Any]]) -> None:
    seen: dict[str, int] = {}
    for event in events:
        seen[event["type"]] = seen.get(event["type"], 0) + 1
        if seen[event["type"]] <= _MOST_LINES:
            problems = [
                f"{error.json_path}: {error.message}" for error in journal_schema().iter_errors(event)
            ]
            assert problems == [], (event, problems)


@cache
def journal_schema() -> jsonschema.Draft202012Validator:
    """The published schema of a journal line."""
    return jsonschema.Draft202012Validator(resources.schema("journal"))


def _check_lives(events: list[dict[str, Any]]) -> set[str]:
    """Records stand between their job's start and its result, and are as many as the result says.

    The jobs that have no result.
    """
    running: dict[str, dict[str, int]] = {}
    for event in events:
        job, kind = event.get("job", ""), event["type"]
        if kind == "start":
            assert job not in running
            running[job] = dict.fromkeys(RECORDS, 0)
        elif kind == "result":
            said = running.pop(job, None)
            if said is not None and event["reason"] != "bad_artifact":
                said["artifact"] = event["counts"]["artifact"]  # announced ones: not all of them exist
                assert {key: event["counts"][key] for key in RECORDS} == said
        elif kind == "retry":
            del running[job]
        elif kind in RECORDS:
            running[job][kind] += 1
        elif kind not in {"run", "accepted", "end", "void", "adapt", "discovered", "passed_over"}:
            assert job in running
    return set(running)


def check_summary(ran: Ran) -> None:
    """run.json tells of every job that has a result, and of the exit code."""
    summary = ran.summary
    assert summary is not None
    results = {event["job"]: event["status"] for event in ran.of("result")}
    assert {job["job"]: job["status"] for job in summary["jobs"]} == results
    assert summary["exit"]["code"] == ran.code
    assert summary["coverage"]["planned"] == planned(ran.events)


def planned(events: list[dict[str, Any]]) -> int:
    """The jobs of the run's last start, with those of what was discovered in it."""
    begun = max(place for place, event in enumerate(events) if event["type"] == "run")
    followed = (len(event["jobs"]) for event in events[begun:] if event["type"] == "discovered")
    return int(events[begun]["planned"]) + sum(followed)


def build(zoo: Path) -> None:
    """Compile the animals that are written in C."""
    for source in zoo.glob("*/run.c"):
        subprocess.run(["gcc", "-O1", "-o", source.with_suffix(""), source], check=True, timeout=LIMIT_S)


def copy_zoo(folder: Path, names: Iterable[str]) -> Path:
    """Some animals in a folder of their own, to be changed or compiled."""
    for name in names:
        shutil.copytree(ZOO / name, folder / name)
    return folder


class Going:
    """A run under way: a real process in a session of its own, to be waited for and signalled.

    Its journal and its stderr are the events that tests wait for; nothing here sleeps for a time.
    """

    def __init__(self, home: Path, *arguments: str | Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = home / "out"
        self._err = home / "stderr.txt"
        with self._err.open("wb") as err, (home / "stdout.txt").open("wb") as out:
            self.process = subprocess.Popen(
                command(*arguments, "-o", "out"),
                cwd=home,
                env=environment(home, **(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def journal(self) -> list[dict[str, Any]]:
        """What is in the journal so far, whole lines only."""
        try:
            data = (self.folder / "journal.jsonl").read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The first `count` events of a type, as soon as they are there."""
        until(
            lambda: (
                len([e for e in self.journal() if e["type"] == kind]) >= count
                or self.process.poll() is not None
            )
        )
        found = [event for event in self.journal() if event["type"] == kind]
        assert len(found) >= count, self._err.read_text()
        return found

    def wait_for_text(self, text: str) -> None:
        """Until `text` was written to stderr."""
        until(lambda: text in self._err.read_text(encoding="utf-8"))

    def signal(self, number: int) -> None:
        """As a terminal or an init system would."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr, once it has ended."""
        code = self.process.wait(LIMIT_S)
        home = self.folder.parent
        return code, (home / "stdout.txt").read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")

    def finish(self, *, complete: bool = False) -> Ran:
        """The same as a checked run."""
        return finished(self.folder, *self.end(), complete=complete)


def until(true: Callable[[], bool]) -> None:
    """Look often, for a bounded time."""
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


def process_of(job: str) -> int:
    """The process id of a job's leader."""
    for pid in offspring.living():
        home = next((each for each in offspring.environment(pid) if each.startswith("HOME=")), "")
        if f"/work/{job}." in home and os.getsid(pid) == pid:
            return pid
    raise AssertionError(f"no process of {job}")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
