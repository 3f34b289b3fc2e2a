"""The user's file and the `KASTRUN_…` variables, read by pydantic-settings.

Floor 3. Variables win over the file. Every bad value is named with its variable, or
shown at its line in the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from kastrun.errors import ProfileError
from kastrun.files import TomlFile
from kastrun.model import JsonObject, Problem
from kastrun.places import Notes, Nowhere, in_order
from kastrun.schema import near
from kastrun.schema.words import found
from kastrun.settings.values import PREFIX, PURPOSES, Color, Settings, default_workers

_WORDS: Final = {
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "greater_than_equal": "expected a number from 1 to 1024",
    "less_than_equal": "expected a number from 1 to 1024",
    "literal_error": "expected auto, always or never",
    "string_type": "expected text in quotes",
    "string_too_short": "expected a folder",
    "tuple_type": "expected a list of folders",
}


def _split(value: object) -> object:
    """A variable's folders are separated by colons, as in PATH."""
    return [each for each in value.split(":") if each] if isinstance(value, str) else value


_Folder = Annotated[str, Field(min_length=1)]


class _Values(BaseSettings):
    """The shape that both sources are held to."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    plugin_dirs: Annotated[tuple[_Folder, ...], NoDecode, BeforeValidator(_split)] = ()
    runs_dir: _Folder = "runs"
    max_workers: Annotated[int, Field(ge=1, le=1024)] = Field(default_factory=default_workers)
    color: Color = "auto"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes them by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first, then what the file said; nothing else."""
        return env_settings, init_settings


def read(file: TomlFile | None) -> Settings:
    """The settings of a file that was read (None where there is none) and the environment.

    Raises ProfileError with every problem of both.
    """
    problems = list(file.problems) if file else []
    document: JsonObject = (file.document if file else None) or {}
    variables = {name.lower(): name for name in os.environ if name.upper().startswith(PREFIX)}
    origins = {name: _origin(name, document, variables, file) for name in PURPOSES}
    values = None
    try:
        values = _Values(**document)
    except ValidationError as error:
        problems += _problems(error, file, variables)
    folders = [_absolute(each, variables, file) for each in values.plugin_dirs] if values else []
    problems += _missing(folders, variables, file)
    if problems or values is None:
        raise ProfileError(problems)
    return Settings(
        plugin_dirs=tuple(folders),
        runs_dir=str(Path(values.runs_dir).expanduser()),
        max_workers=values.max_workers,
        color=values.color,
        origins={name: where for name, where in origins.items() if where},
    )


def _missing(folders: list[str], variables: Mapping[str, str], file: TomlFile | None) -> list[Problem]:
    """A problem for each folder that is not there."""
    variable = variables.get(f"{PREFIX}plugin_dirs".lower())
    notes = Notes(Nowhere() if variable or file is None else file.source)
    for index, folder in enumerate(folders):
        if not Path(folder).is_dir():
            message = f"{variable}: {folder}: no such folder" if variable else f"{folder}: no such folder"
            notes.add(("plugin_dirs", index), "missing_file", message)
    return notes.problems


def _origin(
    name: str, document: JsonObject, variables: Mapping[str, str], file: TomlFile | None
) -> str | None:
    """Where the value of a setting comes from, None for its default."""
    if (variable := variables.get(f"{PREFIX}{name}".lower())) is not None:
        return variable
    return file.source.file if file and name in document else None


def _absolute(folder: str, variables: Mapping[str, str], file: TomlFile | None) -> str:
    """A folder of the file is seen from the file's folder, one of a variable from the working directory."""
    from_file = file is not None and f"{PREFIX}plugin_dirs".lower() not in variables
    start = Path(file.source.file).parent if file is not None and from_file else Path.cwd()
    return os.path.normpath(start / Path(folder).expanduser())


def _problems(error: ValidationError, file: TomlFile | None, variables: Mapping[str, str]) -> list[Problem]:
    notes = Notes(file.source) if file else Notes(Nowhere())
    for each in error.errors():
        path = tuple(part for part in each["loc"] if part != "function-before")
        name = str(path[0])
        variable = variables.get(f"{PREFIX}{name}".lower())
        words = _WORDS.get(each["type"], each["msg"])
        if each["type"] == "extra_forbidden":
            hint = near(name, PURPOSES) or f"known here: {', '.join(PURPOSES)}"
            notes.add(path, "unknown_key", "unknown key", hint=hint, at="key")
        elif variable is not None:
            message = f"{variable}: {words}, found {found(os.environ[variable])}"
            notes.add((name,), "bad_setting", message, source=Nowhere())
        else:
            notes.add(path, "bad_setting", f"{words}, found {found(each['input'])}")
    return in_order(notes.problems)
