"""The plan: who takes part, what each is given, what is left out and why, and the same ids always."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from profile_rooms import plugin
from zoo_runs import LIMIT_S, environment, kastrun, write_profile

from kastrun.facts import LeftOut
from kastrun.model import Http, Job, Plugin, PluginChoice, Profile, TargetEntry
from kastrun.plan import Selection, Survey, plan, select, survey
from kastrun.scope import Scope
from kastrun.targets import parse

BASE = Profile(
    name="scan",
    mode="passive",
    max_workers=5,
    fail_on="none",
    targets=(),
    targets_from=(),
    exclude=(),
    scope=(),
    plugin_dirs=(),
    job_timeout_s=None,
    run_timeout_s=None,
    plugins=None,
    http=Http(user_agent="x", headers={}),
    document={},
)


def named(*choices: PluginChoice, **changes: Any) -> Profile:
    return replace(BASE, plugins={choice.name: choice for choice in choices}, **changes)


def choice(name: str, **changes: Any) -> PluginChoice:
    return PluginChoice(**{"name": name, "options": {"ports": "443"}, **changes})


def catalogue(*plugins: Plugin) -> dict[str, Plugin]:
    return {each.name: each for each in plugins}


def entries(*targets: str, **own: Any) -> list[TargetEntry]:
    return [TargetEntry(target=parse(text), **own) for text in targets]


def planned(
    selection: Selection, targets: Sequence[TargetEntry], exclude: tuple[str, ...] = ()
) -> tuple[list[Job], list[LeftOut]]:
    scope = Scope.build((entry.target for entry in targets), (), exclude)
    items = list(plan(selection, targets, scope))
    return [i for i in items if isinstance(i, Job)], [i for i in items if isinstance(i, LeftOut)]


def jobs_of(selection: Selection, *targets: str) -> list[tuple[str, str]]:
    return [(job.plugin, job.target.value) for job in planned(selection, entries(*targets))[0]]


HOST = plugin("hosty", targets=("host",))
URL = plugin("urly", targets=("url",))
CIDR = plugin("nety", targets=("cidr", "ip"))


# who takes part


def test_without_a_table_all_that_can_run_takes_part_with_its_defaults() -> None:
    selection = select(BASE, catalogue(plugin("beta"), plugin("alpha")), {})
    assert [each.plugin.name for each in selection.chosen] == ["alpha", "beta"]
    assert selection.chosen[0].options == {"ports": "443"}
    assert selection.left_out == ()


def test_without_a_table_what_cannot_run_is_left_out() -> None:
    needing = plugin("needing", options_schema={**HOST.options_schema, "required": ["depth"]})
    found = catalogue(plugin("act", mode="active"), plugin("gone"), needing, plugin("good"))
    selection = select(BASE, found, {"gone": "no such program"})
    assert [each.plugin.name for each in selection.chosen] == ["good"]
    assert [(out.plugin, out.reason) for out in selection.left_out] == [
        ("act", "mode"),
        ("gone", "requires_missing"),
        ("needing", "options_invalid"),
    ]


@pytest.mark.parametrize(
    ("if_missing", "status"),
    [("fail", "fail"), ("skip", "skipped")],
)
def test_a_named_plugin_without_its_program(if_missing: str, status: str) -> None:
    profile = named(choice("alpha", if_missing=if_missing))
    (chosen,) = select(profile, catalogue(plugin("alpha")), {"alpha": "no nmap"}).chosen
    assert chosen.verdict is not None
    assert (chosen.verdict.status, chosen.verdict.reason) == (status, "requires_missing")
    assert chosen.verdict.message == "no nmap"


@pytest.mark.parametrize(("mode", "skipped"), [("passive", ["act"]), ("active", ["pas"]), ("both", [])])
def test_the_mode_skips_named_plugins_of_the_other(mode: Any, skipped: list[str]) -> None:
    profile = named(choice("act"), choice("pas"), mode=mode)
    chosen = select(profile, catalogue(plugin("act", mode="active"), plugin("pas")), {}).chosen
    assert [each.plugin.name for each in chosen if each.verdict] == skipped


def test_what_is_switched_off_is_left_out() -> None:
    profile = named(choice("alpha", enabled=False))
    selection = select(profile, catalogue(plugin("alpha")), {})
    assert selection.chosen == ()
    assert [out.message for out in selection.left_out] == [
        "switched off in the profile, or by --only or --skip"
    ]


def test_the_priority_of_the_profile_wins_and_names_break_ties() -> None:
    profile = named(choice("late", priority=90), choice("b"), choice("a"), choice("first", priority=0))
    found = catalogue(
        *(plugin(name, priority=10 if name == "late" else 50) for name in profile.plugins or ())
    )
    assert [each.plugin.name for each in select(profile, found, {}).chosen] == ["first", "a", "b", "late"]


@pytest.mark.parametrize(
    ("own", "of_all", "total"),
    [(None, None, 900), (None, 60.0, 60), (None, 5000.0, 900), (1200.0, 60.0, 1200), (10.0, None, 10)],
)
def test_the_timeout(own: float | None, of_all: float | None, total: float) -> None:
    profile = named(choice("alpha", timeout_s=own), job_timeout_s=of_all)
    assert select(profile, catalogue(plugin("alpha")), {}).chosen[0].limits.total_s == total


# what each is given


def test_each_gets_the_target_in_a_kind_that_it_takes() -> None:
    selection = select(BASE, catalogue(HOST, URL), {})
    assert jobs_of(selection, "https://a.example:8443/x", "b.example") == [
        ("hosty", "a.example"),
        ("urly", "https://a.example:8443/x"),
        ("hosty", "b.example"),
        ("urly", "https://b.example/"),
    ]


def test_a_network_is_given_whole_or_address_by_address() -> None:
    selection = select(BASE, catalogue(CIDR, HOST), {})
    assert jobs_of(selection, "203.0.113.0/30") == [
        ("nety", "203.0.113.0/30"),
        *(("hosty", f"203.0.113.{number}") for number in range(4)),
    ]


def test_a_network_of_which_a_part_is_excluded_goes_address_by_address() -> None:
    selection = select(BASE, catalogue(CIDR), {})
    jobs, left_out = planned(selection, entries("203.0.113.0/30"), ("203.0.113.2",))
    assert [job.target.value for job in jobs] == ["203.0.113.0", "203.0.113.1", "203.0.113.3"]
    assert [(out.plugin, out.target, out.reason) for out in left_out] == [("nety", "203.0.113.2", "excluded")]


def test_one_target_twice_is_one_job() -> None:
    selection = select(BASE, catalogue(HOST), {})
    twice = ("a.example", "https://a.example/", "A.EXAMPLE.", "a.example:22")
    assert jobs_of(selection, *twice) == [("hosty", "a.example")]


def test_what_nobody_takes_is_named() -> None:
    jobs, left_out = planned(select(BASE, catalogue(CIDR), {}), entries("a.example"))
    assert jobs == []
    assert [(out.target, out.message) for out in left_out] == [
        ("a.example", "no enabled plugin takes a target of kind host")
    ]


def test_what_is_excluded_is_named_with_its_entry() -> None:
    jobs, left_out = planned(
        select(BASE, catalogue(HOST), {}), entries("a.b.example", "c.example"), ("*.b.example",)
    )
    assert [job.target.value for job in jobs] == ["c.example"]
    assert [(out.target, out.message) for out in left_out] == [("a.b.example", "excluded by *.b.example")]


def test_the_verdict_of_a_plugin_is_that_of_its_jobs() -> None:
    profile = named(choice("hosty"))
    (job,) = planned(select(profile, catalogue(HOST), {"hosty": "no nmap"}), entries("a.example"))[0]
    assert job.verdict is not None
    assert job.verdict.reason == "requires_missing"


# ids


def only_id(profile: Profile, each: Plugin = HOST, target: str = "a.example", **own: Any) -> str:
    (job,) = planned(select(profile, catalogue(each), {}), entries(target, **own))[0]
    return job.id


def test_an_id_says_what_is_done_to_whom_and_nothing_else() -> None:
    base = only_id(named(choice("hosty")))
    assert only_id(named(choice("hosty", priority=1, timeout_s=3.0), max_workers=9, name="other")) == base
    assert only_id(named(choice("hosty")), tags=("x",)) == base
    assert only_id(BASE) == base  # the same options, by default
    others = [
        only_id(named(choice("hosty")), target="b.example"),
        only_id(named(choice("hosty", options={"ports": "80"}))),
        only_id(named(choice("hosty")), plugins={"hosty": {"ports": "80"}}),
        only_id(named(choice("hosty")), replace(HOST, digest="1" * 64)),
        only_id(named(choice("hosty")), replace(HOST, targets=("url",))),
        only_id(named(choice("hosty", options={"token": {"env": "A"}}))),
        only_id(named(choice("hosty", options={"token": {"env": "B"}}))),
        only_id(named(choice("other")), replace(HOST, name="other")),
    ]
    assert len({base, *others}) == 1 + len(others) - 1  # ports 80 for all is ports 80 for this one
    assert others[1] == others[2]


def test_a_secret_takes_part_by_its_reference_only(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = named(choice("hosty", options={"token": {"env": "A"}}))
    monkeypatch.setenv("A", "one")
    first = only_id(profile)
    monkeypatch.setenv("A", "two")
    assert only_id(profile) == first


@given(
    st.lists(st.sampled_from(["a.example", "b.example", "203.0.113.9", "https://a.example/x"]), max_size=12)
)
@settings(max_examples=80)
def test_ids_are_as_many_as_jobs_and_know_no_order(targets: list[str]) -> None:
    selection = select(BASE, catalogue(HOST, URL), {})
    jobs = planned(selection, entries(*targets))[0]
    again = planned(selection, entries(*reversed(targets)))[0]
    assert len({job.id for job in jobs}) == len(jobs)
    assert {job.id for job in jobs} == {job.id for job in again}
    assert [job.order for job in jobs] == list(range(1, len(jobs) + 1))


# counting


def test_a_survey_counts_in_steps_and_keeps_the_first_of_what_is_left_out() -> None:
    targets = entries("203.0.113.0/24", *(f"x{number}.example" for number in range(50)))
    items = plan(select(BASE, catalogue(CIDR), {}), targets, Scope.build((), (), ()))
    counted = Survey()
    steps = 1
    while not survey(items, counted, most=10, keep=7):
        steps += 1
    assert (counted.planned, counted.by_plugin) == (1, {"nety": 1})
    assert (counted.left_out_count, len(counted.left_out), steps) == (50, 7, 6)


# size


MEASURE = """
import resource, runpy, sys
sys.argv = ["kastrun", "plan", "--json", sys.argv[1]]
try:
    runpy.run_module("kastrun", run_name="__main__")
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def peak_mb(home: Path, profile: Path) -> tuple[int, int]:
    """Jobs that `plan` prints, and the most memory that it takes for it."""
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURE, str(profile)],
        cwd=home,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None and process.stderr is not None
        jobs = sum(b'"job":"j' in line for line in process.stdout)
        return jobs, int(process.stderr.read().split()[-1])


