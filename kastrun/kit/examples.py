"""Recorded exchanges of a plugin's `examples` folder, replayed against servers on loopback.

The convention is in docs/conformance.md: `CASE.job.json`, `CASE.out.jsonl`, and perhaps
`CASE.site.json`, `CASE.inputs.jsonl`, `CASE.bin/`. Runs the plugin as a trial; what it printed
then must be what it prints now.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from kastrun.errors import UsageError
from kastrun.kit.site import Site, site
from kastrun.kit.subject import Subject
from kastrun.launch import SYSTEM_PATH
from kastrun.model import JsonObject, Plugin, Target
from kastrun.trial import Case, Trial, Tried, Workshop, read_exchange
from kastrun.trial.exchange import whole_job

COMPARED: Final = ("finding", "asset", "artifact", "done")
REPLAY_S: Final = 60.0
_TARGET: Final = ("kind", "value", "scheme", "host", "port", "path")


def _stand_ins(case: Case) -> list[str]:
    """The folder of stand-ins for external programs, where there is one."""
    folder = case.beside(".bin")
    return [str(folder)] if folder.is_dir() else []


def _inputs(case: Case) -> str:
    """The consumed assets, with placeholders."""
    path = case.beside(".inputs.jsonl")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _servers(case: Case) -> JsonObject:
    """What `site` starts for it."""
    read: JsonObject = {"servers": {}}
    if case.site.exists():
        read = json.loads(case.site.read_text(encoding="utf-8"))
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A replay: the run, what it printed, and what the placeholders stood for."""

    tried: Tried
    messages: list[JsonObject]
    places: Mapping[str, str]


def cases(folder: Path) -> list[Case]:
    """The examples of a plugin's folder, by name."""
    return [Case(path) for path in sorted(folder.glob("examples/*.job.json"))]


async def replay_all(subject: Subject, plugin: Plugin, shop: Workshop) -> dict[str, str | None]:
    """Each example's name with what differs, None where nothing does."""
    found: dict[str, str | None] = {}
    folders = subject.readiness.folders if subject.readiness else ()
    for case in cases(subject.folder):
        try:
            if case.end.exists() and not case.site.exists():
                read_exchange(case)  # recorded from a real target: the kit is offline, and reads it only
                found[case.name] = None
                continue
            replayed = await replay(case, plugin, shop, folders)
            found[case.name] = difference(case, replayed)
        except UsageError as error:
            found[case.name] = str(error)
        except (OSError, ValueError, KeyError, TypeError) as error:
            found[case.name] = f"the recording cannot be read: {type(error).__name__}: {error}"
    return found


async def replay(case: Case, plugin: Plugin, shop: Workshop, folders: Sequence[str] = ()) -> Replayed:
    """Start the servers of a case and run the plugin against them.

    No other trial of the shop may run meanwhile: making certificates starts processes that are
    no plugin's. Raises ValueError for what is no JSON, on disk or on the plugin's stdout.
    """
    with tempfile.TemporaryDirectory(prefix="kastrun-site-") as scratch:
        stack = ExitStack()
        try:
            entering = site(_servers(case), Path(scratch) / "tls")
            running = await trio.to_thread.run_sync(stack.enter_context, entering)
            places = _places(case, running)
            tried = await shop.run(_trial(case, plugin, places, folders))
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(stack.close)
    return Replayed(tried=tried, messages=parse(tried.stdout.decode()), places={**places, "home": tried.home})


async def record_again(case: Case, plugin: Plugin, shop: Workshop, folders: Sequence[str] = ()) -> str:
    """Write down what the plugin prints now; whether that is ``as it was`` or ``changed``.

    Raises as `replay` does, and ValueError where the plugin fails: a failure is no example.
    """
    replayed = await replay(case, plugin, shop, folders)
    tried = replayed.tried
    if tried.exit is None or tried.exit.code != 0:
        raise ValueError(f"it did not exit 0: {tried.stderr[-300:]}")
    if case.out.is_file() and difference(case, replayed) is None:
        return "as it was"
    case.out.write_text(recorded(replayed.messages, replayed.places), encoding="utf-8")
    return "changed: read it before you keep it"


