"""The settings as plain data: what there is, what each is for, its default.

Floor 3. Holds no parsing: files and variables are read in `sources`, which is imported
only where there is one, for pydantic is the slowest import of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct, field

from kastrun import resources

Color = Literal["auto", "always", "never"]
PREFIX: Final = "KASTRUN_"


class Settings(Struct, frozen=True, kw_only=True):
    """The tool's settings. `origins` has where each that is not a default came from.

    `plugin_dirs` are absolute; `runs_dir` is relative to the working directory or absolute.
    """

    plugin_dirs: tuple[str, ...] = ()
    runs_dir: str = "runs"
    max_workers: int = field(default_factory=lambda: default_workers())
    color: Color = "auto"
    origins: Mapping[str, str] = {}


class Provenance(Struct, frozen=True, kw_only=True):
    """One line of `kastrun settings`: a setting, its value, where that came from, what it is for."""

    name: str
    value: Any
    origin: str
    purpose: str


PURPOSES: Final[dict[str, str]] = {
    "plugin_dirs": "folders of plugins, searched after the profile's and before the shipped ones",
    "runs_dir": "where the folders of runs are made",
    "max_workers": "how many jobs run at once where the profile does not say",
    "color": "colour in the terminal: auto, always or never",
}


def default_workers() -> int:
    """The profile schema's default of `max_workers`, so that it is written once."""
    return int(resources.schema("profile")["properties"]["max_workers"]["default"])


def provenance(settings: Settings) -> list[Provenance]:
    """Every setting, in the order of the reference."""
    return [
        Provenance(
            name=name,
            value=list(value) if isinstance(value := getattr(settings, name), tuple) else value,
            origin=settings.origins.get(name, "default"),
            purpose=purpose,
        )
        for name, purpose in PURPOSES.items()
    ]
