"""What a benchmark stands on: plugins built, profiles written, programs started and timed.

Everything lives in a temporary folder and is gone afterwards. Targets are loopback
addresses that no plugin here contacts. Raises SystemExit, in words, where gcc is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

PLUGINS = Path(__file__).parent / "plugins"
WORKERS = 8
LIMIT_S = 300
_FIRST = int(IPv4Address("127.1.0.0"))
NAMED = int(IPv4Address("10.0.0.0"))
"""Of a network that is only named, never contacted, for measures of memory: loopback addresses are
special ones, each of which the scope must remember (docs/targets.md)."""

MANIFEST = """[plugin]
name = "{name}"
version = "1"
protocol = 1
summary = "For a benchmark"
exec = {exec}
mode = "passive"
targets = ["ip"]
"""


class Ran(NamedTuple):
    """A program that ended: wall-clock seconds, CPU seconds of it and all it waited for, peak MB (2**20)."""

    seconds: float
    cpu_s: float
    peak_mb: float


class Stage:
    """A folder with plugins in `plugins/` and whatever a benchmark puts beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = 0

    def build(self, name: str, source: str, *options: str, arguments: Sequence[str] = ()) -> Path:
        """A plugin from a C source: its program. `options` are gcc's, `arguments` the program's own."""
        if shutil.which("gcc") is None:
            raise SystemExit(
                "this benchmark builds its plugins with gcc, which is not here: apt-get install gcc"
            )
        program = self._plugin(name, arguments)
        subprocess.run(["gcc", "-O2", *options, "-o", program, PLUGINS / f"{source}.c"], check=True)
        return program

    def script(self, name: str, source: str, interpreter: str) -> Path:
        """A plugin from a script and the interpreter's line."""
        program = self._plugin(name, ())
        program.write_text(
            f"#!{interpreter}\n" + (PLUGINS / source).read_text(encoding="utf-8"), encoding="utf-8"
        )
        program.chmod(0o755)
        return program

    def targets(self, count: int, first: int = _FIRST) -> Path:
        """A list of `count` addresses, one a line; of 127.0.0.0/8 where it is not said."""
        path = self.folder / f"targets-{count}-{first}.txt"
        if not path.exists():
            with path.open("w", encoding="ascii") as file:
                file.writelines(f"{IPv4Address(first + number)}\n" for number in range(count))
        return path

    def profile(
        self, plugin: str, targets: int, *, workers: int = WORKERS, first: int = _FIRST, level: str = "off"
    ) -> Path:
        """A profile that gives `plugin` so many targets; `level` of the sandbox, which no peer has."""
        path = self.folder / f"{plugin}-{targets}-{workers}-{first}-{level}.toml"
        path.write_text(
            f'schema = 1\nmax_workers = {workers}\nfail_on = "none"\nplugin_dirs = ["plugins"]\n'
            f'targets_from = ["{self.targets(targets, first).name}"]\n'
            f'[sandbox]\nlevel = "{level}"\n[plugins.{plugin}]\n',
            encoding="utf-8",
        )
        return path

    def kastrun(self, *arguments: str | Path) -> Ran:
        """Any kastrun command, which must exit 0."""
        return timed([sys.executable, "-m", "kastrun", *arguments], self.folder)

    def scan(self, profile: Path) -> Ran:
        """Run a profile; every job must end ok. Its run folder is removed, unmeasured."""
        self._runs += 1
        out = self.folder / f"run-{self._runs}"
        ran = self.kastrun(profile, "-q", "-o", out)
        shutil.rmtree(out)
        return ran

    def _plugin(self, name: str, arguments: Sequence[str]) -> Path:
        folder = self.folder / "plugins" / name
        folder.mkdir(parents=True)
        words = ", ".join(f'"{word}"' for word in (f"./{name}", *arguments))
        (folder / "plugin.toml").write_text(MANIFEST.format(name=name, exec=f"[{words}]"), encoding="utf-8")
        return folder / name


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage, swept afterwards."""
    with tempfile.TemporaryDirectory(prefix="kastrun-bench-") as name:
        yield Stage(Path(name))


def environment() -> dict[str, str]:
    """The same few variables for every contender, those that kastrun gives its plugins."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}


def timed(command: Sequence[str | Path], folder: Path) -> Ran:
    """Run a command to its end with its output thrown away. Raises SystemExit where it fails."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if code:
            said.seek(0)
            words = " ".join(map(str, command))
            raise SystemExit(f"{words}: exit {code}\n{said.read().decode(errors='replace')[-4000:]}")
    return Ran(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def output(command: Sequence[str | Path]) -> str:
    """What a command prints. Raises CalledProcessError where it fails."""
    return subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout


def shell(script: str, folder: Path) -> Ran:
    """A pipeline of the shell."""
    return timed(["sh", "-c", script], folder)
