"""Files that are no profiles, and plugins' folders."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_rooms import Room, room

from kastrun import discover, files, problems
from kastrun.files import Loaded
from kastrun.model import Plugin

__all__ = ["room"]

TARGET = 'targets = ["a.example"]\n'


def one(room: Room, content: bytes | str | None = None) -> str:
    """The one problem's first line."""
    loaded = room.load(content)
    (problem,) = loaded.problems
    assert loaded.profile is None
    return problems.render([problem]).splitlines()[0]


def test_no_file(room: Room) -> None:
    assert one(room) == "error: scan.toml: no such file"


def test_a_folder(room: Room) -> None:
    (room.path / "scan.toml").mkdir()
    assert one(room) == "error: scan.toml: this is a folder"


def test_a_path_through_a_file(room: Room) -> None:
    room.write("a", "")
    (problem,) = files.load_profile("a/scan.toml", find=lambda *_: room.catalogue).problems
    assert problem.message == "no such file (a part of the path is no folder)"


def test_no_file_name(room: Room) -> None:
    (problem,) = files.load_profile("a\0b", find=lambda *_: room.catalogue).problems
    assert problem.message == "this is no file name"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(room: Room) -> None:
    room.write("scan.toml", TARGET).chmod(0)
    assert one(room) == "error: scan.toml: no permission to read it"


def test_permission_in_words() -> None:
    assert files.why_unreadable(PermissionError(13, "Permission denied")) == "no permission to read it"
    assert files.why_unreadable(OSError(5, "Input/output error")) == "input/output error"


@pytest.mark.parametrize("content", [b"\x7fELF\x00\x01", b"a\0", bytes(range(256))])
def test_binary(room: Room, content: bytes) -> None:
    assert one(room, content) == "error: scan.toml: this is binary, not a text file"


def test_not_utf8(room: Room) -> None:
    assert room.said(b'# \xc3\xa9\nname = "\xc3\xa9\xe9"\n') == (
        'error: scan.toml:2:10\n  |\n2 | name = "é\ufffd"\n  |          ^ byte 0xe9 is not UTF-8\n'
        "  = hint: save the file as UTF-8\n"
    )


def test_a_byte_order_mark_and_crlf_are_fine(room: Room) -> None:
    assert room.load(b'\xef\xbb\xbftargets = ["a.example"]\r\nmode = "both"\r\n').profile is not None


def test_ten_megabytes_are_refused_at_once(room: Room) -> None:
    start = time.perf_counter()
    assert one(room, b"# " + b"x" * 10_000_000) == "error: scan.toml: larger than 4 MiB, so it is not read"
    assert time.perf_counter() - start < 1


@settings(max_examples=200)
@given(content=st.binary(max_size=60) | st.text("ab=[]{}\"'\n.#\\\x00é0\x7f", max_size=40).map(str.encode))
def test_no_bytes_are_too_odd_to_be_refused_or_read(content: bytes) -> None:
    found = files.read_content(content, "scan.toml")
    assert (found.document is None) == bool(found.problems)
    assert problems.render(found.problems).endswith("nothing was run\n") or not found.problems


def test_nested_too_deeply(room: Room) -> None:
    assert one(room, "a = " + "[" * 60 + "]" * 60) == "error: scan.toml: nested more than 32 deep"
    assert one(room, "a = " + "[" * 9000 + "]" * 9000) == "error: scan.toml: nested too deeply"


def test_a_number_too_long_to_read(room: Room) -> None:
    assert one(room, "a = " + "1" * 5000) == "error: scan.toml: a number in it is too long"


