"""The runs that the kit makes of a plugin: for each scene, its trials or why there are none.

A scene is a situation; checks judge what came of it. Nothing is run here, and nothing judged.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from msgspec import structs

from kastrun.kit import aims, programs
from kastrun.kit.hostile import FORGED, Servers
from kastrun.kit.subject import Subject, filled, names_port
from kastrun.model import Http, JsonObject, Plugin, Target, TargetKind
from kastrun.schema import check
from kastrun.trial import Trial, complete, target_for

UNKNOWN: Final[JsonObject] = {
    "kit_unknown": {"nested": [1, None, "ü"]},
    "x_kit": True,
    "targets": {"kit_unknown": 1},
    "http": {"kit_unknown": []},
}
BULK: Final[JsonObject] = {"options": {"x_kit_padding": "0123456789abcdef" * (200 << 6)}}
"""200 KiB: more than a pipe holds, and than Linux takes as one word of a command line (128 KiB)."""

_UNWRITABLE: Final = ("/sys/kernel", "/proc/sys")
"""Where not even root may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all scenes of one plugin share. `as_is` is laid over every trial: changed surroundings."""

    subject: Subject
    plugin: Plugin
    servers: Servers
    scratch: Path
    secret: str
    as_is: Callable[[Trial], Trial] = lambda trial: trial

    def trial(self, port: int | None = None, *, target: Target | None = None) -> Trial:
        """The ordinary trial against the server on `port` (the ordinary one). Raises UsageError."""
        wishes, servers = self.subject.wishes, self.servers
        places: dict[str, int | str] = {
            "port": port or servers.ordinary,
            "tls": port or servers.tls,
            "file": str(self.file("ordinary.txt")),
            "ca_file": servers.ca_file,
        }
        ready = self.subject.readiness
        trusted = servers.ca_file if wishes.target and "{tls}" in wishes.target else None
        return self.as_is(
            Trial(
                plugin=self.plugin,
                target=target or self._target(places),
                options=complete(self.plugin, self._options(places)),
                http=Http(user_agent="kastrun-kit/1", headers={}, ca_file=trusted),
                folders=ready.folders if ready else (),
                total_s=wishes.seconds,
            )
        )

    def file(self, name: str, content: bytes = b"An ordinary file.\n") -> Path:
        """A file of the scratch folder, made at its first use."""
        path = self.scratch / name
        if not path.exists():
            path.write_bytes(content)
        return path

    @property
    def reaches_ports(self) -> bool:
        """Whether the kit can have the plugin talk to the server that it chooses."""
        return aims.has_port(self.plugin.targets[0]) or names_port(self.subject.wishes)

    def _target(self, places: Mapping[str, int | str]) -> Target:
        wished = self.subject.wishes.target
        if wished is not None:
            return target_for(self.plugin, str(filled(wished, places)))
        return aims.aim(self.plugin.targets[0], "127.0.0.1", int(places["port"]), Path(str(places["file"])))

    def _options(self, places: Mapping[str, int | str]) -> JsonObject:
        """The author's options, and a made-up value for each secret that is not given."""
        options: JsonObject = filled(self.subject.wishes.options, places)
        properties: JsonObject = self.plugin.options_schema.get("properties", {})
        for name in sorted(self.plugin.secret_options - options.keys()):
            if not check(properties[name], self.secret):
                options[name] = self.secret
        return options


Trials = Mapping[str, Trial] | str
"""By suffix (empty where a scene is one run), or why there is none."""


def make_secret() -> str:
    """A value that occurs nowhere else."""
    return f"kit-secret-{secrets.token_hex(12)}"


def _one(stage: Stage) -> Trials:
    return {"": stage.trial()}


def _kinds(stage: Stage) -> Trials:
    """Each accepted kind, in each form."""
    return {
        f"{kind} {target.value}": stage.trial(target=target)
        for kind in stage.plugin.targets
        for target in _forms(stage, kind)
    }


def _forms(stage: Stage, kind: TargetKind) -> list[Target]:
    """Every form of a kind; a file's second form has a name that needs care."""
    forms = list(aims.each(kind, stage.servers.ordinary, stage.file("ordinary.txt")))
    if kind == "file":
        forms.append(aims.aim("file", "127.0.0.1", 0, stage.file("dürr & 'quoted' $name.txt")))
    return forms


def _batch(stage: Stage) -> Trials:
    """The forms of its best kind in one process, where it takes several targets at once."""
    several = _forms(stage, stage.plugin.targets[0])[: stage.plugin.limits.batch]
    if len(several) < 2:
        return {}
    return {"": replace(stage.trial(target=several[0]), others=tuple(several[1:]))}


def _danger(stage: Stage) -> Trials:
    kind = stage.plugin.targets[0]
    targets = aims.hostile(kind, stage.servers.ordinary, canary(stage))
    return {str(number): stage.trial(target=target) for number, target in enumerate(targets)}


