"""Attacks 21 to 35: what is the user's stays the user's, and the disk stays usable."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from pathlib import Path

import pytest
from arena import SECRET, Arena

HIDDEN = {"EACCES", "ENOENT", "EPERM", "EROFS"}
OWN = {"done"}
"""Where a job has a /tmp or a /proc of its own, it may do there as it likes."""


@pytest.mark.parametrize("name", [".ssh/id_ed25519", ".aws/credentials", ".netrc", ".bash_history"])
def test_21_reads_a_secret_of_the_home_folder(arena: Arena, name: str):
    key = arena.plant(name)
    said = arena.run("print(attempt('read', lambda: open(ARGS[0]).read()))", key)
    arena.judge(said, escaped=SECRET in said.out, errnos=HIDDEN)


def test_21_lists_the_home_folder(arena: Arena):
    arena.plant(f"{SECRET}.txt")
    said = arena.run("print(attempt('list', lambda: os.listdir(ARGS[0])))", arena.home)
    arena.judge(said, escaped=SECRET in said.out, errnos=HIDDEN)


def test_22_reads_what_another_job_has(arena: Arena):
    other = arena.folder / "work" / "j2"
    other.mkdir(parents=True, mode=0o700)
    (other / "inputs.jsonl").write_text(SECRET)
    arena.own(arena.folder / "work")
    said = arena.run("print(attempt('read', lambda: open(ARGS[0]).read()))", other / "inputs.jsonl")
    arena.judge(said, escaped=SECRET in said.out, errnos=HIDDEN)


def test_22_writes_into_what_another_job_has(arena: Arena):
    other = arena.folder / "work" / "j2"
    other.mkdir(parents=True, mode=0o700)
    arena.own(arena.folder / "work")
    said = arena.run("attempt('write', lambda: open(ARGS[0] + '/planted', 'w').close())", other)
    arena.judge(said, escaped=(other / "planted").exists(), errnos=HIDDEN)


def test_23_writes_through_a_link(arena: Arena):
    notes = arena.plant("notes")
    payload = "os.symlink(ARGS[0], 'link'); attempt('write', lambda: open('link', 'w').write('gone'))"
    said = arena.run(payload, notes)
    arena.judge(said, escaped=notes.read_text() != SECRET, errnos=HIDDEN)


def test_24_takes_a_second_name_for_a_file(arena: Arena):
    notes = arena.plant("notes")
    said = arena.run("attempt('link', lambda: os.link(ARGS[0], 'link'))", notes)
    arena.judge(said, escaped=notes.stat().st_nlink > 1, errnos=HIDDEN | {"EXDEV"})


@pytest.mark.parametrize(
    "name", [".bashrc", ".profile", ".config/autostart/x.desktop", ".ssh/authorized_keys"]
)
def test_25_plants_what_the_user_will_run(arena: Arena, name: str):
    dotfile = arena.plant(name, "")
    said = arena.run("attempt('append', lambda: open(ARGS[0], 'a').write('evil'))", dotfile)
    arena.judge(said, escaped=dotfile.read_text() != "", errnos=HIDDEN)


@pytest.mark.parametrize("place", ["/dev/shm", "/tmp", "/var/tmp"])
def test_26_leaves_something_where_everybody_looks(arena: Arena, place: str):
    left = Path(place, f"kastrun-{arena.folder.name}")
    said = arena.run("attempt('write', lambda: open(ARGS[0], 'w').write('left'))", left)
    arena.judge(said, escaped=left.exists(), errnos=HIDDEN | (OWN if arena.cell.level == "strict" else set()))
    left.unlink(missing_ok=True)


FILL = """
def fill(path):
    with open(path, 'wb', buffering=0) as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        while True:
            if not file.write(bytes(1 << 20)) or file.tell() >= 96 << 20:
                return
