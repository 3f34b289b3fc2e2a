"""A plugin made ready for one trial: the engine's station, with the trial's own surroundings."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from kastrun.bundle import Bundle
from kastrun.intent import read_secret
from kastrun.launch import Station
from kastrun.model import JsonObject, SecretRef
from kastrun.trial.wishes import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStation(Station):
    """A station whose line and environment are what the trial says."""

    trial: Trial
    homes: dict[str, str] = field(default_factory=dict)
    """Working directory to the job's own folder, where the trial has them differ."""

    def environment(self, home: str) -> dict[str, str]:
        trial = self.trial
        usual = Station.environment(self, self.homes.get(home, home))
        path = usual["PATH"] if trial.path is None else os.pathsep.join(trial.path)
        kept = {} if trial.bare else usual
        laid = {**kept, "PATH": path, **trial.environment}
        return {name: value for name, value in laid.items() if value is not None}

    def line(self, bundle: Bundle, artifacts: str, inputs: str) -> tuple[bytes, tuple[str, ...]]:
        trial = self.trial
        if trial.inputs:
            with open(inputs, "w", encoding="utf-8") as file:
                file.write(_housed(trial.inputs, os.path.dirname(inputs)))
        line, secrets = Station.line(self, bundle, artifacts, inputs)
        if trial.document is not None:
            places = {"artifacts": artifacts, "inputs": inputs}
            line = _encoded({**_housed(trial.document, os.path.dirname(inputs)), **places})
        elif trial.extra:
            line = _encoded(_merged(json.loads(line), trial.extra))
        return line + trial.more_stdin, secrets


def _encoded(document: JsonObject) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _merged(document: JsonObject, extra: JsonObject) -> JsonObject:
    """`extra` laid over `document`, table by table; each entry of `targets` gets what `targets` has."""
    result = dict(document)
    for name, value in extra.items():
        there = result.get(name)
        if isinstance(there, list) and isinstance(value, dict):
            result[name] = [_merged(each, value) for each in there]
        elif isinstance(there, dict) and isinstance(value, dict):
            result[name] = _merged(there, value)
        else:
            result[name] = value
    return result


def _housed(value: Any, home: str) -> Any:
    if isinstance(value, dict):
        return {name: _housed(inner, home) for name, inner in value.items()}
    if isinstance(value, list):
        return [_housed(inner, home) for inner in value]
    return value.replace("{home}", home) if isinstance(value, str) else value


def station_of(trial: Trial) -> TrialStation:
    def secret(reference: SecretRef) -> str:
        value = trial.options.get(reference.name)
        known = reference.name in trial.plugin.secret_options and isinstance(value, str)
        return str(value) if known else read_secret(reference)

    limits = trial.plugin.limits
    return TrialStation(
        trial=trial,
        plugin=trial.plugin,
        limits=structs.replace(limits, total_s=min(limits.total_s, trial.total_s or limits.total_s)),
        http=trial.http,
        folders=trial.folders,
        passed={name: os.environ[name] for name in trial.plugin.sandbox.env if name in os.environ},
        read_secret=secret,
    )
