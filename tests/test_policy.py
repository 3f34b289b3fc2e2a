"""Manifest, profile and machine to a policy: what is decided, and what cannot be had."""

from __future__ import annotations

import pytest
from profile_rooms import plugin

from kastrun.errors import MachineError
from kastrun.model import SandboxAsk, SandboxWish
from kastrun.policy import CANARIES, Machine, decide, fault, held, reach, standing

FINE = Machine(landlock=7, broker=True)
NO_SPACES = Machine(landlock=7, broker=True, lacking={"namespaces": "user.max_user_namespaces is 0"})
NOTHING = Machine(lacking={"namespaces": "clone: Operation not permitted", "plain": "there is no Landlock"})


@pytest.mark.parametrize(
    ("level", "machine", "means"),
    [
        ("strict", FINE, "namespaces"),
        ("standard", FINE, "namespaces"),
        ("standard", NO_SPACES, "plain"),
        ("off", FINE, "off"),
        ("off", NOTHING, "off"),
    ],
)
def test_a_level_is_reached_by_the_best_that_the_machine_has(level, machine, means):
    assert reach(SandboxWish(level=level), machine) == means


@pytest.mark.parametrize(("level", "machine"), [("strict", NO_SPACES), ("standard", NOTHING)])
def test_a_level_that_cannot_be_had_ends_the_run_and_says_why(level, machine):
    with pytest.raises(MachineError) as caught:
        reach(SandboxWish(level=level), machine)
    assert caught.value.exit_code == 4
    assert machine.lacking["namespaces"] in caught.value.message
    assert caught.value.hint


def test_a_scope_that_nothing_can_hold_runs_nothing():
    machine = Machine(landlock=7, unlent="kernel.yama.ptrace_scope is 2")
    with pytest.raises(MachineError, match="ptrace_scope is 2") as caught:
        reach(SandboxWish(), machine)
    assert caught.value.hint and "ptrace_scope=1" in caught.value.hint
    assert reach(SandboxWish(scope="off"), machine) == "namespaces"


def test_where_a_machine_stands():
    best, plain, none = standing(FINE), standing(NO_SPACES), standing(NOTHING)
    assert (best.level, best.means, best.short, best.hint) == ("strict", "namespaces", (), None)
    assert (plain.level, plain.means, plain.held.level) == ("standard", "plain", "plain")
    assert "user.max_user_namespaces is 0" in plain.short[0] and plain.hint
    assert (none.level, len(none.short)) == ("off", 2) and "/sys/kernel/security/lsm" in (none.hint or "")


def test_strict_wants_landlock_too():
    machine = Machine(landlock=0, lacking={"plain": "there is no Landlock"})
    with pytest.raises(MachineError, match="namespaces: there is no Landlock"):
        reach(SandboxWish(level="strict"), machine)
    assert reach(SandboxWish(level="standard"), machine) == "namespaces"


@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("github", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("gitlab", "[runners.docker]"),
        ("kubernetes", "procMount: Unmasked"),
        ("container", "--security-opt seccomp=unconfined"),
        ("machine", "user.max_user_namespaces"),
        ("mac", "Linux container"),
    ],
)
def test_the_hint_is_for_where_kastrun_runs(place, word):
    machine = Machine(landlock=7, lacking={"namespaces": "no"}, place=place)
    with pytest.raises(MachineError) as caught:
        reach(SandboxWish(level="strict"), machine)
    assert caught.value.hint and word in caught.value.hint


def test_where_nothing_can_be_had_the_hint_is_what_a_kernel_needs():
    with pytest.raises(MachineError) as caught:
        reach(SandboxWish(level="strict"), NOTHING)
    assert caught.value.hint and "/sys/kernel/security/lsm" in caught.value.hint


def test_what_is_held_is_said_and_what_is_not_too():
    spaces, plain = held(FINE, "namespaces"), held(FINE, "plain")
    assert (spaces.level, spaces.fs, spaces.net, spaces.life) == (
        "namespaces",
        "mountns+landlock7",
        "broker",
        "pidns",
    )
    assert spaces.limits["pids"] == "userns"
    assert (plain.level, plain.fs, plain.life) == ("plain", "landlock7", "warden")
    assert set(plain.missing) - set(spaces.missing) == {"process_total"}
    assert "signals" in held(Machine(landlock=5), "plain").missing
    assert "signals" not in held(Machine(landlock=5), "namespaces").missing
    assert "landlock" in held(Machine(landlock=0), "namespaces").missing
    assert "scope" in held(Machine(landlock=7), "plain").missing
    assert "process_total" in held(Machine(landlock=7, root=True), "namespaces").missing
    assert held(Machine(groups=True), "namespaces").limits["mem"] == "cgroup"
    assert "files" in held(FINE, "off").missing


def test_a_policy_is_what_was_asked_and_wished():
    asks = SandboxAsk(network="full", read=("/opt/lists",))
    wish = SandboxWish(level="standard", scope="audit", ports="target")
    policy = decide(plugin("lists", sandbox=asks), wish, FINE, "namespaces")
    assert (policy.network, policy.read, policy.scope, policy.ports) == (
        "full",
        ("/opt/lists",),
        "audit",
        "target",
    )
    assert policy.unavailable is None


def test_a_capability_that_no_job_can_be_given_makes_the_plugin_unavailable():
    raw = plugin("raw", sandbox=SandboxAsk(caps=("net_raw",)))
    refused = decide(raw, SandboxWish(), FINE, "namespaces")
    assert refused.unavailable and "net_raw" in refused.unavailable
    assert decide(raw, SandboxWish(level="off"), FINE, "off").unavailable is None


def test_the_whole_machine_is_not_given_to_read():
    greedy = plugin("greedy", sandbox=SandboxAsk(read=("/",)))
    assert decide(greedy, SandboxWish(), FINE, "plain").unavailable


def test_a_canary_that_sings_is_a_fault_unless_older_kernels_allow_it():
    fine = dict.fromkeys(CANARIES, 13)
    assert fault(fine) is None
    assert fault({**fine, "signal": 0, "abstract": 0}) is None
    assert fault({**fine, "read": 0, "mount": 0}) == "a file of the user's is read; something is mounted"
