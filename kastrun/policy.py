"""What the jobs of a plugin may do here: manifest, profile and machine in, a Policy out.

Floor 2, pure. A manifest asks, a profile grants and sets the level, a machine can or cannot.
What was granted is not judged again; what cannot be held is either said (`missing`) or
stops the plugin (`unavailable`) or the whole run (MachineError), never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from kastrun.errors import MachineError
from kastrun.model import Held, Plugin, SandboxAsk, SandboxLevel, SandboxWish

Means = Literal["namespaces", "plain", "off"]
"""How a level is reached. `plain`: Landlock, seccomp and a warden, in the machine's own namespaces."""
Place = Literal["github", "gitlab", "kubernetes", "container", "mac", "machine"]
"""Where kastrun runs, as far as what to do about it differs."""

MEANS: Final[Mapping[SandboxLevel, tuple[Means, ...]]] = {
    "strict": ("namespaces",),
    "standard": ("namespaces", "plain"),
    "off": ("off",),
}
"""What satisfies a level, best first."""

_SIGNALS_SINCE: Final = 6
"""The Landlock version that keeps signals and abstract sockets within a job."""


class Machine(Struct, frozen=True, kw_only=True):
    """What this machine was seen to hold a plugin to. `lacking` says of each means why it cannot be had.

    `seen` has what came of each canary: an errno, or 0 where nothing stopped it. `groups`: a
    cgroup of our own, so that a job's totals can be bounded. `root`: we are the superuser, whose
    processes the kernel does not count. `broker`: sockets are lent; else `unlent` says why not.
    """

    lacking: Mapping[Means, str] = {}
    seen: Mapping[Means, Mapping[str, int]] = {}
    landlock: int = 0
    groups: bool = False
    root: bool = False
    broker: bool = False
    unlent: str = ""
    place: Place = "machine"


class Policy(Struct, frozen=True, kw_only=True):
    """What the jobs of one plugin may do. `unavailable` says why it cannot run here at all."""

    means: Means
    network: Literal["none", "scope", "full"]
    scope: Literal["enforce", "audit", "off"]
    ports: Literal["any", "target"]
    read: tuple[str, ...]
    capabilities: tuple[str, ...]
    held: Held
    unavailable: str | None = None


CANARIES: Final[Mapping[str, str]] = {
    "read": "a file of the user's is read",
    "write": "a file is made outside the job's folder",
    "environ": "another process's environment is read",
    "signal": "another process is signalled",
    "abstract": "another process is spoken to through an abstract socket",
    "mount": "something is mounted",
    "regain": "a privilege is regained",
    "daemon": "a daemon outlives its job",
    "tcp": "a listener outside the scope is connected to",
    "udp": "a packet is sent out of the scope",
}
"""What is tried, as it would read had it happened."""
_MAY_HAPPEN: Final = frozenset(("signal", "abstract"))
"""Not kept in by older kernels without namespaces, and then said in `missing`."""


def fault(seen: Mapping[str, int]) -> str | None:
    """What a level's canaries showed that must not be; None where all is well."""
    happened = [name for name, errno in seen.items() if not errno and name not in _MAY_HAPPEN]
    return "; ".join(CANARIES[name] for name in happened) or None


def reach(wish: SandboxWish, machine: Machine) -> Means:
    """How the wanted level is reached here. Raises MachineError where it is not, with what to do."""
    lacking = dict(machine.lacking)
    if wish.level == "strict" and not machine.landlock:
        lacking.setdefault("namespaces", "there is no Landlock")
    for means in MEANS[wish.level]:
        if means not in lacking:
            _check_broker(wish, machine)
            return means
    why = "; ".join(f"{means}: {lacking[means]}" for means in MEANS[wish.level])
    raise MachineError(
        f"the sandbox level {wish.level} cannot be had here ({why})", hint=_hint(wish.level, machine)
    )


class Standing(Struct, frozen=True, kw_only=True):
    """The best level that a machine reaches; `short` says why not each higher one, `hint` how to get more."""

    level: SandboxLevel
    means: Means
    held: Held
    short: tuple[str, ...]
    hint: str | None


def standing(machine: Machine) -> Standing:
    """Of a machine that was examined with all means: for whoever asks what can be had here."""
    short: list[str] = []
    hints: list[str] = []
    for level in ("strict", "standard"):
        try:
            means = reach(SandboxWish(level=level), machine)
        except MachineError as error:
            short.append(error.message)
            hints += [error.hint] if error.hint else []
        else:
            return Standing(
                level=level,
                means=means,
                held=held(machine, means),
                short=tuple(short),
                hint=hints[-1] if hints else None,
            )
    return Standing(
        level="off",
        means="off",
        held=held(machine, "off"),
        short=tuple(short),
        hint=hints[-1] if hints else None,
    )


