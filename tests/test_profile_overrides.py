"""Flags over a profile, profiles over profiles, and KAST's command line."""

from __future__ import annotations

import pytest
from profile_rooms import Room, room
from test_profile_reading import good

from kastrun import files, problems
from kastrun.profile import from_flags

__all__ = ["room"]

GOOD = 'targets = ["a.example"]\nexclude = ["x.example"]\n'


def test_flags_win(room: Room) -> None:
    profile = good(
        room.load(
            GOOD, mode="both", max_workers="2", fail_on="low", sets=["limits.job_timeout=30s", "name=x"]
        )
    )
    assert (profile.mode, profile.max_workers, profile.fail_on) == ("both", 2, "low")
    assert (profile.job_timeout_s, profile.name) == (30, "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plugins.nmap.options.depth=3", 3),
        ('plugins."nmap".options.depth=3', 3),
        (" plugins.nmap . options.depth = 3", 3),
    ],
)
def test_set_takes_dotted_and_quoted_keys(room: Room, text: str, expected: int) -> None:
    profile = good(room.load(GOOD, sets=[text]))
    assert profile.plugins is not None
    assert profile.plugins["nmap"].options["depth"] == expected


def test_set_reads_toml_where_the_value_is_toml(room: Room) -> None:
    profile = good(
        room.load(GOOD, sets=["targets=['b.example', 'c.example']", "scope=[]", "limits.run_timeout=9.5"])
    )
    assert [entry.target.value for entry in profile.targets] == ["b.example", "c.example"]
    assert profile.run_timeout_s == 9.5


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("limits.job_timeout=soon", "                         ^^^^", "expected a duration"),
        ("limits.job_timeot=5", "             ^^^^^^^^^^", "unknown key"),
        ("mode", "      ^^^^", "not a key and a value"),
        ("a b=1", "      ^^^^^", "not a key"),
        ("=1", "      ^^", "not a key and a value"),
        ("x=1\ny=2", None, "unknown key"),
        ("extends=['a']", "      ^^^^^^^", "`extends` works in files only"),
        ("mode.x=1", "             ^", 'expected "passive", "active" or "both", found a table'),
    ],
)
def test_bad_sets_have_a_caret_under_the_part(room: Room, text: str, caret: str | None, message: str) -> None:
    said = room.said(GOOD, sets=[text])
    assert said.startswith("error: command line\n  |\n  | --set ")
    assert message in said
    if caret is not None:
        assert f"\n  | {caret} " in said


def test_bad_flags(room: Room) -> None:
    loaded = room.load(GOOD, mode="pasive", max_workers="many", fail_on="never", targets=["10.0.0.0/99"])
    assert sorted(each.text or "" for each in loaded.problems) == [
        "--fail-on never", "--max-workers many", "--mode pasive", "--target 10.0.0.0/99",
    ]  # fmt: skip
    assert all(each.file == "command line" and each.line is None for each in loaded.problems)


def test_target_stands_instead_of_the_profiles(room: Room) -> None:
    text = GOOD + 'targets_from = ["nowhere.txt"]\n'
    profile = good(room.load(text, targets=["b.example", "@app"]))
    assert [entry.target.value for entry in profile.targets] == ["b.example", f"{room.path}/app"]
    assert profile.targets_from == ()


def test_exclude_is_added_never_dropped(room: Room) -> None:
    assert good(room.load(GOOD, exclude=["y.example"])).exclude == ("x.example", "y.example")
    said = room.said(GOOD, exclude=["@z"])
    assert "  | --exclude @z\n  |           ^^ `@z` is a file" in said


def test_a_bad_exclude_of_the_file_stays_in_the_file(room: Room) -> None:
    loaded = room.load('targets = ["a.example"]\nexclude = ["@z"]\n', exclude=["y.example"])
    assert [(each.file, each.line) for each in loaded.problems] == [("scan.toml", 2)]


def test_only(room: Room) -> None:
    plugins = good(room.load(GOOD, only=["nmap"])).plugins
    assert plugins is not None
    assert {name: choice.enabled for name, choice in plugins.items()} == {"nmap": True}
    plugins = good(room.load(GOOD + "[plugins.http-headers]\n", only=["nmap"])).plugins
    assert plugins is not None
    assert {name: choice.enabled for name, choice in plugins.items()} == {"http-headers": False, "nmap": True}


def test_only_keeps_what_the_profile_says_of_it(room: Room) -> None:
    plugins = good(room.load(GOOD + "[plugins.nmap]\nenabled = false\npriority = 3\n", only=["nmap"])).plugins
    assert plugins is not None
    assert (plugins["nmap"].enabled, plugins["nmap"].priority) == (True, 3)


def test_skip(room: Room) -> None:
    plugins = good(room.load(GOOD, skip=["nmap"])).plugins
    assert plugins is not None
    assert {name: (each.enabled, each.if_missing) for name, each in plugins.items()} == {
        "http-headers": (True, "skip"), "nmap": (False, "skip"),
    }  # fmt: skip
    plugins = good(room.load(GOOD + "[plugins.http-headers]\n", skip=["nmap"])).plugins
    assert plugins is not None
    assert list(plugins) == ["http-headers"]


