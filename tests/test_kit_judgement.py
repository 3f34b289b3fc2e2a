"""What the kit's verdicts rest on where no counter-example shows it: cycles, second faults, wishes, text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kastrun.errors import UsageError
from kastrun.kit import CHECKS, Report, examine, tell
from kastrun.kit.subject import Wishes, filled, read_wishes
from kastrun.kit.verdict import Result, Verdict, fail, skip, warn
from kastrun.model import TARGET_KINDS

KIT = Path(__file__).parent / "kit"
BY_ID = {check.id: check for check in CHECKS}
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A plugin folder: its script, further lines of [plugin], further tables."""

    def made(script: str, *, name: str = "tried", more: str = "", tables: str = "", wishes: str = "") -> Path:
        folder = tmp_path / name
        (folder / "examples").mkdir(parents=True)
        (folder / "plugin.toml").write_text(
            f'[plugin]\nname = "{name}"\nversion = "1"\nprotocol = 1\nsummary = "tried"\nexec = ["./run"]\n'
            + (more if "targets" in more else f'targets = ["url"]\n{more}')
            + ('\nmode = "active"' if "mode" not in more else "")
            + f"\n{tables}\n"
        )
        (folder / "run").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "run").chmod(0o755)
        (folder / "examples" / "kit.toml").write_text(wishes or "seconds = 5\nat_once = 2\n")
        return folder

    return made


OK = """echo '{"type":"done","status":"ok","message":"fine"}'"""


async def judged(folder: Path, *only: str) -> dict[str, Verdict]:
    report = await examine(folder, only=set(only))
    return {result.check.id: result.verdict for result in report.results}


# --- what is written down -------------------------------------------------------------------


async def test_a_cycle_is_printed_as_the_way_round(make: Make) -> None:
    make(OK, name="bb", more='depends_on = ["cc"]')
    make(OK, name="cc", more='depends_on = ["aa"]')
    folder = make(OK, name="aa", more='depends_on = ["bb"]')
    assert (await judged(folder, "depends-on"))["depends-on"] == fail("a cycle: aa -> bb -> cc -> aa")


@pytest.mark.parametrize("name", ["password", "db_password", "api-key", "apiKey", "client_secret", "Token"])
async def test_names_that_say_secret(make: Make, name: str) -> None:
    folder = make(OK, tables=f'[options.{name}]\ntype = "string"\n')
    assert (await judged(folder, "secret-options"))["secret-options"].outcome == "fail"


@pytest.mark.parametrize("name", ["passive", "tokenizer", "secretary", "compass", "keyword"])
async def test_names_that_only_look_like_it(make: Make, name: str) -> None:
    folder = make(OK, tables=f'[options.{name}]\ntype = "string"\n')
    assert (await judged(folder, "secret-options"))["secret-options"].outcome == "pass"


async def test_a_required_option_must_be_given_to_the_kit(make: Make) -> None:
    tables = '[options.depth]\ntype = "integer"\n'
    folder = make(f"cat >/dev/null\n{OK}", more='required_options = ["depth"]', tables=tables)
    verdict = (await judged(folder, "minimal-job", "secrets"))["minimal-job"]
    assert verdict.outcome == "fail"
    assert "give it in examples/kit.toml or with --option" in verdict.reason
    report = await examine(folder, only={"minimal-job"}, options=lambda _: {"depth": 3})
    assert not report.failed


# --- what is run ----------------------------------------------------------------------------


async def test_an_artifact_that_is_open_at_done(make: Make) -> None:
    line = """echo '{"type":"artifact","path":"a.txt"}'"""
    script = f"cat >/dev/null\nexec 4>artifacts/a.txt\necho half >&4\n{line}\n{OK}\nsleep 0.4"
    verdict = (await judged(make(script), "artifacts"))["artifacts"]
    assert verdict.outcome == "fail"
    assert "a.txt was still open for writing when `done` was said" in verdict.reason


async def test_an_artifact_that_is_no_file(make: Make) -> None:
    verdict = (await judged(make(f"cat >/dev/null\nln -s / artifacts/root\n{OK}"), "artifacts"))["artifacts"]
    assert verdict.outcome == "fail"
    assert "bad_artifact" in verdict.reason


async def test_a_bare_ok_for_a_dead_target_is_a_warning(make: Make) -> None:
    folder = make("""cat >/dev/null\necho '{"type":"done","status":"ok"}'""")
    found = await judged(folder, "refused-target", "silent-target")
    assert {verdict.outcome for verdict in found.values()} == {"warn"}


async def test_a_plugin_that_cannot_be_aimed_is_not_judged_by_servers(make: Make) -> None:
    folder = make(f"cat >/dev/null\n{OK}", more='targets = ["host"]\n')
    found = await judged(folder, "silent-target", "hostile-server", "refused-target")
    assert found["silent-target"].outcome == found["hostile-server"].outcome == "skip"
    assert "{port}" in found["silent-target"].reason
    assert found["refused-target"].outcome == "pass"


@pytest.mark.parametrize("kind", TARGET_KINDS)
async def test_every_kind_of_target_can_be_tested(make: Make, kind: str) -> None:
    report = await examine(make(f"cat >/dev/null\n{OK}", more=f'targets = ["{kind}"]\n'), only=set(BY_ID))
    assert not report.failed, [r.verdict for r in report.results]


async def test_bad_lines_are_blamed_on_the_lines(make: Make) -> None:
    found = await judged(make("cat >/dev/null\necho hello"), "minimal-job", "lines", "secrets")
    assert found["minimal-job"].outcome == "skip"
    assert found["lines"].outcome == "fail"
    assert "'hello'" in found["lines"].reason
    assert found["secrets"] == skip("the minimal job must succeed first")