"""


def test_27_fills_the_disk_with_one_file(arena: Arena):
    fsize = _limited(arena, resource.RLIMIT_FSIZE, 32 << 20)
    said = arena.run(FILL + "attempt('fill', lambda: fill('big'))", **fsize)
    arena.judge(said, escaped=(arena.work / "big").stat().st_size > 32 << 20, errnos={"EFBIG"})


def test_27_fills_memory_by_way_of_tmp(arena: Arena):
    """`/tmp` and `/dev/shm` are of a size; without a root of its own they are not there at all."""
    big = Path("/dev/shm", f"{arena.folder.name}-big")
    said = arena.run(FILL + "attempt('fill', lambda: fill(ARGS[0]))", big, tmpfs_bytes=16 << 20)
    arena.judge(said, escaped=big.exists(), errnos=HIDDEN | {"ENOSPC"})
    big.unlink(missing_ok=True)


def test_27_fills_tmp_with_names(arena: Arena):
    places = [Path("/tmp", f"{arena.folder.name}-{number}") for number in range(4000)]
    payload = "attempt('make', lambda: [open(f'{ARGS[0]}-{number}', 'w').close() for number in range(4000)])"
    said = arena.run(payload, Path("/tmp", arena.folder.name), tmpfs_inodes=2000)
    arena.judge(said, escaped=places[3999].exists(), errnos=HIDDEN | {"ENOSPC"})
    for place in places:
        place.unlink(missing_ok=True)


def test_28_makes_a_file_that_looks_endless(arena: Arena):
    payload = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
attempt('grow', lambda: open('big', 'w').truncate(10 << 30))
"""
    said = arena.run(payload)
    arena.judge(said, escaped=(arena.work / "big").stat().st_size > 1 << 30, errnos={"EFBIG"})


def test_29_runs_a_program_that_it_brought(arena: Arena):
    payload = """
import shutil
shutil.copyfile('/bin/touch', 'own')
os.close(os.open('own', os.O_RDONLY))
attempt('mode', lambda: os.chmod('own', 0o755))
def run():
    pid = os.fork()
    if pid == 0:
        try:
            os.execv('./own', ['own', 'made'])
        except OSError as error:
            os._exit(error.errno)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise OSError(code, 'exec')
attempt('run', run)
"""
    said = arena.run(payload)
    if arena.cell.confined:
        assert said.attempts["run"] == "EACCES", said
    arena.judge(said, escaped=(arena.work / "made").exists(), errnos={"EACCES", "EPERM", "done"})


def test_30_turns_a_switch_of_another_process(arena: Arena):
    with arena.victim() as process:
        switch = Path(f"/proc/{process.pid}/oom_score_adj")
        said = arena.run("attempt('write', lambda: open(ARGS[0], 'w').write('987'))", switch)
        arena.judge(said, escaped=switch.read_text() == "987\n", errnos=HIDDEN)


def test_30_turns_a_switch_of_its_own(arena: Arena):
    """Of its out-of-memory score, say: so as not to be the first to go."""
    payload = """
old = open('/proc/self/oom_score_adj').read()
attempt('lower', lambda: open('/proc/self/oom_score_adj', 'w').write(str(int(old) - 1)))
"""
    if arena.cell == ("none", "user"):
        return  # nobody but the superuser may lower it
    said = arena.run(payload)
    arena.judge(said, escaped="lower done" in said.out, errnos=HIDDEN)


@pytest.mark.parametrize("name", ["kernel/core_pattern", "vm/overcommit_memory", "kernel/printk"])
def test_30_turns_a_switch_of_the_machine(root_arena: Arena, name: str):
    """To what it is, so that the control changes nothing."""
    payload = "now = open(ARGS[0]).read(); attempt('write', lambda: open(ARGS[0], 'w').write(now))"
    said = root_arena.run(payload, f"/proc/sys/{name}")
    root_arena.judge(said, escaped="write done" in said.out, errnos=HIDDEN)


def test_31_mounts(root_arena: Arena):
    place = root_arena.work / "here"
    place.mkdir()
    payload = "attempt('mount', lambda: syscall(165, b'tmpfs', ARGS[0].encode(), b'tmpfs', 0, b''))"
    said = root_arena.run(payload, place)
    mounted = os.path.ismount(place)
    if mounted:
        ctypes.CDLL(None).umount2(os.fsencode(place), 2)
    root_arena.judge(said, escaped=mounted, errnos=HIDDEN)


def test_32_opens_a_file_by_its_handle(root_arena: Arena):
    key = root_arena.plant("key")
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.memmove(handle, (128).to_bytes(4, "little"), 4)
    mount = ctypes.c_int()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.name_to_handle_at(-100, os.fsencode(key), handle, ctypes.byref(mount), 0) == 0
    payload = """
handle = ctypes.create_string_buffer(bytes.fromhex(ARGS[0]))
def opened():
    return os.read(syscall(304, os.open('.', os.O_RDONLY), handle, 0), 99)
print(attempt('open', opened))
"""
    said = root_arena.run(payload, handle.raw.hex())
    root_arena.judge(said, escaped=SECRET in said.out, errnos=HIDDEN)


