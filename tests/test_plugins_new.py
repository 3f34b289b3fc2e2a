"""`kastrun plugins new`: what it makes works as it stands, in every language, and it overwrites nothing."""

from __future__ import annotations

import argparse
import os
import socket
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import depth
import pytest

from kastrun import files, resources
from kastrun.cli import plugins_new
from kastrun.errors import UsageError
from kastrun.kit import conduct, examine
from kastrun.kit.site import read_head, serve, site
from kastrun.model import Http, Plugin
from kastrun.trial import Trial, Tried, complete, target_for, workshop

TEMPLATES = resources.shipped("templates")
DEBIAN_CRATES = Path("/usr/share/cargo/registry")
BUILT = {"go", "rust"}
NEEDS = {
    "bash": ("bash", "curl", "jq"),
    "python": ("python3",),
    "node": ("node",),
    "go": ("go", "make"),
    "rust": ("cargo", "make", f"{DEBIAN_CRATES}/serde_json-*"),
}
NO_PROXY = {"node", "rust"}


def new(name: str, language: str | None, folder: Path) -> Path:
    plugins_new.serve(argparse.Namespace(name=name, language=language, dir=str(folder)))
    return folder / name


def build(folder: Path, scratch: Path) -> None:
    """`make`, as its README says; offline, with Debian's crates for cargo."""
    home = scratch / "cargo"
    home.mkdir()
    (home / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "debian"\n'
        f'[source.debian]\ndirectory = "{DEBIAN_CRATES}"\n[net]\noffline = true\n'
    )
    offline = {"CARGO_HOME": str(home), "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    ran = subprocess.run(["make"], cwd=folder, env=os.environ | offline, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def drip(connection: socket.socket) -> None:
    """A head that never ends, slowly."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    connection.settimeout(0.1)
    while True:
        connection.sendall(b"X-More: 1\r\n")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


def trial(plugin: Plugin, port: int, **other: Any) -> Trial:
    return Trial(
        plugin=plugin,
        target=target_for(plugin, "127.0.0.1"),
        options=complete(plugin, {"port": port}),
        folders=(os.path.dirname(sys.executable),),
        **other,
    )


@pytest.mark.parametrize(
    "language",
    [pytest.param(each, marks=pytest.mark.needs(*NEEDS[each])) for each in plugins_new.LANGUAGES],
)
@pytest.mark.timeout(300)
async def test_what_it_makes_passes_the_whole_kit(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new("my-check", language, tmp_path / "plugins")
    if language in BUILT:
        (problem,) = files.read_manifest(folder)[1]
        assert problem.hint == f"build it: cd {folder} && make"
        build(folder, tmp_path)

    kit = folder / "examples" / "kit.toml"
    kit.write_text(f"at_once = {depth.times(50, 6)}\n{kit.read_text() if kit.exists() else ''}")
    monkeypatch.setattr(conduct, "ABANDONED_S", 1.0)
    report = await examine(folder)
    assert {r.check.id: r.verdict for r in report.results if r.verdict.outcome != "pass"} == {}

    plugin, _ = files.read_manifest(folder)
    assert plugin is not None
    with workshop() as shop:
        with serve(drip) as port:
            slow = await shop.run(trial(plugin, port, total_s=20))
        assert slow.ended.reason == "plugin_target", slow.ended  # and no time-out: it has one of its own
        with site({"routes": {"*": {"status": 204}}}, tmp_path) as proxy:
            http = Http(user_agent="me/1", headers={}, proxy=f"http://127.0.0.1:{proxy.port}")
            proxied = await shop.run(trial(plugin, 9, http=http))
        if language in NO_PROXY:
            assert proxied.ended.reason == "plugin_config"
        else:
            assert_proxied(proxied, proxy.seen)


def assert_proxied(tried: Tried, seen: list[bytes]) -> None:
    assert [record["evidence"] for record in tried.records if record["type"] == "finding"] == ["HTTP 204"]
    assert seen[0].startswith(b"GET http://127.0.0.1:9/ HTTP/1.1\r\n")
    assert b"\r\nuser-agent: me/1\r\n" in seen[0].lower()


# --- the templates ------------------------------------------------------------------------


def test_the_guide_counts_the_checks_right() -> None:
    guide = (Path(__file__).parent.parent / "docs" / "plugin-guide.md").read_text(encoding="utf-8")
    assert f"`{len(conduct.CHECKS)} pass`" in guide


def test_there_is_a_template_for_each_language_and_no_other() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {*plugins_new.LANGUAGES, "every"}


def test_they_are_the_same_plugin() -> None:
    manifests = {
        language: tomllib.loads((TEMPLATES / language / "plugin.toml").read_text())
        for language in plugins_new.LANGUAGES
    }
    for manifest in manifests.values():
        manifest.pop("requires", None)
        manifest["plugin"].pop("exec")
    assert all(manifest == manifests["bash"] for manifest in manifests.values())


@pytest.mark.parametrize("language", plugins_new.LANGUAGES)
def test_a_name_is_all_that_is_changed(language: str, tmp_path: Path) -> None:
    folder = new("x2", language, tmp_path)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        source = next(p for p in (TEMPLATES / language / name, TEMPLATES / "every" / name) if p.exists())
        text = path.read_text(encoding="utf-8")
        assert "plain-http" not in text
        assert text == source.read_text(encoding="utf-8").replace("plain-http", "x2")
        assert bool(path.stat().st_mode & stat.S_IXUSR) == bool(source.stat().st_mode & stat.S_IXUSR)


@pytest.mark.needs("shellcheck")
def test_the_shell_is_clean() -> None:
    ran = subprocess.run(["shellcheck", TEMPLATES / "bash" / "run.sh"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.needs("gofmt")
def test_the_go_is_formatted() -> None:
    ran = subprocess.run(["gofmt", "-l", TEMPLATES / "go"], capture_output=True, text=True, check=True)
    assert ran.stdout == ""


# --- what can go wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "message", "hint"),
    [
        (
            "My Check",
            "go",
            "'My Check' is not a plugin's name: 2 to 40 small letters",
            "did you mean my-check?",
        ),
        ("x", "go", "'x' is not a plugin's name", "for example tls-check"),
        ("../mine", "go", "'../mine' is not a plugin's name", "--dir says where it goes: mine --dir .."),
        ("/mine", "go", "'/mine' is not a plugin's name", "--dir says where it goes: mine --dir /"),
        ("a/b/", "go", "'a/b/' is not a plugin's name", "did you mean a-b?"),
        ("", "go", "'' is not a plugin's name", "for example tls-check"),
        ("mine", "pyhton", "there is no template in pyhton", "did you mean python?"),
        ("mine", "JavaScript", "there is no template in JavaScript", "did you mean node?"),
        ("mine", "cobol", "there is no template in cobol", "there are bash, python, node, go or rust"),
        ("mine", "every", "there is no template in every", "there are bash"),
        ("mine", None, "in which language?", "--language bash, python, node, go or rust"),
    ],
)
def test_bad_usage_says_what_to_do(
    name: str, language: str | None, message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        new(name, language, tmp_path)
    assert message in raised.value.message
    assert hint in str(raised.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["folder", "empty", "file", "dangling"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    if there == "file":
        place.write_text("precious")
    elif there == "dangling":
        place.symlink_to("nowhere")
    else:
        place.mkdir()
        if there == "folder":
            (place / "run.sh").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"mine is there already; nothing was written"):
        new("mine", "bash", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(UsageError, match=r"mine cannot be made: (File exists|Not a directory)"):
            new("mine", "bash", place)


def test_half_a_plugin_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    too_long = {"README.md": TEMPLATES / "every" / "README.md", "x" * 300: TEMPLATES / "every" / "README.md"}
    monkeypatch.setattr(plugins_new, "_sources", lambda _: too_long)
    with pytest.raises(UsageError, match="mine cannot be written: File name too long"):
        new("mine", "bash", tmp_path)
    assert list(tmp_path.iterdir()) == []


MADE = """\
made nmap: a plugin in rust which asks whether plain HTTP is sent on to HTTPS
  examples/  src/  .gitignore  Cargo.toml  Makefile  README.md  plugin.toml
next
  make -C nmap
  kastrun plugins test nmap
  kastrun plugins run nmap HOST
"""


def test_as_a_command(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "kastrun", "plugins", "new"]
    ran = subprocess.run([*argv, "nmap", "--language", "rust"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, MADE)
    assert "a shipped plugin is called nmap too" in ran.stderr
    ran = subprocess.run([*argv, "nmap", "--language", "rust"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: nmap is there already; nothing was written\nhint: ")
