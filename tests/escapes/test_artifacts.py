"""Attacks 79 to 81: files handed over that are more than files.

The control is what a collector does that copies, or moves, whatever it finds.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from arena import SECRET, Arena

from kastrun import workspace
from kastrun.workspace import BadArtifact, Place

KINDS = {
    "link": ("os.symlink(ARGS[0], 'artifacts/report')", lambda path: SECRET in path.read_text()),
    "second name": ("os.link(ARGS[0], 'artifacts/report')", lambda path: SECRET in path.read_text()),
    "linked folder": (
        "os.symlink(os.path.dirname(ARGS[0]), 'artifacts/report')",
        lambda path: SECRET in (path / "secret").read_text(),
    ),
    "fifo": ("os.mkfifo('artifacts/report')", lambda path: stat.S_ISFIFO(path.lstat().st_mode)),
    "socket": ("os.mknod('artifacts/report', 0o140600)", lambda path: stat.S_ISSOCK(path.lstat().st_mode)),
}


def collect(arena: Arena, *, moved: bool = False) -> Path:
    """What was handed over, where it then is; by kastrun, where it is confined, else without a thought."""
    kept = arena.folder / "artifacts" / "job"
    home = str(arena.work)
    place = Place(home=home, artifacts=f"{home}/artifacts", inputs=f"{home}/inputs.jsonl")
    if arena.cell.confined:
        try:
            workspace.harvest(place, str(arena.folder), "job")
        except BadArtifact:
            assert not kept.exists()
    elif moved:
        kept.parent.mkdir()
        os.rename(place.artifacts, kept)
    else:
        shutil.copytree(place.artifacts, kept)
    return kept


@pytest.mark.parametrize("kind", KINDS)
def test_79_more_than_a_file(arena: Arena, kind: str):
    secret = arena.plant("secret")
    make, stolen = KINDS[kind]
    said = arena.run(f"os.mkdir('artifacts')\nattempt('make', lambda: {make})", secret)
    got = collect(arena, moved=kind in {"fifo", "socket"}) / "report"
    refused = {"done", "EXDEV", "EPERM", "ENOENT", "EACCES"}
    arena.judge(said, escaped=os.path.lexists(got) and stolen(got), errnos=refused)


def test_79_a_device(root_arena: Arena):
    make = "attempt('make', lambda: os.mknod('artifacts/null', 0o20600, 259))"
    said = root_arena.run(f"os.mkdir('artifacts')\n{make}")
    got = collect(root_arena, moved=True) / "null"
    escaped = os.path.lexists(got) and stat.S_ISCHR(got.lstat().st_mode)
    root_arena.judge(said, escaped=escaped, errnos={"EPERM", "EACCES"})


@pytest.mark.parametrize("name", ["\x1b[2J", "\u202egpj.exe", "two\nlines"], ids=ascii)
def test_80_a_name_that_is_shown(arena: Arena, name: str):
    make = f"attempt('make', lambda: open({'artifacts/' + name!a}, 'w').close())"
    said = arena.run(f"os.mkdir('artifacts')\n{make}")
    got = collect(arena)
    arena.judge(said, escaped=got.is_dir() and name in os.listdir(got), errnos={"done"})


def test_80_a_name_that_is_an_option(arena: Arena):
    """It is a name like any other to what hands it to no shell and no program."""
    victim = arena.plant("victim")
    said = arena.run("os.mkdir('artifacts')\nattempt('make', lambda: open('artifacts/-rf', 'w').close())")
    got = collect(arena)
    if not arena.cell.confined:  # `rm *`, as a script would
        os.rename(victim, got / "victim")
        (got / "victim").chmod(0o400)
        os.system(f"cd {got} && mkdir folder && rm *")
        assert not (got / "folder").exists()
        return
    assert os.listdir(got) == ["-rf"]
    workspace.clear_place(Place(home=str(arena.work), artifacts="", inputs=""))
    assert victim.read_text() == SECRET
    arena.judge(said, escaped=False, errnos={"done"})


def test_81_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing of the job lives then, so somebody else does it; it is no longer the file that was judged."""
    (tmp_path / "work").mkdir()
    place = workspace.make_place(str(tmp_path), "job")
    Path(place.artifacts, "log").write_bytes(b"x")
    judge = workspace._files  # type: ignore[attr-defined]

    def grown(root: str) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = judge(root)
        with Path(root, "log").open("ab") as file:
            file.truncate(1 << 20)
        return found

    monkeypatch.setattr(workspace, "_files", grown)
    with pytest.raises(BadArtifact, match="grew while it was read"):
        workspace.harvest(place, str(tmp_path), "job")
    assert not (tmp_path / "artifacts").exists()