def test_a_hundred_thousand_jobs_are_planned_in_the_memory_of_few(tmp_path: Path) -> None:
    """/15 here for the time that it takes; a /12 was measured at base + 21 MB."""
    few, base = peak_mb(tmp_path, write_profile(tmp_path, ["ok-sh"]))
    many, peak = peak_mb(tmp_path, write_profile(tmp_path, ["ok-sh"], targets=["10.0.0.0/15"]))
    assert (few, many) == (1, 2**17)
    assert peak < base + 60


def test_the_first_line_of_a_million_jobs_is_there_at_once(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, ["ok-sh"], targets=["10.0.0.0/12"])
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m kastrun plan --json {profile} | head -99; echo ${{PIPESTATUS[0]}}",
        ],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    *_, last, code = done.stdout.splitlines()
    assert json.loads(last.strip().rstrip(","))["plugin"] == "ok-sh"
    assert (code, done.stderr) == ("0", "")


def test_plan_says_why_not(tmp_path: Path) -> None:
    profile = write_profile(
        tmp_path, ["active", "ok-sh"], top='exclude = ["127.0.0.1"]', targets=["127.0.0.1"]
    )
    said = kastrun(tmp_path, "plan", profile).stdout
    assert "its jobs will be skipped: it is active, and the profile's mode is passive" in said
    assert "127.0.0.1: excluded: excluded by 127.0.0.1" in said
    assert said.endswith("\n0 jobs\n")