def test_33_moves_a_file_out(arena: Arena):
    payload = "open('evil', 'w').close(); attempt('move', lambda: os.rename('evil', ARGS[0] + '/evil'))"
    said = arena.run(payload, arena.home)
    arena.judge(said, escaped=(arena.home / "evil").exists(), errnos=HIDDEN | {"EXDEV"})


def test_33_moves_a_file_in(arena: Arena):
    key = arena.plant("key")
    said = arena.run("attempt('move', lambda: os.rename(ARGS[0], 'key'))", key)
    arena.judge(said, escaped=not key.exists(), errnos=HIDDEN | {"EXDEV"})


@pytest.mark.parametrize("way", ["dots", "openat", "fchdir", "proc", "o_path"])
def test_34_walks_out_of_its_folder(arena: Arena, way: str):
    arena.plant("key")
    payload = {
        "dots": "open('../home/key').read()",
        "openat": "os.read(os.open('../home/key', os.O_RDONLY, dir_fd=os.open('.', os.O_RDONLY)), 99)",
        "fchdir": "[os.chdir('..'), open('home/key').read()]",
        "proc": "open('/proc/self/cwd/../home/key').read()",
        "o_path": "open(f\"/proc/self/fd/{os.open('../home/key', os.O_PATH)}\").read()",
    }[way]
    said = arena.run(f"print(attempt('{way}', lambda: {payload}))")
    arena.judge(said, escaped=SECRET in said.out, errnos=HIDDEN)


CHANGES = {
    "truncate": "os.truncate(path, 0)",
    "chmod": "os.chmod(path, 0o777)",
    "fchmodat2": "syscall(452, os.open(path, os.O_PATH), b'', 0o777, 0x1000)",
    "chmod by proc": "os.chmod(f'/proc/self/fd/{os.open(path, os.O_PATH)}', 0o777)",
    "utime": "os.utime(path, (1, 1))",
    "xattr": "os.setxattr(path, 'user.evil', b'1')",
    "unlink": "os.unlink(path)",
    "tmpfile": "os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR)",
    "mkfifo": "os.mkfifo(path + '.fifo')",
    "mkdir": "os.mkdir(path + '.d')",
}


@pytest.mark.parametrize("change", CHANGES)
def test_35_changes_a_file_of_the_user(arena: Arena, change: str):
    notes = arena.plant("notes")
    before = notes.stat()
    word = change.split()[0]
    said = arena.run(f"path = ARGS[0]; attempt('{word}', lambda: {CHANGES[change]})", notes)
    after = notes.stat() if notes.exists() else None
    changed = after is None or (after.st_mode, after.st_size, after.st_mtime, after.st_nlink) != (
        before.st_mode,
        before.st_size,
        before.st_mtime,
        before.st_nlink,
    )
    changed |= len(os.listdir(arena.home)) != 1 or bool(os.listxattr(notes) if after else False)
    changed |= change == "tmpfile" and f"{word} done" in said.out  # it has no name, and is gone again
    arena.judge(said, escaped=changed, errnos=HIDDEN | {"EOPNOTSUPP"})


def test_35_changes_what_it_may_read(arena: Arena):
    """Its own plugin, or the Python that runs it: readable, and perhaps the user's own."""
    shelf = arena.folder / "shelf"
    shelf.mkdir()
    tool = shelf / "tool"
    shutil.copy("/bin/true", tool)
    arena.own(shelf)
    before = tool.stat()
    payload = """
path = ARGS[0]
for name, change in (
    ('write', lambda: open(path, 'w')), ('fchmod', lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o777)),
    ('chmod', lambda: os.chmod(path, 0o777)), ('rename', lambda: os.rename(path, path + '2')),
    ('flags', lambda: fcntl.ioctl(os.open(path, os.O_RDONLY), 0x40086602, struct.pack('q', 0x80))),
    ('replace', lambda: os.unlink(path)),
):
    attempt(name, change)
"""
    said = arena.run(payload, tool, also=str(shelf))
    unchanged = tool.exists() and (tool.stat().st_mode, tool.stat().st_size, tool.stat().st_ctime) == (
        before.st_mode,
        before.st_size,
        before.st_ctime,
    )
    arena.judge(said, escaped=not unchanged, errnos=HIDDEN)


def _limited(arena: Arena, which: int, value: int) -> dict[str, object]:
    limits = dict(arena.orders().rlimits)
    return {"rlimits": tuple({**limits, which: value}.items())} if arena.cell.confined else {}
