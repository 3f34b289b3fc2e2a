"""Small fast plugins and what is compared of runs of them: one that was broken off and resumed must equal
one that never was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zoo_runs

SAID = ("finding", "asset", "log", "artifact")

_FINDS = """
target=${job#*'"value":"'}; target=${target%%'"'*}
for port in 22 80; do
  echo '{"type":"asset","kind":"service","value":"'$target:$port'/tcp"}'
  echo '{"type":"finding","rule":"open","title":"a port","severity":"low","key":"'$port'"}'
done
"""
_READS = """
while read -r line; do
  value=${line#*'"value":"'}
  echo '{"type":"finding","rule":"read","title":"handed on","severity":"info","key":"'${value%%'"'*}'"}'
done < "$HOME/inputs.jsonl"
"""
_HANDS = """
target=${job#*'"value":"'}
echo "${target%%'"'*}" > "$HOME/artifacts/target.txt"
echo '{"type":"artifact","path":"target.txt"}'
echo '{"type":"log","level":"info","message":"handed over"}'
"""
_FAILS = """
echo '{"type":"finding","rule":"half","title":"found before it broke","severity":"medium"}'
exit 3
"""
PLUGINS = {
    "finds": (_FINDS, {"produces": ["finding", "asset:service"]}),
    "reads": (_READS, {"consumes": ["asset:service"]}),
    "hands": (_HANDS, {}),
    "fails": (_FAILS, {}),
    "skips": ('echo \'{"type":"done","status":"skipped"}\'; exit 0', {}),
}


def write_plugins(folder: Path, names: Iterable[str] = PLUGINS) -> None:
    """The folder `plugins` in `folder`; shell builtins only, for the most part, so that they are quick."""
    for name in names:
        body, keys = PLUGINS[name]
        write_plugin(folder / "plugins", name, body, **keys)


def write_plugin(folder: Path, name: str, body: str, **keys: object) -> None:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    manifest = {
        "name": name, "version": "1.0.0", "protocol": 1, "summary": name, "exec": ["./run.sh"],
        "mode": "passive", "targets": ["host", "ip"],
    } | keys  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in manifest.items()]
    (place / "plugin.toml").write_text("[plugin]\n" + "".join(lines))
    script = place / "run.sh"
    script.write_text(f'#!/bin/sh\nread -r job\n{body}\necho \'{{"type":"done","status":"ok"}}\'\n')
    script.chmod(0o755)


def write_profile(
    folder: Path, names: Iterable[str] = PLUGINS, *, hosts: int = 6, workers: int = 3, tables: str = ""
) -> Path:
    targets = [f"127.0.0.{number}" for number in range(1, hosts + 1)]
    top = f"max_workers = {workers}"
    return zoo_runs.write_profile(
        folder, list(names), targets=targets, zoo=folder / "plugins", top=top, tables=tables
    )


def events(folder: Path) -> list[dict[str, Any]]:
    """What the journal has, whole lines in their order."""
    found = zoo_runs.read_journal(folder)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    return found


def told(found: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """By job: status, reason, and what its last attempt said. Each of these jobs has a result."""
    said: dict[str, list[str]] = {}
    ended: dict[str, tuple[Any, ...]] = {}
    for event in found:
        job = event.get("job", "")
        if event["type"] == "start":
            said[job] = []
        elif event["type"] in SAID:
            said.setdefault(job, []).append(_essence(event))
        elif event["type"] == "result":
            ended[job] = (event["plugin"], event["target"], event["status"], event["reason"])
        elif event["type"] == "void":
            said.pop(job, None)
            ended.pop(job, None)
    assert said.keys() <= ended.keys(), "started, and without a result"
    return {job: (*how, sorted(said.get(job, ()))) for job, how in ended.items()}


def _essence(event: dict[str, Any]) -> str:
    kept = {key: value for key, value in event.items() if key not in {"seq", "at", "attempt"}}
    return json.dumps(kept, sort_keys=True)


def results_of(found: list[dict[str, Any]]) -> dict[str, list[str]]:
    """By job, the statuses of all its results."""
    results: dict[str, list[str]] = {}
    for event in found:
        if event["type"] == "result":
            results.setdefault(event["job"], []).append(event["status"])
    return results


def shown(home: Path, folder: Path) -> dict[str, Any]:
    """What `kastrun show` makes of the journal, without what time and place changed."""
    done = zoo_runs.kastrun(home, "show", "--json", folder)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    jobs = sorted((job["job"], job["status"], job["findings"]) for job in document["jobs"])
    kept = {
        key: document[key]
        for key in ("coverage", "findings", "assets", "artifacts", "warnings", "exit", "status")
    }
    return kept | {"jobs": jobs}


def artifacts(folder: Path) -> dict[str, bytes]:
    """Every file that was handed over, by its path in the run folder."""
    found = (path for path in (folder / "artifacts").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def size(path: Path) -> int:
    """Bytes of a file that may not be there yet."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
