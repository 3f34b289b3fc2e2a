"""Folders of a run and of its jobs, and what of a job's files is taken: nothing surprising."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from kastrun.errors import UsageError
from kastrun.workspace import (
    MAX_ARTIFACT,
    BadArtifact,
    Place,
    Places,
    clear_place,
    clear_work,
    harvest,
    has_artifacts,
    make_place,
    make_run_folder,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run_folder(tmp_path / "run")


@pytest.fixture
def place(folder: Path) -> Place:
    return make_place(str(folder), "j1")


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


# the run folder


def test_the_run_folder_is_the_users_alone(tmp_path: Path) -> None:
    folder = make_run_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["work"]


def test_an_empty_folder_is_taken_and_closed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    assert make_run_folder(tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    with pytest.raises(UsageError) as raised:
        make_run_folder(tmp_path / "run")
    assert raised.value.message == f"the output folder {tmp_path}/run exists and is not empty"
    assert raised.value.hint == "name another with --output"
    for name in ("journal.jsonl", "profile.toml"):
        (tmp_path / "run" / name).touch()
    with pytest.raises(UsageError) as raised:
        make_run_folder(tmp_path / "run")
    assert raised.value.hint is not None
    assert raised.value.hint.endswith(f"; it is a run, and `kastrun resume {tmp_path}/run` goes on with it")


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(UsageError, match=r"cannot make the run folder .*/run: File exists"):
        make_run_folder(tmp_path / "run")


# a job's folder


def test_a_jobs_folder_holds_two_empty_things(place: Place) -> None:
    assert sorted(os.listdir(place.home)) == ["artifacts", "inputs.jsonl"]
    assert os.listdir(place.artifacts) == []
    assert Path(place.inputs).read_bytes() == b""
    assert Path(place.home).stat().st_mode & 0o777 == 0o700


def test_a_second_folder_of_one_job_is_an_error(folder: Path, place: Place) -> None:
    with pytest.raises(FileExistsError):
        make_place(str(folder), "j1")


def leave_nothing(home: Path) -> None:
    for path in (home / "inputs.jsonl", home / "artifacts"):
        path.unlink() if path.is_file() else path.rmdir()
    home.rmdir()


def leave_a_file_instead(home: Path) -> None:
    leave_nothing(home)
    home.touch()


def leave_depth(home: Path) -> None:
    here = os.open(home, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def leave_closed_doors(home: Path) -> None:
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "b" / "c").touch()
    (home / "a" / "b").chmod(0)
    (home / "a").chmod(0)
    home.chmod(0)


def leave_every_kind(home: Path) -> None:
    os.mkfifo(home / "fifo")
    (home / "link").symlink_to("/etc")
    (home / "artifacts" / "to-a-folder").symlink_to("/etc", target_is_directory=True)
    (home / "bad\udcff name\n").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "socket"))


@pytest.mark.parametrize(
    "leave",
    [lambda _: None, leave_nothing, leave_a_file_instead, leave_depth, leave_closed_doors, leave_every_kind],
)
def test_whatever_a_job_leaves_is_removed(leave: Callable[[Path], None], folder: Path, place: Place) -> None:
    leave(Path(place.home))
    clear_place(place)
    assert os.listdir(folder / "work") == []


def test_the_work_of_a_run_that_was_killed_is_removed(folder: Path, place: Place) -> None:
    leave_depth(Path(place.home))
    leave_every_kind(Path(place.home))
    clear_work(folder)
    clear_work(folder)
    assert os.listdir(folder) == []


def test_a_link_in_place_of_the_folder_is_removed_and_not_followed(folder: Path, place: Place) -> None:
    other = folder / "other"
    other.mkdir(mode=0o755)
    (other / "kept").touch()
    leave_nothing(Path(place.home))
    Path(place.home).symlink_to(other)
    clear_place(place)
    assert os.listdir(folder / "work") == []
    assert os.listdir(other) == ["kept"]
    assert other.stat().st_mode & 0o777 == 0o755


# folders that are used again


def test_an_untouched_folder_is_the_next_jobs(folder: Path) -> None:
    places = Places()
    first = places.take(str(folder), "j1")
    before = os.stat(first.home).st_ino
    assert places.sees_untouched(first)
    assert places.keep(first)
    second = places.take(str(folder), "j2")
    assert second.home == f"{folder}/work/j2"
    assert os.stat(second.home).st_ino == before
    assert os.listdir(folder / "work") == ["j2"]
    assert sorted(os.listdir(second.home)) == ["artifacts", "inputs.jsonl"]


def open_doors(home: Path) -> None:
    home.chmod(0o777)


def leave_a_word(home: Path) -> None:
    (home / "inputs.jsonl").write_text("mine")


def leave_a_hard_link(home: Path) -> None:
    os.link(home / "inputs.jsonl", home.parent / "elsewhere")


def leave_an_artifact(home: Path) -> None:
    (home / "artifacts" / "a").touch()


def leave_a_cache(home: Path) -> None:
    (home / ".cache").mkdir()


def leave_a_link_to_artifacts(home: Path) -> None:
    (home / "artifacts").rmdir()
    (home / "artifacts").symlink_to("/etc", target_is_directory=True)


@pytest.mark.parametrize(
    "leave",
    [
        leave_nothing,
        leave_a_file_instead,
        leave_closed_doors,
        open_doors,
        leave_a_word,
        leave_a_hard_link,
        leave_an_artifact,
        leave_a_cache,
        leave_a_link_to_artifacts,
    ],
)
def test_a_folder_that_was_used_is_no_other_jobs(leave: Callable[[Path], None], folder: Path) -> None:
    places = Places()
    first = places.take(str(folder), "j1")
    leave(Path(first.home))
    assert not places.sees_untouched(first)
    assert not places.keep(first)
    clear_place(first)
    assert not os.path.lexists(first.home)
    second = places.take(str(folder), "j2")
    assert sorted(os.listdir(second.home)) == ["artifacts", "inputs.jsonl"]
    assert os.listdir(second.artifacts) == []
    assert Path(second.inputs).read_bytes() == b""


def test_a_folder_that_nobody_looked_at_is_not_kept(folder: Path) -> None:
    places = Places()
    assert not places.keep(places.take(str(folder), "j1"))


def test_what_was_kept_is_removed_at_the_end(folder: Path) -> None:
    places = Places()
    for place in [places.take(str(folder), name) for name in ("j1", "j2")]:
        assert places.sees_untouched(place)
        assert places.keep(place)
    places.clear()
    assert os.listdir(folder / "work") == []


# artifacts


def test_files_are_hashed_and_moved(folder: Path, place: Place) -> None:
    deep = Path(place.artifacts, *(["d"] * 32))
    deep.mkdir(parents=True)
    (deep / "ünï code.txt").write_bytes(b"content")
    Path(place.artifacts, "a.bin").touch()
    assert has_artifacts(place)
    first, second = harvest(place, str(folder), "j1")
    assert (first.path, first.size) == ("a.bin", 0)
    assert (second.path, second.size) == ("d/" * 32 + "ünï code.txt", 7)
    assert second.sha256 == hashlib.sha256(b"content").hexdigest()
    assert (folder / "artifacts" / "j1" / second.path).read_bytes() == b"content"
    assert (folder / "artifacts").stat().st_mode & 0o777 == 0o700
    clear_place(place)


def test_those_of_an_earlier_attempt_are_replaced(folder: Path, place: Place) -> None:
    Path(place.artifacts, "old").touch()
    harvest(place, str(folder), "j1")
    again = make_place(str(folder), "j1.2")
    Path(again.artifacts, "new").touch()
    harvest(again, str(folder), "j1")
    assert os.listdir(folder / "artifacts" / "j1") == ["new"]


def test_empty_folders_are_nothing(folder: Path, place: Place) -> None:
    assert not has_artifacts(place)
    Path(place.artifacts, "empty").mkdir()
    assert harvest(place, str(folder), "j1") == []
    assert not (folder / "artifacts").exists()


def test_no_folder_has_no_artifacts(place: Place) -> None:
    os.rmdir(place.artifacts)
    assert not has_artifacts(place)


@pytest.mark.parametrize("size", [MAX_ARTIFACT, 0])
def test_64_mebibytes_are_taken(folder: Path, place: Place, size: int) -> None:
    sparse(Path(place.artifacts, "big"), size)
    assert [file.size for file in harvest(place, str(folder), "j1")] == [size]


def a_fifo(artifacts: Path) -> str:
    os.mkfifo(artifacts / "x")
    return "the artifact 'x' is a fifo, only regular files are taken"


def a_link(artifacts: Path) -> str:
    (artifacts / "x").symlink_to("/etc/passwd")
    return "the artifact 'x' is a symbolic link, only regular files are taken"


def a_link_to_a_folder(artifacts: Path) -> str:
    (artifacts / "x").symlink_to("/etc", target_is_directory=True)
    return "the artifact 'x' is a symbolic link, only regular files are taken"


def a_link_upwards(artifacts: Path) -> str:
    (artifacts / "deep").mkdir()
    (artifacts / "deep" / "x").symlink_to("..")
    return "the artifact 'deep/x' is a symbolic link, only regular files are taken"


def a_hard_link(artifacts: Path) -> str:
    (artifacts.parent / "outside").touch()
    os.link(artifacts.parent / "outside", artifacts / "x")
    return "the artifact 'x' has another hard link"


def a_socket(artifacts: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(artifacts / "x"))
    return "the artifact 'x' is a socket, only regular files are taken"


def a_device(artifacts: Path) -> str:
    try:
        os.mknod(artifacts / "x", 0o20600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs the right to make a device node")
    return "the artifact 'x' is a device, only regular files are taken"


def ten_gibibytes(artifacts: Path) -> str:
    sparse(artifacts / "x", 10 << 30)
    return "the artifact 'x' has 10,737,418,240 bytes, 67,108,864 (64 MiB) are allowed"


def one_byte_too_many(artifacts: Path) -> str:
    sparse(artifacts / "x", MAX_ARTIFACT + 1)
    return "the artifact 'x' has 67,108,865 bytes, 67,108,864 (64 MiB) are allowed"


def too_many_together(artifacts: Path) -> str:
    for number in range(5):
        sparse(artifacts / str(number), 60 << 20)
    return "314,572,800 bytes of artifacts, 268,435,456 (256 MiB) are allowed a job"


def control_characters(artifacts: Path) -> str:
    (artifacts / "a\x1b[31m").touch()
    return "the artifact name 'a\\x1b[31m' has control characters"


def no_text(artifacts: Path) -> str:
    (artifacts / os.fsdecode(b"a\xff")).touch()
    return "the artifact name 'a\\udcff' has control characters"


def a_pit(artifacts: Path) -> str:
    leave_depth(artifacts)
    return "the artifacts are in folders more than 32 deep"


def a_file_instead(artifacts: Path) -> str:
    artifacts.rmdir()
    artifacts.touch()
    return "the folder `artifacts` was replaced by a file"


def a_link_instead(artifacts: Path) -> str:
    artifacts.rmdir()
    artifacts.symlink_to("/etc")
    return "the folder `artifacts` was replaced by a symbolic link"


@pytest.mark.parametrize(
    "hand_over",
    [
        a_fifo,
        a_link,
        a_link_to_a_folder,
        a_link_upwards,
        a_hard_link,
        a_socket,
        a_device,
        ten_gibibytes,
        one_byte_too_many,
        too_many_together,
        control_characters,
        no_text,
        a_pit,
        a_file_instead,
        a_link_instead,
    ],
)
def test_one_bad_artifact_and_none_is_taken(
    hand_over: Callable[[Path], str], folder: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    artifacts = Path(place.artifacts)
    message = hand_over(artifacts)
    if artifacts.is_dir() and not artifacts.is_symlink():
        (artifacts / "good").touch()
    assert has_artifacts(place)
    with pytest.raises(BadArtifact) as raised:
        harvest(place, str(folder), "j1")
    assert str(raised.value) == message
    assert not (folder / "artifacts").exists()
    clear_place(place)
    assert os.listdir(folder / "work") == []
