"""What this machine can hold a plugin to: found out by doing it, once a run.

Floor 4: a child is confined in each way that would satisfy the wanted level, until one
holds, and tries what no plugin should be able to do.
"""

from __future__ import annotations

import errno
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kastrun.model import Limits, SandboxLevel
from kastrun.policy import MEANS, Machine, Means, Place, Policy, fault, held
from kastrun.process import Family, GuardLost
from kastrun.sandbox import kernel, landlock
from kastrun.sandbox.drafting import Subject, draft

_NOT_HERE: Final = "kastrun confines on Linux and x86_64 only, so far"
_LIMITS: Final = Limits(total_s=60, idle_s=0, grace_s=0, memory_mb=256, output_mb=1)
_SWITCHES: Final = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
    ("kernel/unprivileged_userns_clone", "0"),
    ("user/max_user_namespaces", "0"),
)
"""Files of /proc/sys, and the value that forbids user namespaces."""


async def examine(level: SandboxLevel, family: Family, *, all_means: bool = False) -> Machine:
    """What is there for `level`: the best means first, and no more tried than is needed, or all of it."""
    lacking: dict[Means, str] = {}
    seen: dict[Means, dict[str, int]] = {}
    machine = Machine(
        landlock=landlock.abi() if kernel.SUPPORTED else 0,
        root=os.geteuid() == 0,
        place=_place(),
        broker=kernel.SUPPORTED,
    )
    for means in MEANS[level]:
        if means == "off":
            break
        why, seen[means] = await _tried(means, machine, family)
        if why is not None:
            lacking[means] = why
        elif not all_means:
            break
    return Machine(
        lacking=lacking,
        seen=seen,
        landlock=machine.landlock,
        root=machine.root,
        place=machine.place,
        broker=any("tcp" in each for each in seen.values()),  # a lent socket reached what it may
        unlent=_unlent(seen),
    )


async def _tried(means: Means, machine: Machine, family: Family) -> tuple[str | None, dict[str, int]]:
    """Why it does not hold (None: it does), and what was seen."""
    if not kernel.SUPPORTED:
        return _NOT_HERE, {}
    if means == "plain" and not machine.landlock:
        return "there is no Landlock, so files could not be kept from a plugin", {}
    policy = Policy(
        means=means,
        network="none",
        scope="enforce",
        ports="any",
        read=(),
        capabilities=(),
        held=held(machine, means),
    )
    subject = Subject(programs=(), folders=(), path="", limits=_LIMITS)
    with tempfile.TemporaryDirectory(prefix="kastrun-canary-", ignore_cleanup_errors=True) as folder:
        secret, work = _plant(folder)
        try:
            orders = draft(policy, machine, subject)._replace(work=work)
            seen = await family.look(orders, secret)
        except OSError as error:
            return _why_not(means, error), {}
        except GuardLost as error:
            return str(error), {}
    return fault(seen), seen


def _unlent(seen: Mapping[Means, Mapping[str, int]]) -> str:
    """Why no sockets can be lent, where they cannot."""
    number = next((each["broker"] for each in seen.values() if "broker" in each), 0)
    if not number:
        return ""
    yama = _read("/proc/sys/kernel/yama/ptrace_scope")
    return f"kernel.yama.ptrace_scope is {yama}" if yama in {"2", "3"} else os.strerror(number)


def _plant(folder: str) -> tuple[str, str]:
    """A file that only its owner should read, and a job's empty folder."""
    secret, work = Path(folder, "secret"), Path(folder, "job")
    secret.write_text("what only its owner should read\n", encoding="ascii")
    work.mkdir()
    return str(secret), os.path.realpath(work)


def _why_not(means: Means, error: OSError) -> str:
    """The reason that a person can do something about, where there is a known one."""
    if means == "namespaces" and error.errno in {errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS}:
        for switch, forbids in _SWITCHES:
            if _read(f"/proc/sys/{switch}") == forbids:
                return f"{switch.replace('/', '.')} is {forbids}"
    return error.strerror or str(error)


def _place() -> Place:
    if platform.system() == "Darwin":
        return "mac"
    marks: tuple[tuple[Place, bool], ...] = (
        ("github", os.environ.get("GITHUB_ACTIONS") == "true"),
        ("gitlab", "GITLAB_CI" in os.environ),
        ("kubernetes", "KUBERNETES_SERVICE_HOST" in os.environ),
        ("container", any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))),
    )
    return next((place for place, is_here in marks if is_here), "machine")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
