"""One job by hand: everything of it is kept, by the engine's rules, in the surroundings asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from msgspec import structs

from kastrun import files
from kastrun.errors import UsageError
from kastrun.model import Http, Plugin
from kastrun.trial import Chunk, Trial, complete, read_options, target_for, workshop
from kastrun.workspace import Place, clear_place

pytestmark = pytest.mark.usefixtures("nothing_left")

Make = Callable[..., Trial]
DONE = """echo '{"type":"done","status":"ok"}'"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A trial of a shell script; `tables` end its manifest."""

    def made(script: str, tables: str = "") -> Trial:
        plugin = plugin_of(tmp_path, script, tables)
        return Trial(
            plugin=plugin, target=target_for(plugin, "http://127.0.0.1:9/"), options=complete(plugin, {})
        )

    return made


def plugin_of(tmp_path: Path, script: str, tables: str = "") -> Plugin:
    folder = tmp_path / "tried"
    folder.mkdir()
    (folder / "run").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "run").chmod(0o755)
    (folder / "plugin.toml").write_text(
        '[plugin]\nname = "tried"\nversion = "1"\nprotocol = 1\nsummary = "tried"\nexec = ["./run"]\n'
        f'mode = "active"\ntargets = ["url"]\n{tables}\n'
    )
    plugin, problems = files.read_manifest(folder)
    assert plugin is not None, problems
    return plugin


async def test_bytes_come_with_their_times_and_what_was_made_of_them(make: Make) -> None:
    finding = '{"type":"finding","rule":"r","title":"t","severity":"low"}'
    heard: list[Chunk] = []
    with workshop() as shop:
        tried = await shop.run(make(f"echo '{finding}'\nsleep 0.1\necho oops >&2\n{DONE}"), hear=heard.append)
    assert tried.stdout == f'{finding}\n{{"type":"done","status":"ok"}}\n'.encode()
    assert tried.stderr == "oops\n"
    assert tuple(heard) == tried.chunks
    assert tried.chunks[0].at + 0.09 <= tried.chunks[-1].at
    assert [record["rule"] for record in tried.records] == ["r"]
    assert [json.loads(line)["type"] for line in tried.journal] == ["start", "finding", "result"]
    assert (tried.ended.status, tried.exit and tried.exit.code, tried.stopped) == ("ok", 0, False)
    assert json.loads(tried.line)["targets"][0]["value"] == "http://127.0.0.1:9/"


async def test_an_event_ends_it_as_a_user_would(make: Make) -> None:
    stop = trio.Event()
    script = (
        'trap \'echo "{\\"type\\":\\"log\\",\\"level\\":\\"info\\",\\"message\\":\\"bye\\"}"; exit 0\' TERM\n'
    )
    script += "echo up >&2\nwhile :; do sleep 0.05; done"
    with workshop() as shop:
        tried = await shop.run(make(script), stop=stop, hear=lambda _: stop.set())
    assert (tried.ended.reason, tried.stopped) == ("cancelled", True)
    assert [record["message"] for record in tried.records] == ["bye"]


async def test_what_is_left_behind_is_named(make: Make) -> None:
    script = f"(setsid sleep 77 >/dev/null 2>&1 </dev/null &)\nsleep 0.2\n{DONE}"
    with workshop() as shop:
        tried = await shop.run(make(script))
    assert tried.survivors == ("sleep 77",)
    assert "leaked_process" in tried.ended.warnings


async def test_the_surroundings_are_those_of_the_trial(make: Make, tmp_path: Path) -> None:
    script = f'echo "$PWD|$HOME|${{LC_ALL-}}|${{OWN-}}|$(cat)" >&2\n{DONE}'
    other = tmp_path / "other place"
    other.mkdir()
    trial = make(script)
    with workshop() as shop:
        usual = await shop.run(trial)
        changed = await shop.run(
            replace(trial, cwd=str(other), environment={"OWN": "1", "LC_ALL": None}, extra={"x_new": 1})
        )
        bare = await shop.run(replace(trial, bare=True, more_stdin=b"more"))
    assert usual.stderr.startswith(f"{usual.home}|{usual.home}|C.UTF-8||")
    assert changed.stderr.startswith(f"{other}|{changed.home}||1|")
    assert json.loads(changed.stderr.rpartition("|")[2])["x_new"] == 1
    assert bare.stderr.split("|")[1] == ""
    assert bare.stderr.endswith("}\nmore\n")
    assert set(bare.environment) == {"PATH"}


async def test_a_document_is_the_job_line_as_it_stands(make: Make) -> None:
    document = {"targets": [{"kind": "url", "value": "{home}/x"}], "options": {"not": "in the schema"}}
    trial = replace(make(f"cat >&2; cat inputs.jsonl >&2\n{DONE}"), document=document, inputs="one line\n")
    with workshop() as shop:
        tried = await shop.run(trial)
    line, inputs = tried.stderr.splitlines()
    job = json.loads(line)
    assert job.pop("targets")[0]["value"] == f"{tried.home}/x"
    assert job == {
        "options": {"not": "in the schema"},
        "artifacts": f"{tried.home}/artifacts",
        "inputs": f"{tried.home}/inputs.jsonl",
    }
    assert inputs == "one line"