def canary(stage: Stage) -> Path:
    """What a hostile target would create, but for a number at the end."""
    return stage.scratch / "canary"


def _hostile(stage: Stage) -> Trials:
    if stage.plugin.targets[0] == "file":
        content = f'\x1b[31m{{"type":"finding","rule":"{FORGED}","title":"x","severity":"high"}}\n'.encode()
        return {"": _at(stage, 0, stage.file("hostile.bin", b"\0\xe9\xff\n" + content * 100_000))}
    answers, with_nul = _served(stage, stage.servers.hostile), _served(stage, stage.servers.nul)
    if isinstance(answers, str) or isinstance(with_nul, str):
        return str(answers)
    return {"records": answers[""], "nul": with_nul[""]}


def _refused(stage: Stage) -> Trials:
    kind, wishes = stage.plugin.targets[0], stage.subject.wishes
    if kind == "file":
        return {"": _at(stage, 0, stage.scratch / "not-there")}
    if stage.reaches_ports:
        return _served(stage, stage.servers.refused)
    if wishes.target is not None or kind in {"cidr", "domain"}:
        return "the kit cannot choose the port: say it with {port} in examples/kit.toml"
    return {"": stage.trial(target=aims.aim(kind, aims.NOBODY, 0, stage.scratch))}


def _silent(stage: Stage) -> Trials:
    return _served(stage, stage.servers.silent)


def _hole(stage: Stage) -> Trials:
    return _served(stage, stage.servers.hole)


def _held(stage: Stage) -> Trials:
    """Against a server that keeps it waiting, where there is one; else as it is."""
    trials = _served(stage, stage.servers.held)
    return _one(stage) if isinstance(trials, str) else trials


def _served(stage: Stage, port: int) -> Trials:
    if not stage.reaches_ports:
        return "the kit cannot choose the port: say it with {port} in examples/kit.toml"
    wished = stage.subject.wishes.target
    if wished is None or "{port" in wished or "{tls" in wished or not aims.has_port(stage.plugin.targets[0]):
        return {"": stage.trial(port)}
    return {"": _at(stage, port, stage.scratch)}


def _at(stage: Stage, port: int, file: Path) -> Trial:
    return stage.trial(port or None, target=aims.aim(stage.plugin.targets[0], "127.0.0.1", port, file))


def _unknown(stage: Stage) -> Trials:
    return {"": replace(stage.trial(), extra=UNKNOWN)}


def _bulk(stage: Stage) -> Trials:
    return {"": replace(stage.trial(), extra=BULK)}


def _secrets(stage: Stage) -> Trials:
    """Every secret that there can be, and a server that is slow enough to be watched."""
    port = stage.servers.slow if stage.reaches_ports else None
    trial = stage.trial(port)
    http = structs.replace(trial.http, headers={"Authorization": f"Bearer {stage.secret}"})
    return {"": replace(trial, http=http, watch=True)}


def _elsewhere(stage: Stage) -> Trials:
    folder = stage.scratch / "else where"
    folder.mkdir()
    return {"": replace(stage.trial(), cwd=str(folder))}


def _read_only(stage: Stage) -> Trials:
    home = _unwritable(stage.scratch / "read-only")
    if home is None:
        return "this machine has no folder that we may not write to"
    trial = stage.trial()
    return {"": replace(trial, environment={**trial.environment, "HOME": home})}


def _unwritable(folder: Path) -> str | None:
    folder.mkdir()
    folder.chmod(0o500)
    for path in (str(folder), *_UNWRITABLE):
        if os.path.isdir(path) and not _takes_files(Path(path)):
            return path
    return None


def _takes_files(folder: Path) -> bool:
    probe = folder / f"kastrun-kit-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return False
    probe.rmdir()
    return True


def _declared(stage: Stage) -> Trials:
    path = programs.declared_path(stage.plugin, stage.scratch / "declared")
    return {"": replace(stage.trial(), path=path)}


def _crowd(stage: Stage) -> Trials:
    return {str(number): stage.trial() for number in range(stage.subject.wishes.at_once)}


SCENES: Final[Mapping[str, Callable[[Stage], Trials]]] = {
    "again": _one,
    "kind": _kinds,
    "batch": _batch,
    "danger": _danger,
    "hostile": _hostile,
    "refused": _refused,
    "silent": _silent,
    "hole": _hole,
    "held": _held,
    "unknown": _unknown,
    "bulk": _bulk,
    "secrets": _secrets,
    "elsewhere": _elsewhere,
    "read-only": _read_only,
    "declared": _declared,
}
"""What may run side by side, once `minimal` did well."""

CROWD: Final[Callable[[Stage], Trials]] = _crowd
"""What runs alone, all of it at once."""
