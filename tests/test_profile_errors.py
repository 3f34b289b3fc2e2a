"""Every error of a profile, exactly as it is printed."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from profile_rooms import FakeCatalogue, Room, plugin, room

from kastrun import files
from kastrun.model import SandboxAsk

__all__ = ["room"]

GOOD = 'targets = ["a.example"]\n'


def printed(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_bad_toml(room: Room) -> None:
    assert room.said("mode = passive\n") == printed("""
        error: scan.toml:1:8
          |
        1 | mode = passive
          |        ^^^^^^^ `passive` is not a value
          = hint: text needs quotes: "passive"
    """)


def test_a_proxy_out_of_scope(room: Room) -> None:
    proxy = '[http]\nproxy = "http://192.0.2.9:81"\n'
    assert room.said(GOOD + proxy) == printed("""
        error: scan.toml:3:9
          |
        3 | proxy = "http://192.0.2.9:81"
          |         ^^^^^^^^^^^^^^^^^^^^^ the proxy 192.0.2.9:81 is not in the scope: no plugin could reach it
          = hint: add "192.0.2.9:81" to `scope`; the sandbox does not see what goes through it
    """)
    assert room.said('scope = ["192.0.2.0/24"]\n' + GOOD + proxy) == ""
    assert room.said(GOOD + proxy + '[sandbox]\nscope = "audit"\n') == ""
    assert room.said(GOOD + proxy + '[sandbox]\nlevel = "off"\n') == ""
    both = room.said('scope = ["192.0.2.9"]\nexclude = ["192.0.2.9:81"]\n' + GOOD + proxy)
    assert "excluded by `192.0.2.9:81`" in both
    assert "Port out of range" in room.said(GOOD + '[http]\nproxy = "http://a.example:99999"\n')


def test_a_wrong_type(room: Room) -> None:
    assert room.said(GOOD + 'max_workers = "5"\n') == printed("""
        error: scan.toml:2:15
          |
        2 | max_workers = "5"
          |               ^^^ expected a whole number from 1 to 1024, or { min = 2, max = 32 }, found "5"
    """)


def test_an_unknown_key(room: Room) -> None:
    assert room.said("\n" * 12 + GOOD + "max_worker = 5\n") == printed("""
        error: scan.toml:14:1
           |
        14 | max_worker = 5
           | ^^^^^^^^^^ unknown key
           = hint: did you mean `max_workers`?
    """)


def test_an_unknown_enum_value(room: Room) -> None:
    assert room.said(GOOD + 'mode = "pasive"\n') == printed("""
        error: scan.toml:2:8
          |
        2 | mode = "pasive"
          |        ^^^^^^^^ expected "passive", "active" or "both", found "pasive"
          = hint: did you mean `passive`?
    """)


def test_a_number_out_of_range(room: Room) -> None:
    assert room.said(GOOD + "max_workers = 2000\n") == printed("""
        error: scan.toml:2:15
          |
        2 | max_workers = 2000
          |               ^^^^ expected a number from 1 to 1024, found 2000
    """)


def test_a_bad_duration(room: Room) -> None:
    assert room.said(GOOD + 'limits = {job_timeout="", run_timeout="0s"}\n') == printed("""
        error: scan.toml:2:23
          |
        2 | limits = {job_timeout="", run_timeout="0s"}
          |                       ^^ expected a duration such as "15m", "90s" or "1h30m", found ""

        error: scan.toml:2:39
          |
        2 | limits = {job_timeout="", run_timeout="0s"}
          |                                       ^^^^ expected a duration of more than 0 and at most 366 days
    """)


def test_an_unknown_plugin(room: Room) -> None:
    assert room.said(GOOD + "[plugins.http-headrs]\n") == printed("""
        error: scan.toml:2:10
          |
        2 | [plugins.http-headrs]
          |          ^^^^^^^^^^^ no such plugin
          = hint: did you mean `http-headers`?
                  folders searched: /plugins
    """)


def test_a_plugin_whose_manifest_is_broken_brings_its_problems(room: Room) -> None:
    room.write("plugins/odd/plugin.toml", "[plugin]\nname = 3\n")
    _, problems = files.read_manifest(room.path / "plugins" / "odd")
    room.catalogue = FakeCatalogue({}, {"odd": problems})
    said = room.said(GOOD + "[plugins.odd]\n")
    assert "^^^ the manifest of `odd` is broken\n  = hint: what is wrong with it is listed too\n" in said
    assert "plugin.toml:2:8\n" in said
    said = room.said(GOOD, only=["odd"])
    assert "^^^ the manifest of `odd` is broken\n" in said
    assert "plugin.toml:2:8\n" in said


def test_an_unknown_option(room: Room) -> None:
    assert room.said(GOOD + "[plugins.nmap.options]\nport = 1\n") == printed("""
        error: scan.toml:3:1
          |
        3 | port = 1
          | ^^^^ unknown option of `nmap`
          = hint: did you mean `ports`?
    """)


def test_an_option_of_a_plugin_that_takes_none(room: Room) -> None:
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    room.catalogue = FakeCatalogue({"nmap": plugin("nmap", options_schema=empty, secret_options=frozenset())})
    assert "= hint: `nmap` takes no options" in room.said(GOOD + "[plugins.nmap.options]\nport = 1\n")


def test_an_option_of_the_wrong_type(room: Room) -> None:
    assert room.said(GOOD + "[plugins.nmap]\noptions = { depth = 10, ports = 80 }\n") == printed("""
        error: scan.toml:3:21
          |
        3 | options = { depth = 10, ports = 80 }
          |                     ^^ expected a number from 1 to 9, found 10

        error: scan.toml:3:33
          |
        3 | options = { depth = 10, ports = 80 }
          |                                 ^^ expected text in quotes, found 80
    """)


def test_a_reference_for_an_option_that_is_no_secret(room: Room) -> None:
    said = room.said(GOOD + '[plugins.nmap.options]\nports = { env = "SET" }\n')
    assert "expected text in quotes, found a table\n" in said
    assert "= hint: only options that the plugin declares secret (writeOnly) take a reference\n" in said


def test_a_required_option(room: Room) -> None:
    room.catalogue = required_depth()
    assert room.said(GOOD + "[plugins.nmap]\n") == printed("""
        error: scan.toml:2:10
          |
        2 | [plugins.nmap]
          |          ^^^^ `depth` is a required option of `nmap`
    """)


def required_depth() -> FakeCatalogue:
    schema = {**plugin("nmap").options_schema, "required": ["depth"]}
    return FakeCatalogue({"nmap": plugin("nmap", options_schema=schema)})


def test_a_required_option_that_every_target_gives(room: Room) -> None:
    room.catalogue = required_depth()
    entry = '{ host = "%s.example", plugins = { nmap = { options = { depth = 1 } } } }'
    assert room.said(f"targets = [{entry % 'a'}, {entry % 'b'}]\n[plugins.nmap]\n") == ""
    assert "`depth` is a required" in room.said(f'targets = [{entry % "a"}, "b.example"]\n[plugins.nmap]\n')


def test_a_switched_off_plugin_may_lack_options_and_secrets(room: Room) -> None:
    room.catalogue = required_depth()
    table = '[plugins.nmap]\nenabled = false\noptions = { token = { env = "UNSET" } }\n'
    assert room.said(GOOD + table) == ""


def test_a_target_that_cannot_be_read(room: Room) -> None:
    assert room.said('targets = ["é.example", "203.0.113.0/40"]\n') == printed("""
        error: scan.toml:1:25
          |
        1 | targets = ["é.example", "203.0.113.0/40"]
          |                         ^^^^^^^^^^^^^^^^ `203.0.113.0/40` has no prefix length between 0 and 32
          = hint: write it as in 203.0.113.0/28; netmasks are not read
    """)


def test_a_target_table_that_cannot_be_read(room: Room) -> None:
    said = room.said('[[targets]]\nip = "nonsense"\n')
    assert said.startswith('error: scan.toml:2:6\n  |\n2 | ip = "nonsense"\n  |      ^^^^^^^^^^ ')


def test_a_password_in_a_target_is_never_shown(room: Room) -> None:
    said = room.said('targets = ["http://u:hunter2@a.example/", "10.0.0.0/99"]\n')
    assert "hunter2" not in said
    assert said.count("*" * len('"http://u:hunter2@a.example/"')) == 2


def test_both_included_and_excluded(room: Room) -> None:
    assert room.said('targets = ["a.example", "b.example"]\nexclude = ["*.example"]\n') == printed("""
        warning: scan.toml:1:12
          |
        1 | targets = ["a.example", "b.example"]
          |            ^^^^^^^^^^^ excluded by `*.example`, so it is not scanned
          = hint: excludes always win: take it out of one of the two

        warning: scan.toml:1:25
          |
        1 | targets = ["a.example", "b.example"]
          |                         ^^^^^^^^^^^ excluded by `*.example`, so it is not scanned
          = hint: excludes always win: take it out of one of the two
    """)


def test_listed_twice(room: Room) -> None:
    loaded = room.load('targets = [\n  "A.example",\n  "a.example.",\n]\n')
    assert loaded.profile is not None
    assert len(loaded.profile.targets) == 1
    (problem,) = loaded.problems
    assert problem.message == "this target is already listed (line 2); it is scanned once"
    assert (problem.level, problem.line, problem.column) == ("warning", 3, 3)


def test_an_exclude_that_cannot_be_read(room: Room) -> None:
    said = room.said(GOOD + 'exclude = ["@file"]\nscope = ["-x"]\n')
    assert said.count("error: ") == 2
    assert '2 | exclude = ["@file"]\n  |            ^^^^^^^ `@file` is a file' in said


def test_an_empty_target_set(room: Room) -> None:
    assert room.said('mode = "both"\ntargets = []\n') == printed("""
        error: scan.toml:2:1
          |
        2 | targets = []
          | ^^^^^^^ no target to scan
          = hint: add targets = ["https://…"] or targets_from = ["hosts.txt"], or give --target
    """)


def test_an_empty_file(room: Room) -> None:
    assert room.said("") == printed("""
        error: scan.toml:1:1
          |
        1 |
          | ^ no target to scan
          = hint: add targets = ["https://…"] or targets_from = ["hosts.txt"], or give --target
    """)


def test_missing_files(room: Room) -> None:
    text = 'targets_from = ["hosts.txt", "-"]\nplugin_dirs = ["mine"]\nhttp = { ca_file = "ca.pem" }\n'
    at = room.path
    assert room.said(text) == printed(f"""
        error: scan.toml:1:17
          |
        1 | targets_from = ["hosts.txt", "-"]
          |                 ^^^^^^^^^^^ {at}/hosts.txt: no such file

        error: scan.toml:2:16
          |
        2 | plugin_dirs = ["mine"]
          |                ^^^^^^ {at}/mine: no such folder

        error: scan.toml:3:20
          |
        3 | http = {{ ca_file = "ca.pem" }}
          |                    ^^^^^^^^ {at}/ca.pem: no such file
    """)


def test_a_cycle_in_extends(room: Room) -> None:
    room.write("b.toml", 'extends = ["sub/c.toml"]\n')
    room.write("sub/c.toml", 'extends = [\n  "../scan.toml",\n]\n')
    assert room.said('extends = ["b.toml"]\n') == printed("""
        error: sub/c.toml:2:3
          |
        2 |   "../scan.toml",
          |   ^^^^^^^^^^^^^^ these profiles extend each other in a circle
          = hint: the circle: scan.toml → b.toml → sub/c.toml → scan.toml
    """)


def test_an_extended_file_that_is_not_there(room: Room) -> None:
    assert room.said('extends = ["b.toml"]\n') == printed(f"""
        error: scan.toml:1:12
          |
        1 | extends = ["b.toml"]
          |            ^^^^^^^^ b.toml: no such file
          = hint: paths are relative to the file that says them: {room.path}
    """)


def test_undefined_secrets(room: Room) -> None:
    text = '[plugins.nmap.options]\ntoken = { env = "NOPE" }\n[http.headers]\nX-Key = { file = "key" }\n'
    assert room.said(GOOD + text) == printed("""
        error: scan.toml:3:17
          |
        3 | token = { env = "NOPE" }
          |                 ^^^^^^ the variable NOPE is not set
          = hint: set it before the run: export NOPE=…

        error: scan.toml:5:18
          |
        5 | X-Key = { file = "key" }
          |                  ^^^^^ no such file
          = hint: a secret's file holds the secret and nothing else
    """)


def test_an_empty_variable_is_undefined(room: Room) -> None:
    text = GOOD + '[plugins.nmap.options]\ntoken = { env = "SET" }\n'
    assert "the variable SET is empty" in room.said(text, environ={"SET": ""})


def test_a_secret_written_down_is_refused_and_not_repeated(room: Room) -> None:
    assert room.said(GOOD + '[plugins.nmap]\noptions = { token = "hunter2", depth = 0 }\n') == printed("""
        error: scan.toml:3:21
          |
        3 | options = { token = *********, depth = 0 }
          |                     ^^^^^^^^^ a secret may not be written here, only where it is
          = hint: token = { env = "TOKEN" } or token = { file = "path" }

        error: scan.toml:3:40
          |
        3 | options = { token = *********, depth = 0 }
          |                                        ^ expected a number from 1 to 9, found 0
    """)


def test_a_secret_in_a_flag_is_not_repeated_either(room: Room) -> None:
    said = room.said(GOOD + "[plugins.nmap]\n", sets=["plugins.nmap.options.token=hunter2"])
    assert "hunter2" not in said
    assert "--set plugins.nmap.options.token=*******\n" in said


def test_a_malformed_reference(room: Room) -> None:
    said = room.said(GOOD + '[plugins.nmap.options]\ntoken = { env = "A", file = "b" }\n')
    assert "expected a secret by reference" in said


def test_a_header_that_looks_like_a_secret(room: Room) -> None:
    assert room.said(GOOD + '[http.headers]\nAuthorization = "Bearer x"\n') == printed("""
        warning: scan.toml:3:17
          |
        3 | Authorization = **********
          |                 ^^^^^^^^^^ this looks like a secret, and profiles live in git
          = hint: "Authorization" = { env = "SCAN_SECRET" }
    """)


ASK = SandboxAsk(network="full", caps=("net_raw",), env=("HTTPS_PROXY",), read=("/opt/lists/x",))


def asking(**changes: Any) -> FakeCatalogue:
    return FakeCatalogue({"nmap": plugin("nmap", sandbox=ASK, **changes)})


def test_a_grant_that_is_missing(room: Room) -> None:
    room.catalogue = asking()
    text = GOOD + '[plugins.nmap]\ngrant = ["cap:net_raw", "read:/opt"]\n'
    assert room.said(text) == printed("""
        error: scan.toml:2:10
          |
        2 | [plugins.nmap]
          |          ^^^^ `nmap` asks for more than a plugin gets unasked: network:full, env:HTTPS_PROXY
          = hint: if you trust it, add to [plugins.nmap]:
                  grant = ["cap:net_raw", "read:/opt", "network:full", "env:HTTPS_PROXY"]
    """)


def test_a_grant_that_is_missing_for_a_plugin_that_is_not_named(room: Room) -> None:
    room.catalogue = asking()
    said = room.said(GOOD)
    assert "= hint: leave it out with --skip nmap, or if you trust it, add to [plugins.nmap]:\n" in said
    assert room.said(GOOD, skip=["nmap"]) == ""


def test_no_grant_is_needed_for_what_does_not_run_or_is_shipped(room: Room) -> None:
    room.catalogue = asking(mode="active")
    assert room.said(GOOD) == ""
    room.catalogue = asking(origin="shipped")
    assert room.said(GOOD + "[plugins.nmap]\n") == ""


def test_a_grant_that_nobody_asked_for(room: Room) -> None:
    assert room.said(GOOD + '[plugins.nmap]\ngrant = ["read:/opt"]\n') == printed("""
        warning: scan.toml:3:10
          |
        3 | grant = ["read:/opt"]
          |          ^^^^^^^^^^^ `nmap` does not ask for this
          = hint: take it out
    """)


def test_a_grant_that_cannot_be_read(room: Room) -> None:
    said = room.said(GOOD + '[plugins.nmap]\ngrant = ["network"]\n')
    assert (
        '^^^^^^^^^ expected `network:full`, `cap:NAME`, `env:NAME` or `read:/path`, found "network"\n' in said
    )


def test_options_of_one_target(room: Room) -> None:
    text = """\
        [plugins.nmap]
        [[targets]]
        host = "a.example"
        [targets.plugins.nmap.options]
        depth = "1"
        [targets.plugins.http-headers.options]
        ports = "1"
        [targets.plugins.whatwb]
        options = { }
    """
    assert room.said(text) == printed("""
        error: scan.toml:5:9
          |
        5 | depth = "1"
          |         ^^^ expected a whole number, found "1"

        warning: scan.toml:6:18
          |
        6 | [targets.plugins.http-headers.options]
          |                  ^^^^^^^^^^^^ `http-headers` is not switched on, so these options do nothing
          = hint: add [plugins.http-headers]

        error: scan.toml:8:18
          |
        8 | [targets.plugins.whatwb]
          |                  ^^^^^^ no such plugin
          = hint: folders searched: /plugins
    """)


def test_all_problems_at_once_in_the_order_of_the_file(room: Room) -> None:
    room.write("base.toml", 'fail_on = "hgh"\n')
    text = """\
        extends = ["base.toml"]
        targets = ["10.0.0.0/99", 3, "a.example"]
        mode = 1
        [plugins.nmap]
        priority = 101
        options = { depth = 0, prts = "" }
        [plugins.nmp]
        [http]
        user_agent = ""
        headers = { "a b" = "c" }
    """
    loaded = room.load(text)
    assert [each.line for each in loaded.problems if each.file == "base.toml"] == [1]
    own = [each.line for each in loaded.problems if each.file == "scan.toml"]
    assert own == [2, 2, 3, 5, 6, 6, 7, 9, 10]
    assert loaded.profile is None


def test_or_raise_carries_every_problem(room: Room) -> None:
    from kastrun.errors import ProfileError

    loaded = room.load("mode = 1\n")
    with pytest.raises(ProfileError) as caught:
        loaded.or_raise()
    assert caught.value.problems == loaded.problems
    assert caught.value.exit_code == 2


def test_places_name_the_file_as_the_user_did(room: Room, tmp_path: Path) -> None:
    room.write("deep/scan.toml", "mode = 1\n")
    loaded = files.load_profile(str(tmp_path / "deep/scan.toml"), find=lambda *_: room.catalogue)
    assert loaded.problems[0].file == f"{tmp_path}/deep/scan.toml"
