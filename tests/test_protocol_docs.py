"""docs/protocol.md cannot rot: every example is played, every table is the schema's or the code's."""

from __future__ import annotations

import http.server
import json
import re
import stat
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from protocol_page import PAGE, blocks, field_rows, labels, reason_rows

from kastrun import files, resources, targets
from kastrun.inputs import Inputs
from kastrun.launch import Station
from kastrun.model import TARGET_KINDS, Http, Target
from kastrun.protocol import Decoder, fingerprint, jobline
from kastrun.protocol.fingerprint import canonical
from kastrun.protocol.messages import TYPES, Finding
from kastrun.protocol.reasons import FAILURES, SKIPS, WARNINGS

TARGET = "https://a.example/"
REFUSED = ("bad_json", "bad_message", "unknown_message")


def play(text: bytes, *targets: str) -> tuple[Decoder, list[Any]]:
    decoder = Decoder(known_targets=frozenset(targets or {TARGET}), output_bytes=1 << 20)
    items = [*decoder.feed(text, 0.0), *decoder.close(0.0)]
    return decoder, [message for message, _ in items]


def test_every_example_is_marked_as_something_that_is_tested() -> None:
    assert labels() == {
        *("manifest", "job", "target", "inputs", "message", "batch", "fingerprints", "plugin"),
        *("after_done", "truncated_line", *REFUSED),
    }


@pytest.mark.parametrize("example", blocks("message"), ids=lambda text: text[:40])
def test_messages_are_taken_without_a_warning(example: str) -> None:
    decoder, items = play(example.encode())
    assert decoder.breach is None and decoder.warnings == {}
    assert len(items) == example.count("\n") or decoder.done is not None


def test_a_batch_is_answered_by_the_targets_of_its_job() -> None:
    (job,) = (json.loads(text) for text in blocks("job") if len(json.loads(text)["targets"]) > 1)
    (example,) = blocks("batch")
    decoder, _ = play(example.encode(), *(target["value"] for target in job["targets"]))
    assert decoder.breach is None and decoder.done is not None


def test_there_is_an_example_of_each_type() -> None:
    said = {json.loads(line)["type"] for block in blocks("message") for line in block.splitlines()}
    assert said >= set(TYPES) and any(name.startswith("x-") for name in said)
    statuses = {json.loads(block).get("status") for block in blocks("message") if '"done","status"' in block}
    assert statuses == {"ok", "partial", "skipped", "error"}


@pytest.mark.parametrize(
    ("reason", "line"),
    [(reason, line) for reason in REFUSED for block in blocks(reason) for line in block.splitlines()],
)
def test_what_is_refused(reason: str, line: str) -> None:
    decoder, items = play(line.encode() + b"\n")
    assert decoder.breach is not None and decoder.breach.reason == reason
    assert items == []


def test_what_comes_after_done() -> None:
    (example,) = blocks("after_done")
    decoder, items = play(example.encode())
    assert decoder.breach is not None and decoder.breach.reason == "after_done"
    assert [type(item).__name__ for item in items] == ["Asset"]  # what came before is kept


def test_a_line_that_is_cut_off() -> None:
    (example,) = blocks("truncated_line")
    decoder, items = play(example.removesuffix("\n").encode())
    assert decoder.breach is not None and decoder.breach.reason == "truncated_line"
    assert [type(item).__name__ for item in items] == ["Progress"]


@pytest.mark.parametrize("line", blocks("target")[0].splitlines())
def test_targets_are_as_the_page_has_them(line: str) -> None:
    target = json.loads(line)
    text = f"@{target['value']}" if target["kind"] == "file" else target["value"]
    kind = ("domain",) if target["kind"] == "domain" else ()
    assert msgspec.to_builtins(targets.parse(text, *kind)) == target


def test_there_is_an_example_of_each_kind_of_target() -> None:
    said = [json.loads(line)["kind"] for line in blocks("target")[0].splitlines()]
    assert sorted(said) == sorted(TARGET_KINDS)


def test_inputs_are_lines_of_the_journal(tmp_path: Path) -> None:
    (example,) = blocks("inputs")
    jsonschema.Draft202012Validator(resources.schema("journal")).validate({"seq": 1, **json.loads(example)})
    kept = Inputs(str(tmp_path))
    (tmp_path / "work").mkdir()
    kept.keep("j1", [example.strip().encode()])
    kept.write(str(tmp_path / "inputs.jsonl"), ["j1"], ["asset:service"])
    assert (tmp_path / "inputs.jsonl").read_text() == example


def test_the_environment_is_the_one_of_a_job() -> None:
    section = PAGE.split("\n### Surroundings\n")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("|`")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    plugin, _ = files.read_manifest(resources.shipped("plugins") / "http-headers")
    assert plugin is not None
    station = Station(
        plugin=plugin,
        limits=plugin.limits,
        http=Http(user_agent="", headers={}),
        folders=(),
        passed={},
        read_secret=lambda _: "",
    )
    assert told == station.environment("/home").keys()