async def test_secrets_are_raw_in_the_chunks_and_nowhere_else(make: Make) -> None:
    trial = make(f"cat >&2\n{DONE}", '[options.token]\ntype = "string"\nwriteOnly = true\n')
    trial = replace(trial, options={"token": "s3cret-value"}, http=Http(user_agent="x", headers={}))
    with workshop() as shop:
        tried = await shop.run(trial)
    assert "s3cret-value" in tried.line.decode()
    assert b"s3cret-value" in b"".join(chunk.data for chunk in tried.chunks)
    assert "s3cret-value" not in tried.stderr


async def test_commands_are_seen_where_they_are_watched(make: Make) -> None:
    trial = replace(make(f"sleep 0.2\n{DONE}"), watch=True)
    with workshop() as shop:
        tried = await shop.run(trial)
    assert "sleep 0.2" in tried.commands


async def test_many_at_once_do_not_end_each_other(make: Make) -> None:
    trial = make(f"(sleep 0.2; exit 0) &\nwait\n{DONE}")
    statuses: list[str] = []
    with workshop() as shop:

        async def one() -> None:
            statuses.append((await shop.run(trial)).ended.status)

        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(one)
    assert statuses == ["ok"] * 12


async def test_others_go_on_while_a_folder_is_removed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    removing, go_on = threading.Event(), threading.Event()

    def held_up(place: Place) -> None:
        removing.set()
        assert go_on.wait(60)
        clear_place(place)

    monkeypatch.setattr("kastrun.engine.worker.clear_place", held_up)
    trial = make(f'[ -z "$LITTER" ] || mkdir litter\n{DONE}')
    with workshop() as shop:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(shop.run, replace(trial, environment={"LITTER": "1"}))
            await trio.to_thread.run_sync(removing.wait, 60)
            assert (await shop.run(trial)).ended.status == "ok"
            go_on.set()


async def test_a_program_that_cannot_be_started_is_a_result(make: Make) -> None:
    trial = make(DONE)
    Path(trial.plugin.folder, "run").write_text("#!/no/such/interpreter\n")
    with workshop() as shop:
        tried = await shop.run(trial)
        Path(trial.plugin.folder, "run").chmod(0o644)
        forbidden = await shop.run(trial)
    assert (tried.ended.reason, tried.exit, tried.chunks) == ("spawn_failed", None, ())
    assert tried.ended.failure and tried.ended.failure.hint.endswith(
        "the interpreter that its first line names?"
    )
    assert forbidden.ended.failure and forbidden.ended.failure.hint.startswith(
        "make it executable: chmod +x /"
    )


async def test_an_abandoned_plugin_ends_or_is_ended(make: Make, tmp_path: Path) -> None:
    trial = make('while :; do echo \'{"type":"progress"}\' || exit 1; sleep 0.02; done')
    with workshop() as shop:
        assert (await shop.abandon(trial, within_s=10)) is not None
        Path(trial.plugin.folder, "run").write_text("#!/bin/sh\ntrap '' PIPE\nsleep 60\n")
        assert await shop.abandon(trial, within_s=0.3) is None


def test_options_are_read_by_their_type(tmp_path: Path) -> None:
    types = {"ports": "string", "deep": "boolean", "names": "array", "more": "object"}
    tables = "".join(f'[options.{name}]\ntype = "{kind}"\n' for name, kind in types.items())
    plugin = plugin_of(tmp_path, DONE, tables)
    given = ["ports=80", "deep=true", "names=['a=b', 1_000]", 'more={ x = "y" }', "since=1979-05-27", "n=nan"]
    assert read_options(plugin, given) == {
        "ports": "80",
        "deep": True,
        "names": ["a=b", 1000],
        "more": {"x": "y"},
        "since": "1979-05-27",  # a job line is JSON: it has no dates
        "n": "nan",
    }
    with pytest.raises(UsageError, match="--option deep is not NAME=VALUE"):
        read_options(plugin, ["deep"])


def test_options_that_do_not_fit_are_all_named(tmp_path: Path) -> None:
    plugin = plugin_of(tmp_path, DONE, '[options.depth]\ntype = "integer"\nmaximum = 3\n')
    with pytest.raises(UsageError, match=r"do not fit tried: .*depth.*"):
        complete(plugin, {"depth": 9})


def test_a_target_is_turned_into_what_the_plugin_takes(tmp_path: Path) -> None:
    plugin = plugin_of(tmp_path, DONE)
    assert target_for(plugin, "localhost").value == "https://localhost/"
    with pytest.raises(UsageError, match="tried takes no target of kind file"):
        target_for(plugin, "@a.txt")
    with pytest.raises(UsageError, match="holds a space") as caught:
        target_for(plugin, "a b")
    assert caught.value.hint


def test_a_file_is_given_by_a_path_that_holds_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = structs.replace(plugin_of(tmp_path, DONE), targets=("file",))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert target_for(plugin, "@dump/a.txt").value == str(tmp_path / "dump" / "a.txt")
    assert target_for(plugin, "@~/a.txt").value == "/home/me/a.txt"