def _check_broker(wish: SandboxWish, machine: Machine) -> None:
    """Where sockets cannot be lent nothing holds a job to the scope while it runs."""
    if machine.unlent and wish.scope == "enforce":
        raise MachineError(
            f"the sandbox cannot hold plugins to the scope here: sockets cannot be lent ({machine.unlent})",
            hint="sudo sysctl -w kernel.yama.ptrace_scope=1, where that is it; in a container allow seccomp "
            'and process_vm_readv; or scope = "off" in [sandbox]: only the start of a job is checked then',
        )


def decide(plugin: Plugin, wish: SandboxWish, machine: Machine, means: Means) -> Policy:
    """The policy of one plugin, whose grants were checked with the profile."""
    asks = plugin.sandbox
    unavailable = None if means == "off" else _unavailable(asks)
    return Policy(
        means=means,
        network=asks.network,
        scope=wish.scope,
        ports=wish.ports,
        read=asks.read,
        capabilities=asks.caps,
        held=held(machine, means),
        unavailable=unavailable,
    )


def _unavailable(asks: SandboxAsk) -> str | None:
    if asks.caps:
        return f"it asks for {', '.join(asks.caps)}, which no job can be given here yet"
    if any(not path.strip("/") for path in asks.read):
        return "it asks to read the whole machine (/), which is no sandbox; let it name folders"
    return None


def held(machine: Machine, means: Means) -> Held:
    """What holds a job here, for its result; whatever does not is in `missing`."""
    landlock = f"landlock{machine.landlock}" if machine.landlock else ""
    if means == "off":
        return Held(level="off", fs="none", net="none", life="warden", limits=_OFF, missing=_ALL_MISSING)
    spaces = means == "namespaces"
    return Held(
        level=means,
        fs="+".join(filter(None, ("mountns" if spaces else "", landlock))),
        net="broker" if machine.broker else "none",
        life="pidns" if spaces else "warden",
        limits={
            "pids": "cgroup" if machine.groups else ("userns" if spaces and not machine.root else "none"),
            "mem": "cgroup" if machine.groups else "per-process",
            "disk": "per-file",
        },
        missing=tuple(_missing(machine, spaces=spaces)),
    )


_OFF: Final = {"pids": "none", "mem": "per-process", "disk": "none"}
_ALL_MISSING: Final = ("files", "processes", "scope", "process_total", "memory_total", "disk_total")


def _missing(machine: Machine, *, spaces: bool) -> list[str]:
    """Words for what of the promise is not held; docs/security.md explains each."""
    missing = {
        "scope": not machine.broker,
        "landlock": not machine.landlock,
        "signals": not spaces and machine.landlock < _SIGNALS_SINCE,
        "process_total": not machine.groups and (machine.root or not spaces),
        "memory_total": not machine.groups,
        "disk_total": True,
    }
    return [word for word, is_missing in missing.items() if is_missing]


def _hint(level: SandboxLevel, machine: Machine) -> str:
    """How to get the level, where kastrun runs, and what else can be done."""
    if machine.place == "mac":
        return "macOS has no sandbox that fits: run kastrun in a Linux container or virtual machine"
    if level == "strict" and "plain" not in machine.lacking:
        return f'{_SPACES[machine.place]}; or be content with level = "standard" in [sandbox]'
    return (
        "it needs Linux 5.19 or later on x86_64, with Landlock among the security modules "
        '(`cat /sys/kernel/security/lsm`); level = "off" in [sandbox] runs plugins without isolation'
    )


_SPACES: Final[Mapping[Place, str]] = {
    "github": "before kastrun: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    "gitlab": (
        "in the runner's config.toml, [runners.docker]: "
        'security_opt = ["seccomp:unconfined", "apparmor:unconfined", "systempaths:unconfined"]'
    ),
    "kubernetes": (
        "in the pod: hostUsers: false, and in the container's securityContext: procMount: Unmasked, "
        "seccompProfile: { type: Unconfined }"
    ),
    "container": (
        "start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        "--security-opt systempaths=unconfined"
    ),
    "mac": "",
    "machine": (
        "allow user namespaces: sudo sysctl -w user.max_user_namespaces=10000, and on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0, on Debian kernel.unprivileged_userns_clone=1"
    ),
}
"""How namespaces are allowed."""