async def test_a_hostile_plugin_costs_bounded_time_and_leaves_nothing(make: Make, nothing_left: None) -> None:
    script = (
        "trap '' TERM HUP INT PIPE\n(setsid sh -c 'while :; do sleep 1; done' &)\nwhile :; do sleep 1; done"
    )
    folder = make(script, tables="[limits]\ngrace_s = 0.2\n", wishes="seconds = 0.5\n")
    found = await judged(folder)
    assert found["minimal-job"].outcome == "fail"
    assert "total_timeout" in found["minimal-job"].reason


async def test_a_secret_on_a_command_line_is_seen(make: Make) -> None:
    tables = '[options.token]\ntype = "string"\nwriteOnly = true\n'
    script = """token=$(sed 's/.*"token":"\\([^"]*\\)".*/\\1/')\nsh -c 'sleep 0.3' "$token"\n""" + OK
    verdict = (await judged(make(script, tables=tables), "secrets"))["secrets"]
    assert verdict == fail("a secret of the job (an option or a header) was seen on a command line")


async def test_a_recording_that_cannot_be_read(make: Make) -> None:
    folder = make(f"cat >/dev/null\n{OK}")
    (folder / "examples" / "one.job.json").write_text("{")
    verdict = (await judged(folder, "examples"))["examples"]
    assert verdict.outcome == "fail"
    assert "one: the recording cannot be read" in verdict.reason


async def test_the_author_may_say_that_a_check_cannot_apply(make: Make) -> None:
    wishes = 'seconds = 5\n[skip]\nsigterm = "it has no process of its own"\n'
    verdict = (await judged(make(OK, wishes=wishes), "sigterm"))["sigterm"]
    assert verdict == skip("the author says: it has no process of its own")


async def test_a_target_of_the_authors_own(make: Make) -> None:
    script = """case $(cat) in *'"value":"http://localhost:'*'/deep"'*) ;; *) exit 1 ;; esac\n""" + OK
    folder = make(script, wishes='target = "http://localhost:{port}/deep"\n')
    assert (await judged(folder, "minimal-job"))["minimal-job"].outcome == "pass"
    report = await examine(folder, only={"minimal-job"}, target="http://localhost:1/elsewhere")
    assert report.failed


# --- examples/kit.toml ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seconds = ", "kit.toml: "),
        ("secondes = 5", "unknown key `secondes`"),
        ('seconds = "5"', "`seconds` is of the wrong type"),
        ("seconds = true", "`seconds` is of the wrong type"),
        ("seconds = 0", "`seconds` is above 0 and at most 600"),
        ("at_once = 1", "`at_once` from 2 to 1000"),
        ('[skip]\nsigtrem = "x"', "there is no check 'sigtrem'"),
        ('[skip]\nsigterm = " "', "skip.sigterm needs its reason as text"),
    ],
)
def test_a_wrong_kit_toml_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kit.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_wishes(path, list(BY_ID))
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_no_kit_toml_is_the_usual(tmp_path: Path) -> None:
    assert read_wishes(tmp_path / "kit.toml", []) == Wishes()


def test_placeholders_are_filled_at_any_depth() -> None:
    assert filled({"a": ["x{port}", "{port:int}", 3]}, {"port": 80}) == {"a": ["x80", 80, 3]}


# --- reports as text ------------------------------------------------------------------------


def report(*results: tuple[str, Verdict]) -> Report:
    made = tuple(Result(check=BY_ID[name], verdict=verdict) for name, verdict in results)
    return Report(name="tried", folder=Path("/plugins/tried"), results=made)


REPORT = report(
    ("lines", Verdict("pass")),
    ("secrets", fail('seen "there"\x1b[31m')),
    ("examples", warn("none")),
    ("sigterm", skip("ended # early")),
)


def test_tap_is_version_14_and_a_failure_names_rule_and_mend() -> None:
    lines = tell.tap([REPORT]).splitlines()
    assert lines[:3] == ["TAP version 14", "1..4", f"ok 1 - tried: lines: {BY_ID['lines'].title}"]
    assert lines[3].startswith("not ok 2 - tried: secrets: ")
    diagnostic = dict(line.strip().split(": ", 1) for line in lines[5:9])
    assert json.loads(diagnostic["rule"]) == BY_ID["secrets"].rule
    assert json.loads(diagnostic["mend"]) == BY_ID["secrets"].mend
    assert "\x1b" not in json.loads(diagnostic["message"])
    assert lines[-1].endswith(" # SKIP ended \\# early")
    assert '  severity: "warning"' in lines


def test_the_table_counts_and_hides_what_a_terminal_would_obey() -> None:
    text = tell.table(REPORT, colour=False)
    assert text.splitlines()[-1] == "1 pass, 1 fail, 1 warn, 1 skip"
    assert "\x1b" not in text
    assert f"rule: {BY_ID['secrets'].rule}" in text
    assert f"mend: {BY_ID['secrets'].mend}" in text
    assert "\x1b[1;31mfail\x1b[0m" in tell.table(REPORT, colour=True)


def test_json_has_each_check() -> None:
    (plugin,) = tell.as_json([REPORT])
    assert (plugin["plugin"], plugin["failed"]) == ("tried", True)
    assert [check["outcome"] for check in plugin["checks"]] == ["pass", "fail", "warn", "skip"]


def test_checks_are_complete() -> None:
    assert len(BY_ID) == len(CHECKS)
    for check in CHECKS:
        assert check.title and check.rule and check.why.endswith(".") and check.mend.endswith("."), check.id
