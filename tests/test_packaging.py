"""What is shipped works where it is installed: a wheel, in an environment of its own, from elsewhere.

The environment is new and holds the wheel, unpacked by pip, and links to the distributions
that the wheel declares, with theirs in turn, from the environment that runs the tests. So
an undeclared dependency is missing there, nothing is fetched, and it takes a second.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from imports_of import imports
from packaging.requirements import Requirement

from kastrun import __version__
from kastrun.demo import weak_site

ROOT = Path(__file__).parent.parent
SHIPPED = "kastrun/_shipped"

PROFILE = """\
schema = 1
targets = ["127.0.0.1"]
plugin_dirs = ["mine"]

[plugins.hello]
"""
MANIFEST = """\
[plugin]
name = "hello"
version = "1.0.0"
protocol = 1
summary = "Greets, and contacts nobody"
exec = ["./hello.sh"]
mode = "passive"
targets = ["ip"]
"""
PLUGIN = """\
#!/bin/sh
echo '{"type":"finding","rule":"hello","title":"Hello","severity":"low"}'
echo '{"type":"done","status":"ok"}'
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it. Without isolation: hatchling is here."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has the wheel and what it declares, no more."""
    home = tmp_path_factory.mktemp("env")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    ]
    subprocess.run(pip, check=True, timeout=120)
    (site,) = home.glob("lib/python*/site-packages")
    for distribution in declared(wheel):
        for top in {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            (site / top).symlink_to(distribution.locate_file(top))
    return python


def declared(wheel: Path) -> Iterator[metadata.Distribution]:
    """The installed distributions that a wheel requires, and what those require."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    pending = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    seen: set[str] = set()
    while pending:
        wanted = Requirement(pending.pop())
        if wanted.name.lower() in seen or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name.lower())
        distribution = metadata.distribution(wanted.name)
        assert wanted.specifier.contains(distribution.version, prereleases=True), wanted
        pending += distribution.requires or ()
        yield distribution


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def tracked(folder: str) -> set[str]:
    """The files of a folder, as a clean checkout has them."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_what_is_shipped_and_no_more(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = tracked("schemas") | tracked("plugins") | tracked("templates") | {"kast.toml.example"}
    package = {name for name in names if name.startswith("kastrun/")}
    assert package == {f"{SHIPPED}/{name}" for name in shipped} | tracked("kastrun")
    assert "kastrun/py.typed" in names
    assert {Path(name).name for name in names - package} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "LICENSE",
    }


def test_what_may_be_executed_may_be_executed_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        modes = {
            info.filename.removeprefix(f"{SHIPPED}/"): info.external_attr >> 16
            for info in archive.infolist()
            if info.filename.startswith(SHIPPED)
        }
    executable = {name for name, mode in modes.items() if mode & 0o111}
    shipped = tracked("plugins") | tracked("templates")
    assert executable == {name for name in shipped if os.access(ROOT / name, os.X_OK)}
    assert len(executable) >= 9


def test_the_sdist_has_what_a_packager_needs(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "tests/conftest.py"}
    assert wanted <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", "runs/"))]


def test_the_module_and_the_command_say_the_version(python, tmp_path):
    for command in ([python, "-m", "kastrun"], [python.parent / "kastrun"]):
        ran = subprocess.run(
            [*command, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"kastrun {__version__}\n", "")


def test_what_runs_is_the_wheel(python, tmp_path):
    ran = run(python, tmp_path, "-c", "import kastrun; print(kastrun.__file__)")
    assert Path(ran.stdout.strip()).is_relative_to(python.parent.parent)


def test_every_module_of_the_wheel_can_be_imported_with_what_it_declares(python, tmp_path):
    modules = [
        ".".join(Path(name).with_suffix("").parts).removesuffix(".__init__")
        for name in sorted(tracked("kastrun"))
        if name.endswith(".py") and not name.endswith("__main__.py")
    ]
    ran = run(python, tmp_path, "-c", f"import importlib\nfor m in {modules}: importlib.import_module(m)")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_declared_dependency_is_imported_somewhere():
    roots = {
        name.split(".")[0]
        for path in (ROOT / "kastrun").rglob("*.py")
        for _, name in imports(ast.parse(path.read_text(encoding="utf-8")))
    }
    modules = {
        distribution.lower().replace("_", "-"): module
        for module, distributions in metadata.packages_distributions().items()
        for distribution in distributions
        if module in roots
    }
    required = {Requirement(each) for each in metadata.requires("kastrun") or ()}
    assert {each.name for each in required if each.marker is None} <= modules.keys()


def test_the_installed_one_runs_a_plugin_of_the_users_own(python, tmp_path):
    folder = tmp_path / "mine" / "hello"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "hello.sh").write_text(PLUGIN)
    (folder / "hello.sh").chmod(0o755)
    (tmp_path / "scan.toml").write_text(PROFILE)
    ran = run(python, tmp_path, "-m", "kastrun", "scan.toml", "-o", "run")
    assert (ran.returncode, "1 low" in ran.stdout) == (0, True), ran.stderr
    events = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
    assert [event["type"] for event in events] == ["run", "start", "finding", "result", "end"]


def test_the_installed_one_makes_a_plugin_that_runs(python, tmp_path):
    made = run(python, tmp_path, "-m", "kastrun", "plugins", "new", "mine", "--language", "python")
    assert made.returncode == 0, made.stderr
    with weak_site() as site:
        target, port = "127.0.0.1", site.http_url.rsplit(":", 1)[1].strip("/")
        command = ("-m", "kastrun", "plugins", "run", "mine", target, "--option", f"port={port}")
        ran = run(python, tmp_path, *command)
    assert (ran.returncode, "http.no-redirect" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_the_installed_one_runs_a_shipped_plugin(python, tmp_path):
    with weak_site() as site:
        target = site.http_url
        ran = run(python, tmp_path, "-m", "kastrun", "-t", target, "--run-only", "http-headers", "-o", "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"rule":"https.not-enforced"' in (tmp_path / "run" / "journal.jsonl").read_text()