def test_a_check_of_a_good_profile_imports_nothing_heavy(room: Room) -> None:
    room.write("scan.toml", TARGET + '[limits]\njob_timeout = "15m"\n[plugins.good-one]\n')
    folder = plugin_folder(room, "good-one")
    code = (
        "import sys; from kastrun import files, settings, discover\n"
        "s = settings.load()\n"
        f"loaded = files.load_profile('scan.toml', find=lambda *_: discover.find([{str(folder.parent)!r}]))\n"
        "assert loaded.profile, loaded.problems\n"
        "heavy = {'jsonschema', 'tree_sitter', 'rich', 'trio', 'pydantic'}\n"
        "heavy |= {'difflib', 'dataclasses', 'tempfile'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("KASTRUN_")}
    root = str(Path(files.__file__).parents[2])
    clean |= {"XDG_CONFIG_HOME": str(room.path), "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert done.stdout == "\n"


MANIFEST = """\
[plugin]
name = "good-one"
version = "1.2.0"
protocol = 1
summary = "Looks"
exec = ["./run.sh"]
mode = "passive"
targets = ["url", "host"]
"""


def plugin_folder(room: Room, name: str, manifest: str = MANIFEST) -> Path:
    room.write(f"plugins/{name}/plugin.toml", manifest)
    room.write(f"plugins/{name}/run.sh", "#!/bin/sh\n").chmod(0o755)
    return room.path / "plugins" / name


def with_plugins(room: Room, text: str) -> Loaded:
    """A profile loaded with the room's own plugins and the shipped ones."""
    room.write("scan.toml", 'plugin_dirs = ["plugins"]\n' + text)
    return files.load_profile("scan.toml", find=lambda folders, only: discover.find(folders, (), only))


def test_a_profile_that_names_its_plugins_reads_no_other(room: Room) -> None:
    plugin_folder(room, "good-one")
    named = with_plugins(room, TARGET + "[plugins.good-one]\n").catalogue
    unnamed = with_plugins(room, TARGET).catalogue
    assert isinstance(named, discover.Catalogue) and isinstance(unnamed, discover.Catalogue)
    assert set(named.plugins) == {"good-one"}
    assert named.names == unnamed.names == set(unnamed.plugins) > {"good-one", "nmap"}


OF_A_TARGET = '[plugins.good-one]\n[[targets]]\nhost = "a.example"\nplugins.nmpa.options = { a = 1 }\n'


@pytest.mark.parametrize("text", [TARGET + "[plugins.nmpa]\n", OF_A_TARGET])
def test_a_wrong_name_is_compared_with_all_plugins(room: Room, text: str) -> None:
    plugin_folder(room, "good-one")
    found = with_plugins(room, text).problems
    assert [(each.rule, (each.hint or "").splitlines()[0]) for each in found] == [
        ("unknown_plugin", "did you mean `nmap`?")
    ]


def read(room: Room, manifest: str = MANIFEST, name: str = "good-one") -> tuple[Plugin | None, str]:
    plugin, found = files.read_manifest(plugin_folder(room, name, manifest))
    assert (plugin is None) == bool(found)
    return plugin, problems.render(found).replace(str(room.path) + "/", "")


def test_the_least_of_a_manifest(room: Room) -> None:
    plugin, _ = read(room)
    assert plugin is not None
    assert (plugin.folder, plugin.origin) == (str(room.path / "plugins/good-one"), "profile")
    assert (plugin.priority, plugin.limits.total_s, plugin.sandbox.network) == (50, 900, "scope")
    assert plugin.options_schema["properties"] == {}
    assert len(plugin.digest) == 64


def test_the_whole_of_a_manifest(room: Room) -> None:
    plugin, said = read(
        room,
        MANIFEST
        + """\
homepage = "https://a.example"
depends_on = ["other"]
consumes = ["asset:service"]
produces = ["finding", "asset:cert"]
priority = 7
required_options = ["ports"]
[options.ports]
type = "string"
default = "443"
[options.token]
type = "string"
writeOnly = true
[requires.sslscan]
probe = ["sslscan", "--version"]
match = '(\\d+(?:\\.\\d+)+)'
min = "2.0"
install = { debian = "sslscan" }
[limits]
total_s = 60
idle_s = 5
grace_s = 1
batch = 10
memory_mb = 64
output_mb = 1
[sandbox]
network = "full"
read = ["/usr/share/nmap"]
env = ["HTTPS_PROXY"]
caps = ["net_raw"]
[install]
pip = ["a==1.0"]
npm = ["@b/c@1.0.0"]
[x]
anything = 1
""",
    )
    assert plugin is not None, said
    assert plugin.secret_options == {"token"}
    assert plugin.options_schema["required"] == ["ports"]
    assert plugin.options_schema["additionalProperties"] is False
    assert (plugin.requires[0].min, plugin.requires[0].install) == ("2.0", {"debian": "sslscan"})
    assert (plugin.limits.total_s, plugin.limits.memory_mb) == (60, 64)
    assert plugin.sandbox.caps == ("net_raw",)


@pytest.mark.parametrize(
    ("old", "new", "rule", "message"),
    [
        ('name = "good-one"', 'name = "bad-one"', "wrong_name", "the folder is called `good-one`"),
        ("./run.sh", "./nope", "bad_exec", "no such file in the plugin's folder"),
        ("./run.sh", "./plugin.toml", "bad_exec", "this file is not executable"),
        ("./run.sh", "./../../up.sh", "bad_exec", "this leads out of the plugin's folder"),
        ("./run.sh", "./.", "bad_exec", "this is no file"),
        ("./run.sh", "/bin/sh", "bad_exec", "neither ./x nor a bare name"),
        (
            'mode = "passive"',
            'mode = "both"',
            "unknown_value",
            'expected "passive" or "active", found "both"',
        ),
        ('summary = "Looks"', "", "missing_key", "`summary` is missing here"),
        ("protocol = 1", 'protocol = "1"', "wrong_type", 'expected a whole number, found "1"'),
        ("mode", "moode", "unknown_key", "unknown key"),
    ],
)
def test_a_wrong_manifest(room: Room, old: str, new: str, rule: str, message: str) -> None:
    room.write("up.sh", "").chmod(0o755)
    folder = plugin_folder(room, "good-one", MANIFEST.replace(old, new))
    plugin, found = files.read_manifest(folder)
    assert plugin is None
    assert (rule, message) in [(each.rule, each.message) for each in found]
    assert all(each.line is not None for each in found)


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ("Makefile", "make"),
        ("go.mod", "go build -o run ."),
        ("Cargo.toml", "cargo build --release && cp target/release/run ."),
    ],
)
def test_a_program_that_must_be_built_says_how(room: Room, source: str, command: str) -> None:
    folder = plugin_folder(room, "good-one", MANIFEST.replace("./run.sh", "./run"))
    (folder / source).write_text("")
    (problem,) = files.read_manifest(folder)[1]
    assert problem.message == "no such file in the plugin's folder"
    assert problem.hint == f"build it: cd {folder} && {command}"


