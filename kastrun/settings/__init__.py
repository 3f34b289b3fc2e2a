"""Settings: of the tool, never of the scan. Flags win over variables, those over the user's file.

Floor 3. Where there is neither file nor variable the defaults are used as they stand,
without importing pydantic. What changes a scan's meaning belongs in the profile.
"""

from __future__ import annotations

import os
from pathlib import Path

from kastrun.model import Problem
from kastrun.settings.values import PREFIX, PURPOSES, Color, Provenance, Settings, provenance

__all__ = ["Color", "Provenance", "Settings", "config_file", "load", "provenance", "unknown_variables"]

_NOT_SETTINGS = frozenset(("KASTRUN_PROTOCOL",))
"""Variables of the same prefix with a meaning of their own."""


def config_file() -> Path:
    """The user's file, there or not: ``$XDG_CONFIG_HOME/kastrun/config.toml``, or below ``~/.config``.

    A relative XDG_CONFIG_HOME is passed over, as the XDG Base Directory Specification asks.
    """
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    root = Path(folder) if folder.startswith("/") else Path.home() / ".config"
    return root / "kastrun" / "config.toml"


def load() -> Settings:
    """The settings of file and environment; raises ProfileError with everything that is wrong in them."""
    path = config_file()
    there = os.path.lexists(path)
    if not there and not any(_setting(name) in PURPOSES for name in os.environ):
        return Settings()
    from kastrun.files import read_toml
    from kastrun.settings.sources import read

    return read(read_toml(path) if there else None)


def unknown_variables() -> list[Problem]:
    """A warning for each ``KASTRUN_…`` variable that is no setting; `kastrun settings` shows them."""
    from kastrun.schema import near

    problems: list[Problem] = []
    for name in sorted(os.environ):
        known = _setting(name) in PURPOSES or name in _NOT_SETTINGS
        if not name.upper().startswith(PREFIX) or known:
            continue
        hint = near(name, [f"{PREFIX}{setting.upper()}" for setting in PURPOSES])
        message = f"{name} is set, but is no setting of kastrun"
        problems.append(Problem(message=message, rule="unknown_variable", level="warning", hint=hint))
    return problems


def _setting(variable: str) -> str:
    """The setting that a variable would be."""
    return variable.upper().removeprefix(PREFIX).lower() if variable.upper().startswith(PREFIX) else ""