def difference(case: Case, replayed: Replayed) -> str | None:
    """What a replay prints that the recording does not, or the other way round; None where nothing."""
    tried = replayed.tried
    if tried.exit is None or tried.exit.code != 0:
        failure = tried.ended.failure
        return f"it did not exit 0: {failure.message if failure else ''} {tried.stderr[-300:]}"
    if not case.out.is_file():
        return f"{case.out.name} is missing"
    expected = fill(parse(case.out.read_text(encoding="utf-8")), replayed.places)
    wanted, seen = comparable(expected), comparable(replayed.messages)
    for index, message in enumerate(wanted):
        if index >= len(seen):
            return f"message {index + 1} was not printed: {message}"
        if not matches(message, seen[index]):
            return f"message {index + 1}: wanted {message}, got {seen[index]}"
    if len(seen) > len(wanted):
        return f"message {len(wanted) + 1} is not in the recording: {seen[len(wanted)]}"
    logged = [message for message in replayed.messages if message["type"] == "log"]
    for log in (message for message in expected if message["type"] == "log"):
        if not any(matches(log, other) for other in logged):
            return f"was not logged: {log}"
    return None


def _places(case: Case, running: Site) -> dict[str, str]:
    places = {name: str(port) for name, port in running.ports.items()}
    places["examples"] = str(case.job.parent)
    if running.ca_file is not None:
        places["ca_file"] = str(running.ca_file)
    return places


def _trial(case: Case, plugin: Plugin, places: Mapping[str, str], folders: Sequence[str]) -> Trial:
    job: JsonObject = fill(json.loads(case.job.read_text(encoding="utf-8")), places)
    target = job["targets"][0]
    return Trial(
        plugin=plugin,
        target=Target(**{name: target[name] for name in _TARGET if name in target}),
        path=tuple(dict.fromkeys([*_stand_ins(case), *SYSTEM_PATH, *folders])),
        document=whole_job(job),
        inputs=fill(_inputs(case), places),
        total_s=REPLAY_S,
    )


def parse(out: str) -> list[JsonObject]:
    """Standard output as messages. Raises ValueError where it holds anything else."""
    messages: list[JsonObject] = []
    for number, line in enumerate(filter(str.strip, out.split("\n")), 1):
        try:
            message = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is not protocol: {line[:200]!r} ({error})") from error
        if not isinstance(message, dict) or "type" not in message:
            raise ValueError(f"line {number} is no message: {line[:200]!r}")
        messages.append(message)
    return messages


def fill(value: Any, places: Mapping[str, str]) -> Any:
    """`value` with each `{name}` of `places` put in, and `"{name:int}"` as a number. `{any}` stays."""
    if isinstance(value, Mapping):
        return {key: fill(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, places) for inner in value]
    if not isinstance(value, str):
        return value
    if (whole := re.fullmatch(r"\{(\w+):int\}", value)) and whole[1] in places:
        return int(places[whole[1]])
    return re.sub(r"\{(\w+)\}", lambda match: places.get(match[1], match[0]), value)


def matches(expected: Any, seen: Any) -> bool:
    """Equality in which `{any}` in an expected string stands for any run of characters."""
    if expected == "{any}":
        return True
    if isinstance(expected, str) and isinstance(seen, str):
        pattern = ".*".join(map(re.escape, expected.split("{any}")))
        return re.fullmatch(pattern, seen, re.DOTALL) is not None
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        return expected.keys() == seen.keys() and all(matches(expected[key], seen[key]) for key in expected)
    if isinstance(expected, list) and isinstance(seen, list):
        return len(expected) == len(seen) and all(map(matches, expected, seen))
    return bool(expected == seen)


def comparable(messages: Iterable[Mapping[str, Any]]) -> list[JsonObject]:
    """What a recording is about: no progress, no logs, no times."""
    return [
        {key: value for key, value in message.items() if key != "at"}
        for message in messages
        if message["type"] in COMPARED or message["type"].startswith("x-")
    ]


def recorded(messages: Iterable[Mapping[str, Any]], places: Mapping[str, str]) -> str:
    """`messages` as the text of an `out.jsonl`, with ports and folders as placeholders again."""
    lines = [json.dumps(message, ensure_ascii=False) for message in comparable(messages)]
    text = "".join(f"{line}\n" for line in lines)
    for name, value in places.items():
        text = re.sub(rf'"port": {re.escape(value)}\b', f'"port": "{{{name}:int}}"', text)
        text = re.sub(rf"(?<!\d){re.escape(value)}(?!\d)", f"{{{name}}}", text)
    return text