def test_a_program_in_a_cache_is_no_part_of_the_plugin(room: Room) -> None:
    folder = plugin_folder(room, "good-one", MANIFEST.replace("./run.sh", "./target/release/run"))
    (folder / "target" / "release").mkdir(parents=True)
    (folder / "target" / "CACHEDIR.TAG").write_text(CACHEDIR_TAG)
    (folder / "target" / "release" / "run").write_text("")
    (folder / "target" / "release" / "run").chmod(0o755)
    (problem,) = files.read_manifest(folder)[1]
    assert problem.message == "this is in a cache (CACHEDIR.TAG), which is no part of the plugin"
    assert problem.hint == "copy it beside plugin.toml"


def test_another_protocol_is_the_only_problem(room: Room) -> None:
    _, said = read(room, MANIFEST.replace("protocol = 1", "protocol = 2").replace("mode", "way"))
    assert said == (
        "error: plugins/good-one/plugin.toml:4:12\n  |\n4 | protocol = 2\n"
        "  |            ^ protocol 2 is not spoken here\n"
        "  = hint: this kastrun speaks protocol 1: use another version of the plugin, or of kastrun\n\n"
        "1 error; nothing was run\n"
    )


def test_no_manifest(room: Room) -> None:
    (room.path / "empty").mkdir()
    plugin, found = files.read_manifest(room.path / "empty")
    assert plugin is None
    assert found[0].message == "no such file"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('[options.a]\ntype = "strin"\n', 'found "strin"'),
        ("[options]\na = 3\n", "expected a table, found 3"),
        ('[options.a]\npattern = "("\n', "not a regular expression: missing )"),
        ('[options.a]\n"$ref" = "https://elsewhere.example/s"\n', "leads to nothing in this schema"),
        ('[options.a]\n"$ref" = "#/$defs/x"\n', "the reference `#/$defs/x` leads to nothing in this schema"),
        ('[options.a]\ntype = "integer"\ndefault = "x"\n', 'expected a whole number, found "x"'),
        ('[options."a b"]\n', "expected an option's name"),
        ("[requires.a]\nprobe = ['a']\nmatch = '('\n", "not a regular expression"),
    ],
)
def test_options_that_are_no_schema(room: Room, options: str, message: str) -> None:
    assert message in read(room, MANIFEST + options)[1]


