"""Profiles written into a folder and loaded from it, with plugins made of thin air."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kastrun import files, problems
from kastrun.files import Loaded
from kastrun.model import Limits, Plugin, Problem, SandboxAsk
from kastrun.profile import Overrides

OPTIONS = {
    "type": "object",
    "additionalProperties": False,
    "required": [],
    "properties": {
        "ports": {"type": "string", "default": "443"},
        "depth": {"type": "integer", "minimum": 1, "maximum": 9},
        "token": {"type": "string", "writeOnly": True},
    },
}


def plugin(name: str, **changes: Any) -> Plugin:
    """A plugin of the folder `plugins`, with the options above."""
    told: dict[str, Any] = {
        "name": name,
        "version": "1.0",
        "summary": f"what {name} does",
        "homepage": None,
        "folder": f"/plugins/{name}",
        "exec": ("./run",),
        "mode": "passive",
        "targets": ("url", "host"),
        "depends_on": (),
        "consumes": (),
        "produces": ("finding",),
        "priority": 50,
        "options_schema": OPTIONS,
        "secret_options": frozenset({"token"}),
        "requires": (),
        "limits": Limits(total_s=900, idle_s=0, grace_s=5, memory_mb=1024, output_mb=256),
        "sandbox": SandboxAsk(),
        "digest": "0" * 64,
        "origin": "profile",
    }
    return Plugin(**{**told, **changes})


@dataclass
class FakeCatalogue:
    """Plugins by name, and those with a broken manifest."""

    plugins: Mapping[str, Plugin]
    broken: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    searched: Sequence[str] = ("/plugins",)


class Room:
    """A folder to write profiles into; it is the working directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalogue = FakeCatalogue({name: plugin(name) for name in ("http-headers", "nmap")})

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    def load(self, text: str | bytes | None = None, **flags: Any) -> Loaded:
        """What `scan.toml` (written first where there is a text) loads to."""
        if text is not None:
            self.write("scan.toml", text)
        environ = flags.pop("environ", {"SET": "x"})
        return files.load_profile(
            "scan.toml", Overrides(**flags), find=lambda *_: self.catalogue, environ=environ
        )

    def said(self, text: str | bytes | None = None, **flags: Any) -> str:
        """The problems as they are printed, without the closing line."""
        shown = problems.render(self.load(text, **flags).problems)
        return shown.rpartition("\n\n")[0] + "\n" if shown else ""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.chdir(tmp_path)
    return Room(tmp_path)