@pytest.mark.parametrize("flag", ["only", "skip"])
def test_only_and_skip_know_the_plugins(room: Room, flag: str) -> None:
    said = room.said(GOOD, **{flag: ["nmpa"]})
    assert said == (
        f"error: command line\n  |\n  | --{flag} nmpa\n  |        ^^^^ no such plugin\n"
        "  = hint: did you mean `nmap`?\n          folders searched: /plugins\n"
    )


def test_tag(room: Room) -> None:
    text = 'targets = ["a.example", { host = "b.example", tags = ["api"] }]\n'
    profile = good(room.load(text, tags=["api"]))
    assert [entry.target.value for entry in profile.targets] == ["b.example"]
    assert profile.document["targets"] == [{"host": "b.example", "tags": ["api"]}]
    assert "  | --tag ap\n  |       ^^ no target has this tag\n  = hint: tags here: api\n" in room.said(
        text, tags=["ap"]
    )
    assert "= hint: no target has a tag\n" in room.said(GOOD, tags=["ap"])


def test_extends_merges_tables_and_replaces_lists(room: Room) -> None:
    room.write(
        "a.toml", 'exclude = ["a.example"]\nmode = "both"\n[plugins.nmap]\npriority = 1\ntimeout = "1m"\n'
    )
    room.write(
        "b/b.toml", 'targets_from = ["h.txt"]\n[plugins.nmap]\npriority = 2\n[http]\nuser_agent = "b"\n'
    )
    room.write("b/h.txt", "")
    text = 'extends = ["a.toml", "b/b.toml"]\nexclude = ["c.example"]\n[plugins.nmap]\nif_missing = "skip"\n'
    profile = good(room.load(text))
    assert (profile.mode, profile.exclude, profile.http.user_agent) == ("both", ("c.example",), "b")
    assert profile.targets_from == (f"{room.path}/b/h.txt",)
    assert profile.plugins is not None
    nmap = profile.plugins["nmap"]
    assert (nmap.priority, nmap.timeout_s, nmap.if_missing) == (2, 60, "skip")


def test_problems_are_shown_in_the_file_that_says_it_last(room: Room) -> None:
    room.write("a.toml", "mode = 1\nfail_on = 2\n[plugins.nmap]\npriority = -1\n")
    loaded = room.load(
        'extends = ["a.toml"]\ntargets = ["a.example"]\nmode = 3\n[plugins.nmap]\nifmissing = 1\n'
    )
    assert {(each.path, each.file, each.line) for each in loaded.problems} == {
        ("mode", "scan.toml", 3),
        ("fail_on", "a.toml", 2),
        ("plugins.nmap.priority", "a.toml", 4),
        ("plugins.nmap.ifmissing", "scan.toml", 5),
    }


def test_a_secret_of_one_kind_replaces_the_other(room: Room) -> None:
    room.write("a.toml", '[http.headers]\nA = { file = "nowhere" }\n')
    profile = good(
        room.load('extends = ["a.toml"]\ntargets = ["a.example"]\n[http.headers]\nA = { env = "SET" }\n')
    )
    assert profile.document["http"]["headers"] == {"A": {"env": "SET"}}


def test_the_same_base_twice_is_no_cycle(room: Room) -> None:
    room.write("base.toml", 'fail_on = "low"\n')
    room.write("a.toml", 'extends = ["base.toml"]\n')
    assert good(room.load('extends = ["a.toml", "base.toml"]\ntargets = ["a.example"]\n')).fail_on == "low"


def test_a_flood_of_files_is_refused(room: Room) -> None:
    for number in range(8):
        room.write(f"{number}.toml", f'extends = ["{number + 1}.toml", "{number + 1}.toml"]\n')
    room.write("8.toml", "")
    loaded = room.load('extends = ["0.toml"]\n')
    assert {each.rule for each in loaded.problems} == {"too_many_files"}


@pytest.mark.parametrize("value", ["3", '"base.toml"', "[1]"])
def test_extends_of_the_wrong_type(room: Room, value: str) -> None:
    (problem,) = room.load(f"extends = {value}\n").problems
    assert (problem.rule, problem.line) == ("wrong_type", 1)


def test_kasts_own_command_line(room: Room) -> None:
    merged = from_flags(["a.example"], "active", parallel=True, max_workers="3", run_only=["nmap"])
    profile = good(files.load_profile(merged, find=lambda *_: room.catalogue))
    assert (profile.mode, profile.max_workers, profile.name, profile.source) == ("active", 3, "scan", None)
    assert profile.plugins is not None
    assert list(profile.plugins) == ["nmap"]


def test_without_p_one_job_at_a_time() -> None:
    assert from_flags(["a"], max_workers=3).document == {"schema": 1, "targets": ["a"], "max_workers": 1}
    assert from_flags(["a"], parallel=True).document == {"schema": 1, "targets": ["a"]}


def test_kasts_flags_are_shown_where_they_are_wrong(room: Room) -> None:
    merged = from_flags(["10.0.0.0/99"], "activ", run_only=["nmpa"])
    loaded = files.load_profile(merged, find=lambda *_: room.catalogue)
    said = problems.render(loaded.problems)
    assert "  | -t 10.0.0.0/99\n  |    ^^^^^^^^^^^ " in said
    assert "  | -m activ\n  |    ^^^^^ " in said
    assert "  | --run-only nmpa\n  |            ^^^^ no such plugin" in said