def test_required_options_are_declared(room: Room) -> None:
    _, said = read(room, MANIFEST + 'required_options = ["port"]\n')
    assert "^^^^^^ no such option is declared\n  = hint: declare it: [options.port]\n" in said


SCHEMA_FILE = MANIFEST + 'options_schema = "o.json"\n'


def test_options_in_a_file(room: Room) -> None:
    room.write(
        "plugins/good-one/o.json",
        '{"type": "object", "required": ["b"],'
        ' "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"writeOnly": true}},'
        ' "$defs": {"a": {"type": "integer"}}}',
    )
    plugin, said = read(room, SCHEMA_FILE + 'required_options = ["a"]\n')
    assert plugin is not None, said
    assert plugin.options_schema["required"] == ["a", "b"]
    assert plugin.secret_options == {"b"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "o.json: no such file"),
        ("{", "o.json is not JSON: Expecting property name"),
        ("[]", "o.json holds no JSON object"),
        ('{"type": "array"}', "the schema must be one of type object"),
        ('{"properties": {"a": {"type": "x"}}}', "properties.a.type: expected"),
        ('{"properties": {"a": {"$ref": "#/$defs/a"}}}', "leads to nothing"),
    ],
)
def test_a_bad_file_of_options(room: Room, content: str | None, message: str) -> None:
    if content is not None:
        room.write("plugins/good-one/o.json", content)
    _, said = read(room, SCHEMA_FILE)
    assert '9 | options_schema = "o.json"\n' in said
    assert message in said


def test_options_twice(room: Room) -> None:
    room.write("plugins/good-one/o.json", "{}")
    _, said = read(room, SCHEMA_FILE + "[options.a]\n")
    assert "options are declared twice, here and in `options_schema`" in said


def test_a_file_of_options_stays_in_the_folder(room: Room) -> None:
    room.write("secret.json", "{}")
    folder = plugin_folder(room, "good-one", SCHEMA_FILE)
    (folder / "o.json").symlink_to(room.path / "secret.json")
    assert "this leads out of the plugin's folder" in files.read_manifest(folder)[1][0].message


CACHEDIR_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# made by cargo\n"


def test_the_digest_is_of_names_modes_and_contents(room: Room) -> None:
    folder = plugin_folder(room, "good-one")
    seen = [files.digest(folder)]

    def changed() -> bool:
        seen.append(files.digest(folder))
        return seen[-1] != seen[-2]

    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.txt").write_text("x")
    (folder / "a.pyc").write_text("x")
    (folder / "target").mkdir()
    (folder / "target" / "CACHEDIR.TAG").write_text(CACHEDIR_TAG)
    (folder / "target" / "debug").write_text("x")
    assert not changed()
    (folder / "target" / "CACHEDIR.TAG").write_text("no tag, only called so")
    assert changed()
    (folder / "run.sh").write_text("#!/bin/sh\n# \n")
    assert changed()
    (folder / "run.sh").chmod(0o644)
    assert changed()
    (folder / "run.sh").rename(folder / "ran.sh")
    assert changed()
    (folder / "link").symlink_to("ran.sh")
    assert changed()
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")
    assert changed()
