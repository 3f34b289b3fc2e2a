"""Runs of plugins that say what they are told to: the words lie outside of a plugin's folder, so that another
run of the same jobs can find something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo_runs import Ran, finished, kastrun, write_profile

FAILS: tuple[Any, ...] = ()
"""Instead of findings: the plugin says nothing at all, which is a failure."""


def finding(rule: str, severity: str = "low", **more: Any) -> dict[str, Any]:
    return {"type": "finding", "rule": rule, "title": f"about {rule}", "severity": severity, **more}


def teach(home: Path, plugins: Mapping[str, Sequence[dict[str, Any]]], version: str = "1") -> None:
    """What each plugin says from now on."""
    for name, says in plugins.items():
        words = home / f"{name}.jsonl"
        lines = [] if says is FAILS else [*says, {"type": "done", "status": "ok"}]
        words.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        folder = home / "told" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plugin.toml").write_text(
            f'[plugin]\nname = "{name}"\nversion = "{version}"\nprotocol = 1\nsummary = "s"\n'
            f'exec = ["cat", "{words}"]\nmode = "passive"\ntargets = ["ip"]\n',
            encoding="utf-8",
        )


def told_run(
    home: Path,
    out: str,
    plugins: Mapping[str, Sequence[dict[str, Any]]],
    *,
    version: str = "1",
    top: str = "",
    tables: str = "",
    complete: bool = True,
) -> Ran:
    """A run of these plugins into `home/out`."""
    teach(home, plugins, version)
    profile = write_profile(home, list(plugins), zoo=home / "told", top=top, tables=tables)
    done = kastrun(home, profile, "-o", out)
    return finished(home / out, done.returncode, done.stdout, done.stderr, complete=complete)
