"""Where attacks are tried: a user's home with something to steal, and a job that wants it.

Each attack is a script, run in every *cell*: with no sandbox at all (`none`, the control, where
it must succeed or it proves nothing), `plain` and `strict`, as root and as an ordinary user.
Confined it runs as in a scan: by the launcher and a warden, by orders drafted from a policy.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

from profile_rooms import plugin

from kastrun.launch import Station
from kastrun.model import Http, Limits, SandboxAsk, SandboxWish
from kastrun.policy import Machine, decide
from kastrun.sandbox import landlock
from kastrun.sandbox.drafting import Subject, draft
from kastrun.sandbox.orders import Orders
from kastrun.warden import wire

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = "attack-at-dawn-7f3a"
UID: Final = 47113
"""An ordinary user's: in no file, owner of nothing."""
LIMITS: Final = Limits(total_s=30, idle_s=0, grace_s=0, memory_mb=256, output_mb=1)
LONGEST_S: Final = 60
PYTHON: Final = "/usr/bin/python3"

PRELUDE: Final = """
import ctypes, errno, fcntl, os, resource, signal, socket, struct, sys, time
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

    level: Literal["none", "plain", "strict"]
    who: Literal["root", "user"]

    def __str__(self) -> str:
        return f"{self.level}-{self.who}"

    @property
    def confined(self) -> bool:
        return self.level != "none"


def cells() -> list[Cell]:
    """All that can be tried by whoever runs the tests: as an ordinary user, only that."""
    people: list[Literal["root", "user"]] = ["root", "user"] if os.geteuid() == 0 else ["user"]
    return [Cell(level, who) for who in people for level in ("none", "plain", "strict")]


@dataclass(frozen=True)
class Said:
    """What an attack printed, and how it ended. `left` were still alive then, and killed."""

    out: str
    err: str
    code: int
    left: int = 0
    told: tuple[tuple[Any, ...], ...] = ()
    """What its broker told of it: lines of the ledger."""

    @property
    def attempts(self) -> dict[str, str]:
        """Name to `done` or an errno's name, for each line of `attempt`."""
        lines = (line.split() for line in self.out.splitlines())
        return {words[0]: words[1] for words in lines if len(words) == 2}


