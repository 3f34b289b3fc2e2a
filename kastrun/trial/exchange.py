"""An exchange of one job as files: what went in, what came out and when, how it ended.

The format is docs/conformance.md's, for examples and for recordings alike: `CASE.job.json` and
`CASE.out.jsonl`, and here too `CASE.err.txt`, `CASE.end.json` and `CASE.artifacts/`. What is
kept holds no secret; what is read was written by anybody.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from kastrun.errors import UsageError
from kastrun.model import JsonObject
from kastrun.protocol import Redactor
from kastrun.trial.seen import Chunk, Tried
from kastrun.workspace import MAX_ARTIFACT

_DEFAULTS: Final[JsonObject] = {
    "type": "job",
    "v": 1,
    "id": "j1",
    "attempt": 1,
    "options": {},
    "deadline_s": 30,
    "accepts": ["finding", "asset", "progress", "log", "artifact", "done"],
}
_HTTP: Final[JsonObject] = {"user_agent": "kastrun/test", "headers": {}, "proxy": None, "ca_file": None}
_FIRST_PORT: Final = 40001
"""Of the servers of a site that nobody starts."""


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange: the path of its `CASE.job.json`."""

    job: Path

    @classmethod
    def at(cls, stem: Path) -> Case:
        """The case whose files begin with `stem`; that of its job's file, too."""
        return cls(stem if stem.name.endswith(".job.json") else stem.with_name(stem.name + ".job.json"))

    @property
    def name(self) -> str:
        """CASE."""
        return self.job.name.removesuffix(".job.json")

    @property
    def out(self) -> Path:
        """What the plugin printed, or is to print."""
        return self.beside(".out.jsonl")

    @property
    def end(self) -> Path:
        """How a recorded job went; an example that was written by hand has none."""
        return self.beside(".end.json")

    @property
    def site(self) -> Path:
        """The servers that are started for it."""
        return self.beside(".site.json")

    def beside(self, ending: str) -> Path:
        """The path of another of its files."""
        return self.job.with_name(self.name + ending)


