"""Where attacks are tried: a user's home with something to steal, and a job that wants it.

Each attack is a script that runs as a job would, in every *cell*: at each level, as root and
as an ordinary user. `off` is the control: there the attack must succeed, or it proves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("runner.py")
SECRET = "attack-at-dawn-7f3a"
UID = 47113
"""An ordinary user's: in no file, owner of nothing."""

PRELUDE = """
import ctypes, errno, os, signal, socket, struct, sys, time
ARGS = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def syscall(number, *args):
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in args]
    result = libc.syscall(ctypes.c_long(number), *passed)
    if result < 0:
        raise OSError(ctypes.get_errno(), "syscall")
    return result
def attempt(name, act):
    try:
        got = act()
    except OSError as error:
        print(name, errno.errorcode.get(error.errno, str(error)), flush=True)
        return None
    print(name, "done", flush=True)
    return got
"""


class Cell(NamedTuple):
    """One way in which every attack is tried."""

    level: Literal["off", "plain", "strict"]
    who: Literal["root", "user"]

    def __str__(self) -> str:
        return f"{self.level}-{self.who}"


def cells() -> list[Cell]:
    """All that can be tried by whoever runs the tests: as an ordinary user, only that."""
    people: list[Literal["root", "user"]] = ["root", "user"] if os.geteuid() == 0 else ["user"]
    return [Cell(level, who) for who in people for level in ("off", "plain", "strict")]


@dataclass(frozen=True)
class Said:
    """What an attack printed, what became of each of its attempts, and how it ended."""

    out: str
    err: str
    code: int

    @property
    def attempts(self) -> dict[str, str]:
        """Name to `done` or the errno's name, for each line of `attempt`."""
        lines = (line.split() for line in self.out.splitlines())
        return {words[0]: words[1] for words in lines if len(words) == 2}


class Arena:
    """The surroundings of one attack in one cell."""

    def __init__(self, folder: Path, cell: Cell) -> None:
        self.cell, self.folder = cell, folder
        self.uid = os.geteuid() if cell.who == "root" or os.geteuid() else UID
        self.home, self.work, self.code = folder / "home", folder / "job", folder / "code"
        folder.chmod(0o755)
        for place in (self.home, self.work):
            place.mkdir(mode=0o700)
        for room in ("sandbox", "warden"):
            shutil.copytree(ROOT / "kastrun" / room, self.code / "kastrun" / room)
        for module in ("__init__", "blocks", "reach"):
            shutil.copy(ROOT / "kastrun" / f"{module}.py", self.code / "kastrun")
        shutil.copy(RUNNER, self.code)
        self._own(folder)

    def plant(self, name: str, content: str = SECRET, mode: int = 0o600) -> Path:
        """A file of the user's, outside the job's folder."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
        self._own(self.home)
        return path

    def run(self, payload: str, *args: object, **wishes: object) -> Said:
        """Run an attack to its end, as a job of this cell."""
        script = self.work / "attack.py"
        script.write_text(PRELUDE + payload, encoding="utf-8")
        self._own(script)
        order = {
            "level": self.cell.level,
            "work": str(self.work),
            "argv": ["/usr/bin/python3", "-I", str(script), *map(str, args)],
            **wishes,
        }
        command = [_interpreter(), "-I", str(self.code / "runner.py"), json.dumps(order)]
        if self.uid != os.geteuid():
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *command]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "KASTRUN_TEST_SECRET": SECRET},
        )
        return Said(done.stdout, done.stderr, done.returncode)

    def judge(self, said: Said, *, escaped: bool, errnos: set[str]) -> None:
        """`escaped` is what was seen outside; each attempt must have been refused with one of `errnos`."""
        if self.cell.level == "off":
            assert escaped, f"the control did nothing, so this attack proves nothing: {said}"
            return
        assert not escaped, f"escaped: {said}"
        assert said.attempts, f"it tried nothing: {said}"
        assert set(said.attempts.values()) <= errnos, said

    def _own(self, path: Path) -> None:
        if self.uid == os.geteuid():
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, self.uid, self.uid, follow_symlinks=False)


def _interpreter() -> str:
    """A Python that whoever runs the attack can reach: ours may be in a home folder."""
    mine = Path(sys.executable).resolve()
    reachable = all(parent.stat().st_mode & 0o001 for parent in mine.parents)
    return str(mine) if reachable else "/usr/bin/python3"
