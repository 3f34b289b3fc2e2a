"""What good profiles mean."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from profile_rooms import FakeCatalogue, Room, plugin, room

from kastrun import resources
from kastrun.model import Profile, SecretRef
from kastrun.profile import Surroundings, anchored, default_options, dump, editor_schema, parse, seconds

__all__ = ["room"]


def good(loaded: object) -> Profile:
    profile = getattr(loaded, "profile", None)
    assert isinstance(profile, Profile), loaded
    return profile


@pytest.mark.parametrize(
    ("written", "expected"),
    [("15m", 900), ("90s", 90), ("4h", 14400), ("1h30m", 5400), ("1d1s", 86401), (45, 45), (0.5, 0.5)],
)
def test_durations(written: str | float, expected: float) -> None:
    assert seconds(written) == expected


@pytest.mark.parametrize(
    "written", ["", "15", "m", "1.5h", "30m1h", "-1s", "0s", "367d", 0, -1, float("nan"), float("inf")]
)
def test_what_is_no_duration(written: str | float) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(written)


@given(st.integers(1, 10**7))
def test_a_number_of_seconds_is_itself_with_or_without_its_letter(number: int) -> None:
    assert seconds(number) == seconds(f"{number}s".replace("10000000s", "2777h46m40s")) == number


def test_everything_that_a_profile_can_say(room: Room) -> None:
    room.write("ca.pem", "x")
    room.write("key", "x")
    room.write("hosts.txt", "")
    (room.path / "mine").mkdir()
    profile = good(
        room.load("""\
            schema = 1
            name = "shop"
            mode = "both"
            max_workers = 7
            fail_on = "high"
            targets = [
              "https://Shop.example",
              { host = "b.example", tags = ["x"], plugins = { nmap = { options = { depth = 2 } } } },
              "@app",
            ]
            targets_from = ["hosts.txt", "-"]
            exclude = ["*.internal.example"]
            scope = ["cdn.example", "127.0.0.1"]
            plugin_dirs = ["mine"]
            [limits]
            job_timeout = "15m"
            run_timeout = 60
            [plugins.http-headers]
            [plugins.nmap]
            enabled = false
            timeout = "20m"
            priority = 10
            if_missing = "skip"
            options = { token = { file = "key" } }
            [http]
            user_agent = "acme"
            headers = { A = "b", C = { env = "SET" } }
            proxy = "http://127.0.0.1:1"
            ca_file = "ca.pem"
        """)
    )
    at = str(room.path)
    assert (profile.name, profile.mode, profile.max_workers, profile.fail_on) == ("shop", "both", 7, "high")
    assert [entry.target.value for entry in profile.targets] == [
        "https://shop.example/",
        "b.example",
        f"{at}/app",
    ]
    assert profile.targets[1].tags == ("x",)
    assert profile.targets[1].plugins == {"nmap": {"depth": 2}}
    assert profile.targets_from == (f"{at}/hosts.txt", "-")
    assert (profile.exclude, profile.scope) == (("*.internal.example",), ("cdn.example", "127.0.0.1"))
    assert profile.plugin_dirs == (f"{at}/mine",)
    assert (profile.job_timeout_s, profile.run_timeout_s) == (900, 60)
    assert profile.plugins is not None
    nmap = profile.plugins["nmap"]
    assert (nmap.enabled, nmap.timeout_s, nmap.priority, nmap.if_missing) == (False, 1200, 10, "skip")
    assert nmap.options == {"ports": "443", "token": {"file": f"{at}/key"}}
    assert profile.plugins["http-headers"].options == {"ports": "443"}
    assert profile.http.headers == {"A": "b", "C": SecretRef(source="env", name="SET")}
    assert (profile.http.proxy, profile.http.ca_file) == ("http://127.0.0.1:1", f"{at}/ca.pem")
    assert profile.source == f"{at}/scan.toml"


def test_the_least_that_a_profile_can_say(room: Room) -> None:
    profile = good(room.load('targets = ["a.example"]\n'))
    assert (profile.name, profile.mode, profile.max_workers, profile.fail_on) == (
        "scan",
        "passive",
        5,
        "none",
    )
    assert profile.plugins is None
    assert profile.http.user_agent == "kastrun"
    assert (profile.job_timeout_s, profile.run_timeout_s) == (None, None)


def test_a_whole_number_may_be_written_with_a_fraction(room: Room) -> None:
    assert good(room.load('targets = ["a.example"]\nmax_workers = 3.0\n')).max_workers == 3


def test_a_dump_repeats_the_profile(room: Room) -> None:
    room.write("base.toml", '[http.headers]\nA = { env = "SET" }\n[plugins.nmap]\noptions = { depth = 1 }\n')
    room.write("hosts.txt", "")
    first = good(
        room.load(
            'extends = ["base.toml"]\ntargets = ["a.example", "@f"]\ntargets_from = ["hosts.txt"]\n',
            mode="both", only=["nmap"],
        )
    )  # fmt: skip
    text = dump(first)
    assert "extends" not in text
    assert tomllib.loads(text) == first.document
    room.write("elsewhere/profile.toml", text)
    from kastrun import files

    loaded = files.load_profile(
        "elsewhere/profile.toml", find=lambda *_: room.catalogue, environ={"SET": "x"}
    )
    second = good(loaded)
    assert second.document == first.document
    assert (second.targets, second.plugins, second.http) == (first.targets, first.plugins, first.http)


def test_the_settings_workers_stand_where_the_profile_says_nothing() -> None:
    document = {"targets": ["a.example"]}
    assert good_of(parse(document, max_workers=9)).max_workers == 9
    assert good_of(parse({**document, "max_workers": 2}, max_workers=9)).max_workers == 2


def good_of(result: tuple[Profile | None, object]) -> Profile:
    assert result[0] is not None
    return result[0]


def test_a_document_without_positions_still_has_its_problems() -> None:
    profile, problems = parse({"mode": "x"})
    assert profile is None
    assert [(each.path, each.line) for each in problems] == [("mode", None), ("targets", None)]


KEYS = st.sampled_from(sorted(resources.schema("profile")["properties"])) | st.sampled_from(
    [
        "job_timeout",
        "nmap",
        "enabled",
        "timeout",
        "grant",
        "options",
        "token",
        "depth",
        "url",
        "cidr",
        "tags",
        "env",
    ]
)
VALUES = st.recursive(
    st.booleans() | st.integers(-2, 1100) | st.floats() | st.sampled_from(["", "15m", "0s", "both", "a.b"])
    | st.sampled_from(["10.0.0.0/99", "@", "@-", "*.a", "network:full", "nmap", "-"]) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=250)
@given(document=st.dictionaries(KEYS, VALUES, max_size=5))
def test_no_document_is_too_odd_to_be_refused_or_read(document: dict[str, Any]) -> None:
    around = Surroundings(plugins={"nmap": plugin("nmap")}, secret=lambda _: "not set")
    profile, problems = parse(anchored(document, "/at", "/home"), around=around)
    assert (profile is None) == any(problem.level == "error" for problem in problems)
    if profile is not None:
        again, _ = parse(profile.document, around=around)
        assert again is not None
        assert again.document == profile.document


def test_options_of_an_unnamed_plugin() -> None:
    assert default_options(plugin("nmap")) == {"ports": "443"}


def test_the_editor_schema_knows_every_plugins_options() -> None:
    catalogue = FakeCatalogue({"nmap": plugin("nmap")})
    schema = editor_schema(catalogue.plugins)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)

    def fits(options: object) -> bool:
        here = {"plugins": {"nmap": {"options": options}}}
        there = {"targets": [{"host": "a", "plugins": {"nmap": {"options": options}}}]}
        assert validator.is_valid(here) == validator.is_valid(there)
        return validator.is_valid(here)

    assert fits({"depth": 1, "token": {"env": "X"}})
    assert not fits({"depth": 10})
    assert not fits({"deep": 1})
    assert not fits({"token": "hunter2"})
    assert validator.is_valid({"plugins": {"unheard-of": {"options": {"x": 1}}}})


def test_the_editor_schema_keeps_references_of_options() -> None:
    options = {
        "type": "object", "required": ["a"],
        "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "integer"}},
    }  # fmt: skip
    schema = editor_schema({"nmap": plugin("nmap", options_schema=options, secret_options=frozenset())})
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"plugins": {"nmap": {"options": {"a": 1}}}})
    assert not validator.is_valid({"plugins": {"nmap": {"options": {"a": "x"}}}})
    assert not validator.is_valid({"plugins": {"nmap": {"options": {}}}})
