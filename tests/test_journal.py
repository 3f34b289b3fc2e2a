"""The journal: whole lines or none, one writer, and sense out of whatever a crash left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import depth
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_facts import ended, over, start, started
from zoo_runs import journal_schema, largest_file

from kastrun import resources
from kastrun.errors import JournalError, UsageError
from kastrun.facts import JobEnded, RunStarted
from kastrun.journal import Damage, Entry, Journal, read, reader
from kastrun.journal.writer import held
from kastrun.model import SEVERITIES
from kastrun.protocol.reasons import FAILURES, SKIPS, WARNINGS
from kastrun.record import replay

FINDING = {
    "type": "finding",
    "job": "j1",
    "plugin": "nmap",
    "target": "a.example",
    "attempt": 1,
    "at": "2026-11-23T19:05:00.000Z",
    "fingerprint": "k1:00",
    "rule": "r",
    "title": "ein Titel mit ü, 漢 und 🦊",
    "severity": "low",
}
FACTS = [started(2), start("j1"), ended("j1"), start("j2"), ended("j2", "fail", "no_done"), over()]
EVENTS = [
    *map(msgspec.json.encode, FACTS[:2]),
    msgspec.json.encode(FINDING),
    b'{"type":"x-own","data":{}}',
    *map(msgspec.json.encode, FACTS[2:]),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(EVENTS[:3])
        journal.append(EVENTS[3:])
    return path


def test_lines_are_numbered_and_read_back_equal(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 9))
    entries = [item for item in read(path) if isinstance(item, Entry)]
    assert [entry.fact for entry in entries if type(entry.fact) in map(type, FACTS)] == FACTS
    assert [type(entry.fact).__name__ for entry in entries[2:4]] == ["FindingEntry", "NoneType"]
    assert entries[2].document()["title"] == FINDING["title"]


def test_only_its_owner_may_read_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


# cut anywhere


def test_cut_at_every_byte_what_is_whole_is_read(path: Path) -> None:
    data = path.read_bytes()
    ends = [0, *(place + 1 for place, byte in enumerate(data) if byte == ord("\n"))]
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends) - 1
        items = list(read(path))
        assert len([item for item in items if isinstance(item, Entry)]) == whole
        torn = [] if cut in ends else [Damage(ends[whole], torn=True)]
        assert [item for item in items if isinstance(item, Damage)] == torn


def test_cut_at_every_byte_writing_goes_on_with_the_next_number(path: Path) -> None:
    data = path.read_bytes()
    for cut in range(0, len(data), depth.times(1, 7)):
        path.write_bytes(data[:cut])
        with Journal(path) as journal:
            journal.append([b'{"type":"x-more"}'])
        lines = path.read_bytes().splitlines(keepends=True)
        assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
        assert data.startswith(b"".join(lines[:-1]))


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 300_000])
@pytest.mark.parametrize("torn", [0, 1, 65_536, 200_000])
def test_lines_longer_than_a_block_are_cut_and_counted(tmp_path: Path, length: int, torn: int) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append([b'{"a":1}', b'{"a":"%b"}' % (b"x" * length)])
    whole = path.read_bytes()
    path.write_bytes(whole + b"t" * torn)
    with Journal(path) as journal:
        journal.append([b'{"b":1}'])
    assert path.read_bytes() == whole + b'{"seq":3,"b":1}\n'


def test_numbers_go_on_after_a_last_line_that_is_damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0\0\n")
    with Journal(path) as journal:
        journal.append([b'{"a":1}'])
    assert path.read_bytes().endswith(b'\n{"seq":9,"a":1}\n')


@given(st.data())
@settings(max_examples=150)
def test_damage_in_the_middle_costs_the_lines_it_touches(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(EVENTS)
    lines = path.read_bytes().splitlines(keepends=True)
    which = data.draw(st.integers(0, len(lines) - 1))
    garbage = data.draw(st.binary(min_size=1, max_size=40).filter(lambda junk: b"\n" not in junk)) + b"\n"
    path.write_bytes(b"".join([*lines[:which], garbage, *lines[which + 1 :]]))
    items = list(read(path))
    assert [item for item in items if isinstance(item, Damage)] == [
        Damage(sum(map(len, lines[:which])), torn=False)
    ]
    assert len(items) == len(lines)


def test_a_known_type_without_its_members_is_damage(path: Path) -> None:
    path.write_bytes(b'{"seq":1,"type":"result","job":"j1"}\n')
    assert list(read(path)) == [Damage(0, torn=False)]


@pytest.mark.parametrize("block", [1, 7, 300, 1 << 20])
def test_picked_entries_are_those_that_reading_gives(
    path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BLOCK", block)
    lines = path.read_bytes().splitlines(keepends=True)
    says_it = msgspec.json.encode(FINDING | {"title": 'not a "result"'})
    odd = [b'{"seq":4,%b\n' % says_it[1:], b'"result"\n']
    path.write_bytes(b"".join([*lines[:3], *odd, *lines[3:], b'{"type":"result']))
    kinds = (RunStarted, JobEnded)
    expected = [item for item in read(path) if isinstance(item, Entry) and isinstance(item.fact, kinds)]
    assert len(expected) == 3
    assert list(reader.pick(path, *kinds)) == expected
    assert list(reader.pick(path, reader.AssetEntry)) == []


def test_what_is_picked_from_nowhere_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot read the journal .*: No such file or directory"):
        list(reader.pick(tmp_path / "journal.jsonl", JobEnded))


# refusals


@pytest.mark.parametrize("rest", [b"", msgspec.json.encode(started(1))[len('{"type":"run","v":1') : -1]])
def test_a_newer_version_is_refused(path: Path, rest: bytes) -> None:
    path.write_bytes(b'{"seq":1,"type":"run","v":2%b}\n' % rest)
    with pytest.raises(JournalError) as raised:
        list(read(path))
    assert raised.value.message == "this journal has version 2, this kastrun reads version 1"
    assert raised.value.hint == "read it with the kastrun that wrote it, or a newer one"


def test_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot read the journal .*: No such file or directory"):
        list(read(tmp_path / "journal.jsonl"))
    with pytest.raises(JournalError, match=r"cannot open the journal .*: No such file or directory"):
        Journal(tmp_path / "nowhere" / "journal.jsonl")


def test_one_without_a_run_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"seq":1,"ty')
    with pytest.raises(JournalError, match="holds no run") as raised:
        replay(path)
    assert raised.value.hint == (
        "there is no profile.toml beside it either, so it cannot be resumed: start the scan anew"
    )
    (tmp_path / "profile.toml").touch()
    with pytest.raises(JournalError) as raised:
        replay(path)
    assert raised.value.hint == f"it stopped before the run began: `kastrun resume {tmp_path}` begins it"


def test_a_second_writer_is_told_who_holds_it(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kastrun.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        assert held(path)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(UsageError) as raised:
            Journal(path)
        assert raised.value.message == f"the journal {path} is being written by process {holder.pid}"
        assert raised.value.hint == "wait for that run to end, or stop it with Ctrl-C"
        assert len(os.listdir("/proc/self/fd")) == before
        holder.stdin.close()
    assert not held(path)
    with Journal(path) as journal:
        assert held(path)
        journal.close()


# a disk that is full


def one_by_one(journal: Journal) -> None:
    for event in EVENTS:
        journal.append([event])


def test_a_write_that_fails_at_any_byte_leaves_whole_lines(tmp_path: Path) -> None:
    sizes = [len(b'{"seq":1,%b\n' % event[1:]) for event in EVENTS]
    for room in range(1, sum(sizes), 7):
        path = tmp_path / f"{room}.jsonl"
        journal = Journal(path)
        with largest_file(room), pytest.raises(JournalError) as raised:
            one_by_one(journal)
        assert raised.value.message == (
            f"the journal {path} cannot be written: it reached the largest file size allowed (ulimit -f)"
        )
        with pytest.raises(JournalError, match="could not be written earlier on"):
            journal.append(EVENTS)
        journal.close()
        journal.close()
        assert not any(isinstance(item, Damage) for item in read(path))
        assert path.stat().st_size <= room


def test_a_batch_that_fails_is_taken_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(EVENTS[:1])
        with largest_file(path.stat().st_size + 10), pytest.raises(JournalError):
            journal.append(EVENTS[1:])
    assert len(path.read_bytes().splitlines()) == 1


def test_dirty_until_synced(path: Path) -> None:
    with Journal(path) as journal:
        assert not journal.dirty
        journal.append([b'{"a":1}'])
        assert journal.dirty
        journal.sync()
        assert not journal.dirty


# the schema


def test_the_schema_has_the_reasons_and_warnings_of_the_protocol() -> None:
    result = resources.schema("journal")["$defs"]["result"]
    *_, skipped, failed = result["oneOf"]
    assert set(failed["properties"]["reason"]["enum"]) == FAILURES.keys() - {"cancelled"}
    assert set(skipped["properties"]["reason"]["enum"]) == SKIPS.keys()
    assert set(result["properties"]["warnings"]["items"]["enum"]) == WARNINGS.keys()
    assert tuple(resources.schema("journal")["$defs"]["severity"]["enum"]) == SEVERITIES


@pytest.mark.parametrize(
    "event",
    [
        {"type": "run"},
        {"seq": 0, "type": "x-own", "data": {"type": "x-own"}},
        {"seq": 1, "type": "finding"},
        {"seq": 1, "type": "state"},
        {"seq": 1, **msgspec.to_builtins(ended("j" + "0" * 20, "ok", "no_done"))},
        {"seq": 1, **msgspec.to_builtins(ended("j" + "0" * 20, "fail", "no_done"))},
        {"seq": 1, **msgspec.to_builtins(ended("j" + "0" * 20, "skipped", "no_done"))},
    ],
)
def test_the_schema_refuses_what_kastrun_never_writes(event: dict[str, object]) -> None:
    assert not journal_schema().is_valid(event)


def test_a_journal_that_cannot_be_opened_is_held_by_nobody_knows_whom(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"cannot open the journal .*: Is a directory"):
        held(tmp_path)