class Ending(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`CASE.end.json`: whose job it was, under which limits, and what the host saw besides output.

    `chunks` has for each read its second, its stream and how many bytes of that stream's file
    came with it. Neither `exit_code` nor `signal`: it exited 0.
    """

    plugin: str
    version: str = "0"
    exec: tuple[str, ...] = ("./run",)
    idle_s: float = 0
    grace_s: float = 5
    output_mb: int = 256
    exit_code: int | None = None
    signal: int | None = None
    ended_s: float = 0
    cpu_s: float = 0
    max_rss_mb: float | None = None
    left: int = 0
    survivors: tuple[str, ...] = ()
    stdin_unread: bool = False
    chunks: tuple[tuple[float, Literal["out", "err"], int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A case that was read: its job, its streams in the reads in which they came, its end."""

    case: Case
    job: JsonObject
    chunks: tuple[Chunk, ...]
    ending: Ending


def whole_job(job: JsonObject) -> JsonObject:
    """A job as a case has it, with all that it leaves out."""
    return {**_DEFAULTS, **job, "http": {**_HTTP, **job.get("http", {})}}


def keep(tried: Tried, case: Case, redactor: Redactor) -> None:
    """Write what a trial was as a case, without its secrets. Raises OSError."""
    plugin, exit_ = tried.trial.plugin, tried.exit
    if exit_ is None:
        raise ValueError("a job without a process is no exchange")
    ending = Ending(
        plugin=plugin.name,
        version=plugin.version,
        exec=plugin.exec,
        idle_s=plugin.limits.idle_s,
        grace_s=plugin.limits.grace_s,
        output_mb=plugin.limits.output_mb,
        exit_code=exit_.code,
        signal=exit_.signal,
        ended_s=tried.ended.timings.duration_s,
        cpu_s=exit_.cpu_s,
        max_rss_mb=exit_.max_rss_mb,
        left=exit_.left,
        survivors=tuple(map(redactor.text, exit_.survivors)),
        stdin_unread="stdin_unread" in tried.ended.warnings,
        chunks=tuple(_sizes(tried.chunks, redactor)),
    )
    job = json.loads(redactor.data(tried.line))
    job = {name: value for name, value in job.items() if name not in {"artifacts", "inputs"}}
    case.out.write_bytes(redactor.data(tried.stdout))
    case.beside(".err.txt").write_bytes(redactor.data(_stream(tried.chunks, "stderr")))
    members = msgspec.to_builtins(ending).items()
    lines = (f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in members)
    case.end.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    case.job.write_text(json.dumps(job, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _stream(chunks: Sequence[Chunk], stream: str) -> bytes:
    return b"".join(chunk.data for chunk in chunks if chunk.stream == stream)


def _sizes(chunks: Sequence[Chunk], redactor: Redactor) -> Iterator[tuple[float, Literal["out", "err"], int]]:
    """Where a secret lay across two reads the sizes are a little off; nothing depends on that."""
    for chunk in chunks:
        yield chunk.at, "out" if chunk.stream == "stdout" else "err", len(redactor.data(chunk.data))


def keep_artifacts(source: str, case: Case, redactor: Redactor) -> Iterator[str]:
    """Copy what is handed over, before it is judged; gives what cannot be kept, in words. Raises OSError.

    Secrets are taken out of it, and a file above the limit is kept by its size alone.
    """
    kept = case.beside(".artifacts")
    if os.path.islink(source):
        yield "the folder `artifacts` was replaced by a link, which is left out"
        return
    for folder, _, names in os.walk(source):
        below = kept / Path(folder).relative_to(source)
        for name in names:
            path, status = Path(folder, name), os.lstat(Path(folder, name))
            if redactor.text(name) != name:
                yield "an artifact that has a secret in its name is left out"
            elif not stat.S_ISREG(status.st_mode):
                yield f"the artifact {name!r} is no regular file, and is left out"
            else:
                below.mkdir(parents=True, exist_ok=True)
                content = path.read_bytes() if status.st_size <= MAX_ARTIFACT else b""
                (below / name).write_bytes(redactor.data(content))
                if status.st_size > MAX_ARTIFACT:
                    os.truncate(below / name, status.st_size)


def read_exchange(case: Case) -> Exchange:
    """What a case holds. Raises UsageError, which says what of it cannot be read."""
    if not case.job.is_file():
        raise UsageError(
            f"there is no recording {case.job}", hint="`kastrun plugins record DIR TARGET` makes one"
        )
    names = _ports(case)
    try:
        job = json.loads(_filled(case.job.read_bytes(), names))
        if not isinstance(job, dict) or not isinstance(job.get("targets"), list) or not job["targets"]:
            raise ValueError("it has no `targets`")
        out, err = _filled(case.out.read_bytes(), names), b""
        if case.beside(".err.txt").is_file():
            err = case.beside(".err.txt").read_bytes()
        ending = _ending(case)
    except (OSError, ValueError, RecursionError) as error:  # what msgspec raises is a ValueError
        raise UsageError(
            f"the recording {case.job.parent / case.name} cannot be read: {error}",
            hint="docs/conformance.md has its format",
        ) from error
    return Exchange(
        case=case, job=whole_job(job), chunks=tuple(_chunks(ending, {"out": out, "err": err})), ending=ending
    )


def _ending(case: Case) -> Ending:
    if case.end.is_file():
        return msgspec.json.decode(case.end.read_bytes(), type=Ending)
    return Ending(plugin=case.job.absolute().parent.parent.name)


def _ports(case: Case) -> list[str]:
    if not case.site.is_file():
        return []
    site = json.loads(case.site.read_bytes())
    return list(site["servers"]) if isinstance(site, dict) and "servers" in site else ["port"]


def _filled(text: bytes, names: Sequence[str]) -> bytes:
    """`text` with made-up ports for the servers that a site would have."""
    for port, name in enumerate(names, _FIRST_PORT):
        number = str(port).encode()
        text = text.replace(f'"{{{name}:int}}"'.encode(), number).replace(f"{{{name}}}".encode(), number)
    return text


def _chunks(ending: Ending, streams: dict[str, bytes]) -> Iterator[Chunk]:
    """The reads; what no read accounts for comes at the end."""
    taken = {"out": 0, "err": 0}
    for at, stream, size in ending.chunks:
        data = streams[stream][taken[stream] : taken[stream] + max(size, 0)]
        taken[stream] += len(data)
        if data:
            yield Chunk("stdout" if stream == "out" else "stderr", min(at, ending.ended_s), data)
    for name, data in streams.items():
        if rest := data[taken[name] :]:
            yield Chunk("stdout" if name == "out" else "stderr", ending.ended_s, rest)


def restore_artifacts(case: Case, folder: str) -> None:
    """Put what the job had handed over into `folder` again. Raises OSError."""
    kept = case.beside(".artifacts")
    if kept.is_dir() and not kept.is_symlink():
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
