"""The zoo: each animal gets exactly the status, reason, warnings and diagnostics that it must.

All of them run at once, in one real run; `expect.toml` in each folder says what must come
of it. Whoever adds an animal adds one file, and no test.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import programs
import pytest
from zoo_runs import (
    CONFINED,
    LIMIT_S,
    ZOO,
    Ran,
    build,
    copy_zoo,
    environment,
    finished,
    write_profile,
)

from kastrun.protocol.reasons import FAILURES, SKIPS, WARNINGS

TOKEN = "s3cret-tökèn/value"
ALONE = {"counts-itself", "waits", "holds-on", "slow-probe", "ghost", "second-time", "lends-out", "eager"}
"""Animals that have a test of their own: they wait for a signal, say, or need a friend."""
IN_C = {folder.parent.name for folder in ZOO.glob("*/run.c")}
ANIMALS = sorted(path.parent.name for path in ZOO.glob("*/expect.toml"))
NOT_HERE = {
    "sandbox_unavailable",  # test_sandbox_levels.py
    "oom",  # told by a cgroup only
    "manifest_invalid",  # before any process: test_bad_input.py
    "protocol_unsupported",
    "options_invalid",
    "cancelled",  # test_interrupts.py
    "host_error",  # nothing provokes it; test_outcome.py has its way in
}


def tables(names: list[str]) -> dict[str, str]:
    own = dict.fromkeys(names, "")
    for name in ("tells-all", "tells-badly"):
        own[name] = 'options = { token = { env = "ZOO_TOKEN" } }'
    for name in ("shuts-ears", "half-reads"):  # more than a pipe holds
        own[name] = f'options = {{ words = "{"w" * 200_000}" }}'
    own["looks-around"] = 'grant = ["env:ZOO_PASSED", "env:ZOO_ABSENT"]'
    return own


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module")
def zoo(home: Path) -> Ran:
    """One run of every animal that can live here."""
    compilers = programs.find("gcc") is not None
    names = [name for name in ANIMALS if compilers or name not in IN_C]
    folder = copy_zoo(home / "zoo", names)
    if compilers:
        build(folder)
    profile = write_profile(home, tables(names), zoo=folder, top="max_workers = 8", tables=CONFINED)
    watcher = Path(__file__).with_name("watch_descriptors.py")
    done = subprocess.run(
        [sys.executable, str(watcher), str(home / "descriptors.json"), str(profile), "-v", "-o", "out"],
        cwd=home,
        env=environment(home, ZOO_TOKEN=TOKEN, ZOO_PASSED="through", ZOO_KEPT_OUT="x"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    return finished(home / "out", done.returncode, done.stdout, done.stderr)


def expected(name: str) -> dict[str, Any]:
    return tomllib.loads((ZOO / name / "expect.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ANIMALS)
def test_every_animal_gets_what_it_must(name: str, zoo: Ran, home: Path) -> None:
    if name in IN_C and programs.find("gcc") is None:
        pytest.skip(programs.absent("gcc"))
    result, wanted = zoo.result(name), expected(name)
    counts = {kind: count for kind, count in result["counts"].items() if count}
    assert result["status"] == wanted["status"]
    assert result["reason"] == wanted.get("reason")
    assert result["message"] == wanted.get("message")
    assert result["warnings"] == wanted["warnings"]
    assert "counts" not in wanted or counts == wanted["counts"]
    check_failure(result["failure"], wanted, home / "zoo" / name)


def check_failure(failure: dict[str, Any] | None, wanted: dict[str, Any], folder: Path) -> None:
    if "failure" not in wanted:
        assert failure is None
        return
    assert failure is not None
    told = dict(failure)
    started = tomllib.loads((folder / "plugin.toml").read_text(encoding="utf-8"))["plugin"]["exec"]
    assert told.pop("argv") == [word.replace("./", f"{folder}/") for word in started]
    for key in wanted.get("varies", ()):
        told.pop(key, None)
    usual = {"hint": FAILURES[wanted["reason"]].hint} if "reason" in wanted else {}
    assert told == {
        key: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
        for key, value in (usual | wanted["failure"]).items()
    }


def test_no_reason_and_no_warning_lacks_an_animal() -> None:
    every = [expected(name) for name in ANIMALS]
    failed = {each["reason"] for each in every if each["status"] == "fail"}
    assert failed == FAILURES.keys() - NOT_HERE
    assert {word for each in every for word in each["warnings"]} == WARNINGS.keys()
    skipped = {each["reason"] for each in every if each["status"] == "skipped"}
    assert skipped == SKIPS.keys() - {"out_of_scope", "requires_missing", "upstream_failed"}


def test_kastrun_has_the_descriptors_that_it_began_with(zoo: Ran, home: Path) -> None:
    held = json.loads((home / "descriptors.json").read_text())
    assert held["after"] == held["before"]


def test_the_run_is_incomplete_and_counts_everything(zoo: Ran) -> None:
    assert zoo.code == 3
    assert zoo.summary is not None
    coverage = zoo.summary["coverage"]
    unfinished = [result for result in zoo.of("result") if result["status"] in {"fail", "partial"}]
    assert zoo.summary["findings"]["incomplete"] == sum(each["counts"]["finding"] for each in unfinished)
    assert (
        coverage["planned"] == coverage["ok"] + coverage["partial"] + coverage["failed"] + coverage["skipped"]
    )


# what single rules say of records


def test_bom_crlf_and_blank_lines_cost_nothing(zoo: Ran) -> None:
    assert [finding["rule"] for finding in zoo.of("finding", "crlf-bom")] == ["r1", "r2"]


def test_a_line_of_one_mebibyte_arrives_whole(zoo: Ran) -> None:
    (blob,) = zoo.of("x-blob", "longest-line")
    assert len(blob["data"]["data"]) == 2**20 - len('{"type":"x-blob","data":""}')


def test_unknown_fields_are_kept_apart_and_warned_about_once(zoo: Ran) -> None:
    first, second = zoo.of("finding", "unknown-fields")
    assert first["extra"] == {"severitty": "high", "x_own": [1, 2]}
    assert second["extra"] == {"x_own": True}
    assert first["severity"] == "low"


def test_unknown_fields_within_a_field_are_kept_at_their_place(zoo: Ran) -> None:
    (finding,) = zoo.of("finding", "unknown-inside")
    assert finding["location"] == {"host": "h"}
    assert finding["extra"] == {"location": {"colum": 3, "x_col": 4}}


def test_a_type_of_its_own_is_stored_unread(zoo: Ran) -> None:
    (custom,) = zoo.of("x-timing")
    assert custom["data"] == {"type": "x-timing", "rtt": [1.5, 2], "target": "127.0.0.1"}


def test_what_kastrun_writes_cannot_be_forged(zoo: Ran) -> None:
    real = zoo.result("forger")["job"]
    for event in [*zoo.of("finding", "forger"), *zoo.of("x-forged")]:
        assert (event["job"], event["plugin"], event["attempt"]) == (real, "forger", 1)
        assert not event["at"].startswith("1970")
    (finding,) = zoo.of("finding", "forger")
    assert finding["fingerprint"] != "k1:0"
    assert finding["observed_at"] == "1970-01-01T00:00:00Z"
    assert finding["extra"]["job"] == "jforged"
    assert zoo.of("finding", "innocent") == []


def test_logs_past_ten_a_second_are_dropped_and_counted(zoo: Ran) -> None:
    counts = zoo.result("chatty")["counts"]
    assert counts["log"] + counts["dropped"] == 500
    assert counts["log"] in {10, 20}  # two seconds may have had a part in it
    assert len(zoo.of("log", "chatty")) == counts["log"]


def test_heartbeats_past_ten_a_second_are_dropped_and_counted(zoo: Ran) -> None:
    assert zoo.result("beats-fast")["counts"]["dropped"] in {480, 490}


def test_the_five_warnings_come_with_what_was_said(zoo: Ran) -> None:
    (finding,) = zoo.of("finding", "five-warnings")
    assert (finding["title"], finding["extra"]) == ("caf\ufffd", {"severitty": "high"})


def test_hostile_bytes_become_the_replacement_character(zoo: Ran) -> None:
    titles = {finding["rule"]: finding["title"] for finding in zoo.of("finding", "broken-utf8")}
    assert titles == {"bytes": "a\ufffdb", "surrogate": "a\ufffdb", "nul": "a\ufffdb"}
    (banner,) = zoo.of("x-banner")
    assert banner["data"] == {"type": "x-banner", "caf\ufffd": {"a\ufffdb": "\ufffd\ufffd"}}


def test_head_and_tail_of_stderr_are_kept(zoo: Ran) -> None:
    head, gap, tail = zoo.result("ten-megabytes")["failure"]["stderr"].split("\n")
    assert head == "a" * 8192
    assert gap == f"… {10_000_000 - 65536} bytes left out …"
    assert tail == "c" * 57344


def test_all_that_came_before_a_breach_is_kept(zoo: Ran) -> None:
    rules = [finding["rule"] for finding in zoo.of("finding", "fifty-thousand")]
    assert rules == [f"r{number}" for number in range(1, 50_001)]


def test_nothing_is_taken_after_the_first_breach(zoo: Ran) -> None:
    for name in ("prints", "after-done", "breach-and-crash", "breach-and-heirs", "grumbles"):
        assert [finding["rule"] for finding in zoo.of("finding", name)] == ["r1"]


def test_the_grace_is_used_for_records(zoo: Ran) -> None:
    for name in ("graceful", "last-will"):  # said by its leader, and by what its leader left
        assert [finding["rule"] for finding in zoo.of("finding", name)] == ["r1", "r2"]


def test_a_flood_and_a_grandchild_do_not_hold_up_the_end(zoo: Ran) -> None:
    # 0.4 s of time, 0.2 s of grace, and the pipes end with the processes; the rest is a busy machine.
    assert zoo.result("noisy-hang")["timings"]["duration_s"] < 8


def test_artifacts_are_hashed_and_moved(zoo: Ran) -> None:
    files = {event["path"]: event for event in zoo.of("artifact", "giver")}
    told = files["deep/announced.txt"]
    assert told["sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert (told["size"], told["media_type"], told["title"]) == (5, "text/plain", "A greeting")
    assert files["empty.bin"]["sha256"].startswith("e3b0c44298fc1c14")
    kept = zoo.folder / "artifacts" / told["job"]
    assert (kept / "deep/announced.txt").read_text() == "hello"


def test_artifacts_of_a_job_that_failed_are_kept(zoo: Ran) -> None:
    (event,) = zoo.of("artifact", "gives-and-fails")
    assert (zoo.folder / "artifacts" / event["job"] / "part.txt").read_text() == "hello"


def test_a_file_is_taken_when_nobody_can_write_to_it_any_more(zoo: Ran) -> None:
    (event,) = zoo.of("artifact", "still-writes")
    content = (zoo.folder / "artifacts" / event["job"] / "growing.txt").read_bytes()
    assert (event["size"], event["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


# what a plugin is given


def test_the_environment_is_the_one_of_the_protocol(zoo: Ran) -> None:
    given = given_to(zoo)
    environment = given["environment"]
    home = environment.pop("HOME")
    path = environment.pop("PATH").split(":")
    assert environment == {
        "TMPDIR": home,
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "KASTRUN_PROTOCOL": "1",
        "ZOO_PASSED": "through",
    }
    assert home == given["cwd"]
    assert path[:6] == ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]


def test_the_folder_is_empty_and_stdin_ends_after_one_line(zoo: Ran) -> None:
    given = given_to(zoo)
    assert given["files"] == ["artifacts", "inputs.jsonl"]
    assert (given["rest"], given["inputs"], given["artifacts"]) == ("", "", [])
    assert given["session"] and not given["tty"]
    assert given["fds"] == [0, 1, 2]


def test_the_job_line_has_what_the_protocol_says(zoo: Ran) -> None:
    given = given_to(zoo)
    job, home = given["job"], given["cwd"]
    http = job.pop("http")
    assert job == {
        "type": "job",
        "v": 1,
        "id": zoo.result("looks-around")["job"],
        "attempt": 1,
        "targets": [{"kind": "host", "value": "127.0.0.1", "host": "127.0.0.1"}],
        "options": {"ports": "443"},
        "artifacts": f"{home}/artifacts",
        "inputs": f"{home}/inputs.jsonl",
        "deadline_s": 900,
        "accepts": ["finding", "asset", "progress", "log", "artifact", "done"],
    }
    assert http["headers"] == {} and http["proxy"] is None and http["ca_file"] is None
    assert http["user_agent"].startswith("kastrun")


def given_to(zoo: Ran) -> dict[str, Any]:
    (event,) = zoo.of("x-given")
    given: dict[str, Any] = event["data"]["given"]
    return given


# secrets, terminals


def test_a_secret_is_nowhere(zoo: Ran) -> None:
    for path in zoo.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content and b"s3cret" not in content, path
    assert "s3cret" not in zoo.stdout + zoo.stderr
    (finding,) = zoo.of("finding", "tells-all")
    assert finding["title"] == "token [redacted]"
    assert finding["evidence"] == "[redacted]" * 3
    assert finding["description"] == "clean"
    (asset,) = zoo.of("asset", "tells-all")
    assert asset["attrs"] == {"[redacted]": ["[redacted]", {"deep": "[redacted]"}]}
    assert zoo.result("tells-all")["failure"]["stderr"] == "[redacted]\n"


def test_no_escape_of_a_plugin_reaches_the_terminal(zoo: Ran) -> None:
    (finding,) = zoo.of("finding", "paints")
    assert finding["title"].startswith("\x1b[31m")  # the journal is a witness, not a screen
    shown = zoo.stdout + zoo.stderr
    assert "paints" in shown
    assert [character for character in shown if character < " " and character != "\n"] == []
    assert not any(character in shown for character in "\x7f\x9b\u202e")
