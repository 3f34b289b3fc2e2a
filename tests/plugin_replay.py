"""Runs a shipped plugin as kastrun would, and compares what it says with what was recorded.

A real child with the cleared environment of protocol.md section 2, one job line, stdin
closed. The convention for `examples/` is in plugins/README.md. It knows nothing of any
one plugin, and nothing of kastrun's engine: a plugin must work for any host.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kastrun.kit.examples import parse

PLUGINS = Path(__file__).resolve().parent.parent / "plugins"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEFAULTS: dict[str, Any] = {
    "type": "job",
    "v": 1,
    "id": "j1",
    "attempt": 1,
    "options": {},
    "deadline_s": 30,
    "accepts": ["finding", "asset", "progress", "log", "artifact", "done"],
}
_HTTP: dict[str, Any] = {"user_agent": "kastrun/test", "headers": {}, "proxy": None, "ca_file": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one run of a plugin said: its messages in order, how it ended, how long it took (s)."""

    messages: tuple[dict[str, Any], ...]
    returncode: int
    stderr: str
    seconds: float

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def rules(self) -> list[str]:
        return sorted(finding["rule"] for finding in self.of("finding"))

    @property
    def done(self) -> dict[str, Any]:
        assert [message["type"] for message in self.messages].count("done") == 1, self
        assert self.messages[-1]["type"] == "done", self
        return self.messages[-1]


def manifest(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "plugin.toml").read_text(encoding="utf-8"))


def missing_programs(folder: Path, stand_ins: Path | None = None) -> list[str]:
    """The programs in `[requires]` that are neither installed nor stood in for."""
    return [name for name in _required(folder) if not _find(name, stand_ins)]


def argv(folder: Path) -> list[str]:
    """`exec` with its program made absolute; only `./x` is relative to the plugin's folder."""
    first, *rest = manifest(folder)["plugin"]["exec"]
    return [str(folder / first) if first.startswith("./") else first, *rest]


def environment(folder: Path, home: Path, stand_ins: Path | None = None) -> dict[str, str]:
    """The whole environment of the child: nothing of ours comes through."""
    found = [Path(where).parent for name in _required(folder) if (where := _find(name, None))]
    path = [*([stand_ins] if stand_ins else []), *SYSTEM_PATH.split(":"), *dict.fromkeys(found)]
    return {
        "PATH": ":".join(map(str, path)),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "KASTRUN_PROTOCOL": "1",
    }


def job_line(job: Mapping[str, Any], home: Path, inputs: str = "") -> bytes:
    """The complete job as the one line on stdin; makes the artifacts folder and the inputs file."""
    (home / "artifacts").mkdir(exist_ok=True)
    (home / "inputs.jsonl").write_text(inputs, encoding="utf-8")
    whole = {**_DEFAULTS, **job, "http": {**_HTTP, **job.get("http", {})}}
    whole |= {"artifacts": str(home / "artifacts"), "inputs": str(home / "inputs.jsonl")}
    return json.dumps(whole).encode() + b"\n"


def run_plugin(
    folder: Path,
    job: Mapping[str, Any],
    home: Path,
    *,
    inputs: str = "",
    stand_ins: Path | None = None,
    timeout_s: float = 60,
) -> Told:
    """Runs the plugin in `folder` to its end; `home` is an empty folder that becomes the job's own.

    Raises TimeoutExpired past `timeout_s`, and AssertionError where stdout holds anything but
    one JSON object a line.
    """
    begin = time.monotonic()
    with subprocess.Popen(
        argv(folder),
        cwd=home,
        env=environment(folder, home, stand_ins),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(job_line(job, home, inputs), timeout_s)
        except BaseException:
            child.kill()
            raise
    return Told(
        messages=tuple(parse(out.decode())),
        returncode=child.returncode,
        stderr=err.decode(errors="replace"),
        seconds=time.monotonic() - begin,
    )


def _required(folder: Path) -> list[str]:
    """The programs that `[requires]` probes: argv[0] of each probe."""
    return [entry["probe"][0] for entry in manifest(folder).get("requires", {}).values()]


def _find(program: str, stand_ins: Path | None) -> str | None:
    beside_python = str(Path(sys.prefix) / "bin")
    places = [
        *([str(stand_ins)] if stand_ins else []),
        SYSTEM_PATH,
        os.environ.get("PATH", ""),
        beside_python,
    ]
    return shutil.which(program, path=":".join(places))