class Garrison:
    """A launcher of kastrun's, started as root or as an ordinary user; lasts for many attacks."""

    def __init__(self, folder: Path, who: Literal["root", "user"]) -> None:
        self.as_user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        self.as_user = self.as_user if who == "user" and os.geteuid() == 0 else []
        self.uid = UID if self.as_user else os.geteuid()
        for part in ("warden", "sandbox"):
            shutil.copytree(ROOT / "kastrun" / part, folder / "kastrun" / part)
        for module in ("__init__", "blocks", "reach"):
            shutil.copy(ROOT / "kastrun" / f"{module}.py", folder / "kastrun")
        code = "import sys; sys.path.insert(0, sys.argv[1]); "
        code += "from kastrun.warden.launcher import main; main(int(sys.argv[2]))"
        self._launcher, theirs = wire.pair()
        with theirs:
            self._process = subprocess.Popen(
                [*self.as_user, _interpreter(), "-ISE", "-c", code, str(folder), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._launcher.close()
        self._process.wait(LONGEST_S)

    def warden(self) -> Warden:
        ours, theirs = wire.pair()
        with theirs:
            wire.send(self._launcher, ("warden",), (theirs.fileno(),))
        return Warden(ours)


class Warden:
    """One warden, as kastrun speaks to it."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.pid: int = self.hear(LONGEST_S)[1]

    def hear(self, within_s: float) -> tuple[Any, ...]:
        """What it says next; empty where it says nothing for so long."""
        ready, _, _ = select.select([self.control], [], [], within_s)
        return wire.receive(self.control)[0] if ready else ()

    def start(self, command: Command, orders: Orders) -> None:
        packet = (
            "start",
            os.fsencode(command.argv[0]),
            [os.fsencode(word) for word in command.argv],
            {os.fsencode(name): os.fsencode(value) for name, value in command.environment.items()},
            os.fsencode(orders.work),
            0,
            tuple(orders),
        )
        wire.send(self.control, packet, command.fds)


class Command(NamedTuple):
    """What a warden is to start."""

    argv: list[str]
    environment: dict[str, str]
    fds: tuple[int, ...]


class Running:
    """An attack under way. Whoever began it ends it: `over`."""

    def __init__(
        self, arena: Arena, command: list[str], orders: Orders | None, leak: tuple[int, ...]
    ) -> None:
        self.arena = arena
        self._out, self._err = arena.folder / "out", arena.folder / "err"
        self._warden: Warden | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._end: tuple[Any, ...] = ()
        self._told: list[tuple[Any, ...]] = []
        with open(os.devnull, "rb") as null, self._out.open("wb") as out, self._err.open("wb") as err:
            fds = (null.fileno(), out.fileno(), err.fileno(), *leak)
            if orders is not None:
                self._warden = arena.garrison.warden()
                self._warden.start(Command(command, arena.environment(), fds), orders)
            else:
                self._process = arena.unconfined(command, *fds)

    def until_said(self, word: str) -> None:
        """Wait until the attack has printed a line that begins so."""
        until = time.monotonic() + LONGEST_S
        while not any(line.startswith(word) for line in self._out.read_text().splitlines()):
            assert time.monotonic() < until, (word, self._out.read_text(), self._err.read_text())
            time.sleep(0.005)

    def terminate(self) -> None:
        """As kastrun does at a deadline; without it a SIGTERM is all that a user sends."""
        if self._warden:
            wire.send(self._warden.control, wire.TERMINATE)
        elif self._process:
            self._process.terminate()

    def kill(self) -> None:
        """As kastrun does when the grace is over; no user would, who knows of no such process."""
        if self._warden:
            wire.send(self._warden.control, wire.KILL)

    def orphan(self) -> None:
        """As if kastrun had been killed: its end of the warden's socket closes."""
        if self._warden:
            self._warden.control.close()

    def kill_guard(self) -> None:
        if self._warden:
            os.kill(self._warden.pid, signal.SIGKILL)

    def ends_within(self, seconds: float) -> bool:
        if self._process:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
            return True
        assert self._warden
        while not self._end and (said := self._warden.hear(seconds)):
            assert said[0] in {"gone", "end", "egress"}, said
            self._told += said[1] if said[0] == "egress" else ()
            self._end = said[1:] if said[0] == "end" else ()
        return bool(self._end)

    def over(self) -> Said:
        """Kill what still runs of it, and tell what it said."""
        code, left = -9, 0
        if self._process:
            self._process.kill()
            code = self._process.wait()
        elif self._end:
            code, left = self._end[0], self._end[3]
        if self._warden:
            self._warden.control.close()
        return Said(
            self._out.read_text(errors="replace"),
            self._err.read_text(errors="replace"),
            code,
            left,
            tuple(self._told),
        )


@dataclass
class Arena:
    """The surroundings of one attack in one cell."""

    folder: Path
    cell: Cell
    garrison: Garrison

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)
        self.home, self.work = self.folder / "home", self.folder / "job"
        for place in (self.home, self.work):
            place.mkdir(mode=0o700)
        self.own(self.folder)

    @property
    def uid(self) -> int:
        return self.garrison.uid

    def plant(self, name: str, content: str = SECRET, mode: int = 0o600) -> Path:
        """A file of the user's, outside the job's folder."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
        self.own(self.home)
        return path

    @contextmanager
    def victim(
        self, *, cwd: Path = Path("/"), stdin: Path = Path(os.devnull), name: str = "sleep", python: str = ""
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the same user's that minds its own business, with a secret in its environment.

        It sleeps, and dies when `python` does: then that says on its standard output that it is ready.
        """
        argv = ["/bin/bash", "-c", f"exec -a {name} /bin/sleep 600"]
        argv = [PYTHON, "-c", python] if python else argv
        with stdin.open("rb") as given:
            process = subprocess.Popen(
                [*self.garrison.as_user, *argv],
                env={"VICTIM_SECRET": SECRET},
                cwd=cwd,
                stdin=given,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        assert process.stdout
        try:
            if python:
                process.stdout.readline()
            while not python and Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
                time.sleep(0.001)
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def orders(self, **changes: Any) -> Orders:
        means: Literal["namespaces", "plain"] = "namespaces" if self.cell.level == "strict" else "plain"
        machine = Machine(landlock=landlock.abi(), root=self.uid == 0, broker=True)
        policy = decide(plugin("attack", sandbox=SandboxAsk()), SandboxWish(), machine, means)
        subject = Subject(programs=(PYTHON,), folders=(), path="/usr/bin:/bin", limits=LIMITS)
        orders = draft(policy, machine, subject)
        if self.uid:
            orders = orders._replace(inner_ids=(self.uid, self.uid))
        return orders._replace(work=os.path.realpath(self.work))._replace(**changes)

    def environment(self) -> dict[str, str]:
        station = Station(
            plugin=plugin("attack"),
            limits=LIMITS,
            http=Http(user_agent="", headers={}),
            folders=(),
            passed={},
            read_secret=str,
        )
        return station.environment(str(self.work))

    def command(self, payload: str, *args: object) -> list[str]:
        script = self.work / "attack.py"
        script.write_text(PRELUDE + payload, encoding="utf-8")
        self.own(script)
        return [PYTHON, "-I", str(script), *map(str, args)]

    def begin(
        self,
        payload: str,
        *args: object,
        leak: int | None = None,
        also: str | Sequence[str] = (),
        memory_mb: int | None = None,
        **changes: Any,
    ) -> Running:
        """Begin an attack. `changes` are laid over its orders; `leak` is a descriptor left open, by
        mistake, as its 3; `also` are what it may read besides.
        """
        command = self.command(payload, *args)
        leaked = () if leak is None else (leak,)
        if not self.cell.confined:
            return Running(self, command, None, leaked)
        orders = self.orders(**changes)
        also = (also,) if isinstance(also, str) else also
        orders = orders._replace(readable=tuple(dict.fromkeys((*orders.readable, *also))))
        if memory_mb:
            bounds = dict(orders.rlimits) | {resource.RLIMIT_DATA: memory_mb << 20}
            orders = orders._replace(rlimits=tuple(bounds.items()))
        return Running(self, command, orders, leaked)

    def run(self, payload: str, *args: object, **how: Any) -> Said:
        """Run an attack to its end."""
        running = self.begin(payload, *args, **how)
        assert running.ends_within(LONGEST_S), running.over()
        return running.over()

    def unconfined(self, command: list[str], *fds: int) -> subprocess.Popen[bytes]:
        """As any program that is started without a thought: with the user's environment, and what is open."""
        stdin, stdout, stderr, *leaked = fds
        wrapped = ["/bin/bash", "-c", f'exec "$@" 3<&{leaked[0]}', "bash", *command] if leaked else command
        return subprocess.Popen(
            [*self.garrison.as_user, *wrapped],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=leaked,
            cwd=self.work,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "USER_SECRET": SECRET},
            start_new_session=True,
        )

    def judge(self, said: Said, *, escaped: bool, errnos: set[str]) -> None:
        """`escaped` is what was seen outside; each attempt must have been refused with one of `errnos`."""
        if not self.cell.confined:
            assert escaped, f"the control did nothing, so this attack proves nothing: {said}"
            return
        assert not escaped, f"escaped: {said}"
        assert said.attempts, f"it tried nothing: {said}"
        assert set(said.attempts.values()) <= errnos, said

    def own(self, path: Path) -> None:
        if self.uid == os.geteuid():
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, self.uid, self.uid, follow_symlinks=False)


def _interpreter() -> str:
    """A Python that whoever runs the attack can reach: ours may be in a home folder."""
    mine = Path(sys.executable).resolve()
    reachable = all(parent.stat().st_mode & 0o001 for parent in mine.parents)
    return str(mine) if reachable else PYTHON