def test_the_job_line() -> None:
    for example in blocks("job"):
        jsonschema.Draft202012Validator(resources.schema("job")).validate(json.loads(example))
    for member in resources.schema("job")["properties"]:
        assert f"|`{member}`|" in PAGE or member == "type"


def test_the_manifest() -> None:
    (example,) = blocks("manifest")
    jsonschema.Draft202012Validator(resources.schema("plugin")).validate(tomllib.loads(example))


@pytest.mark.parametrize("name", [*TYPES, "location", "error"])
def test_fields_are_the_schemas(name: str) -> None:
    section = PAGE.split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
    assert [row for row in section.splitlines() if row.startswith("|`")] == field_rows(name)


@pytest.mark.parametrize(
    ("heading", "table"),
    [("## Reasons", FAILURES), ("### Reasons of skipped", SKIPS), ("### Warnings", WARNINGS)],
)
def test_reasons_are_the_codes(heading: str, table: dict[str, Any]) -> None:
    section = PAGE.split(f"\n{heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    assert [row for row in section.splitlines() if row.startswith("|`")] == reason_rows(table)


def test_the_lists_are_those_of_the_contract() -> None:
    assert set(FAILURES) == {
        "manifest_invalid", "protocol_unsupported", "options_invalid",
        "requires_missing", "sandbox_unavailable", "spawn_failed",
        "idle_timeout", "total_timeout", "cancelled",
        "exit_nonzero", "signal", "oom",
        "no_done", "after_done", "truncated_line",
        "bad_json", "line_too_long", "unknown_message", "bad_message",
        "too_many_records", "too_much_output", "bad_artifact",
        "plugin_config", "plugin_target", "plugin_transient", "plugin_internal",
        "host_error",
    }  # fmt: skip
    assert set(SKIPS) == {"mode", "out_of_scope", "plugin_skipped", "requires_missing", "upstream_failed"}
    assert set(WARNINGS) == {
        "stdin_unread", "leaked_process", "utf8_replaced", "unknown_field", "dropped_messages",
    }  # fmt: skip


@pytest.mark.parametrize("table", [FAILURES, SKIPS, WARNINGS])
def test_a_reason_is_a_sentence_and_a_hint(table: dict[str, Any]) -> None:
    for what, hint in table.values():
        assert what[-1] == "." and hint[-1] != "."


def test_fingerprints() -> None:
    (example,) = blocks("fingerprints")
    lines = example.splitlines()
    assert len(lines) == 9
    for said, text, mark in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        _, (finding,) = play(said.encode())
        assert isinstance(finding, Finding)
        assert canonical("http-headers", TARGET, [finding]) == [text.encode()]
        assert fingerprint("http-headers", TARGET, finding) == mark


# --- the three plugins ------------------------------------------------------------------


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Powered-By", "Express")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def run(number: int, port: int, folder: Path) -> tuple[Decoder, list[Any]]:
    """The plugin as the page has it, as a program of its own, and what it says."""
    program = folder / "plugin"
    program.write_text(blocks("plugin")[number], encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    value = f"http://127.0.0.1:{port}/"
    line = jobline.encode(
        job_id="j1",
        attempt=1,
        targets=[Target(kind="url", value=value, scheme="http", host="127.0.0.1", port=port, path="/")],
        options={"ports": [port]},
        http={"user_agent": "kastrun", "headers": {}, "proxy": None, "ca_file": None},
        artifacts=str(folder),
        inputs="/dev/null",
        deadline_s=30,
    )
    ran = subprocess.run([program], input=line, capture_output=True, timeout=30, check=True, cwd=folder)
    decoder, items = play(ran.stdout, value)
    assert decoder.breach is None and decoder.done is not None and decoder.done.status == "ok", ran
    return decoder, items


@pytest.mark.needs("bash", "jq", "curl")
def test_the_shell_plugin(port: int, tmp_path: Path) -> None:
    _, items = run(0, port, tmp_path)
    assert [item.rule for item in items] == [
        "missing-strict-transport-security",
        "missing-x-content-type-options",
    ]


def test_the_python_plugin(port: int, tmp_path: Path) -> None:
    decoder, items = run(1, port, tmp_path)
    assert items[-1].value == f"127.0.0.1:{port}/tcp" and decoder.counts.asset == 1


@pytest.mark.needs("node")
def test_the_node_plugin(port: int, tmp_path: Path) -> None:
    _, (finding,) = run(2, port, tmp_path)
    assert (finding.rule, finding.evidence) == ("x-powered-by", "Express")
