"""What a job's system calls meet: the assembled programs, run by a small machine of classic BPF.

That the kernel reads them the same way is shown by tests/escapes.
"""

from __future__ import annotations

import errno
import struct

import pytest

from kastrun.sandbox import bpf, filters
from kastrun.sandbox.calls import LAST, NUMBERS

X86_64 = 0xC000003E
I386 = 0x40000003
INET, INET6, UNIX, NETLINK, PACKET = 2, 10, 1, 16, 17


def decide(program: bytes, number: int, *arguments: int, architecture: int = X86_64) -> int:
    """The action that `program` returns for a call, as the kernel's machine would."""
    data = struct.pack("=iIQ6Q", number if number < 1 << 31 else number - (1 << 32), architecture, 0,
                       *(each % (1 << 64) for each in (*arguments, *[0] * 6)[:6]))  # fmt: skip
    code = list(struct.iter_unpack("=HBBI", program))
    place = accumulator = 0
    while True:
        operation, if_so, if_not, operand = code[place]
        place += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x06:
            return operand
        else:
            holds = {
                0x15: accumulator == operand,
                0x25: accumulator > operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }[operation]
            place += if_so if holds else if_not


def verdict(name: str, *arguments: int, namespaces: bool = False, joins: bool = False) -> str:
    """What both programs together make of a call: `allow`, `notify`, `kill` or an errno's name."""
    numbers = [decide(each, NUMBERS[name], *arguments) for each in
               filters.programs(namespaces=namespaces, joins=joins)]  # fmt: skip
    return _word(min(numbers, key=lambda action: action - (1 << 32) if action >> 31 else action))


def _word(action: int) -> str:
    words = {bpf.ALLOW: "allow", bpf.NOTIFY: "notify", bpf.KILL: "kill"}
    return words.get(action) or errno.errorcode[action & 0xFFFF]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("socket", INET, 1), "notify"),
        (("socket", INET6, 2 | 0o4000 | 0o2000000, 17), "notify"),
        (("socket", INET | 1 << 32, 1), "notify"),  # the kernel reads an int
        (("socket", UNIX, 1), "allow"),
        (("socket", NETLINK, 3, 0), "allow"),
        (("socket", NETLINK, 3, 9), "EAFNOSUPPORT"),  # audit
        (("socket", INET, 3, 1), "EPERM"),
        (("socket", INET6, 3, 58), "EPERM"),
        (("socket", PACKET, 3), "EPERM"),
        (("socket", INET, 5, 132), "EAFNOSUPPORT"),
        *((("socket", family, 1), "EAFNOSUPPORT") for family in (30, 38, 40, 43, 44, 45)),
        (("socketpair", UNIX, 1), "allow"),
        (("socketpair", 30, 1), "EAFNOSUPPORT"),
        (("connect", 3), "notify"),
        (("bind", 3), "notify"),
        (("listen", 3), "EACCES"),
        (("sendto", 3, 1, 1, 0, 0, 0), "allow"),
        (("sendto", 3, 1, 1, 0, 0x7000, 16), "notify"),
        (("sendto", 3, 1, 1, 0, 1 << 40, 16), "notify"),  # a pointer whose low half is null
        (("sendmsg", 3, 1, 0), "notify"),
        (("sendmsg", 3, 1, filters.HANDOVER), "EPERM"),
        (("sendmmsg", 3, 1, 1), "notify"),
        (("setsockopt", 3, 1, 9), "allow"),
        (("setsockopt", 3, 0, 4), "EPERM"),  # a source route
        (("setsockopt", 3, 41, 57), "EPERM"),  # a routing header
        (("setsockopt", 3, 41, 32), "EPERM"),  # one hidden in a flow label
        (("setsockopt", 3, 41, 26), "allow"),  # v6only
        (("ioctl", 0, 0x5412), "EPERM"),
        (("ioctl", 0, 0x5412 | 1 << 32), "EPERM"),
        (("ioctl", 0, 0x5401), "allow"),
        (("clone", 0x10000000 | 17), "EPERM"),
        (("clone", 0x01200011), "allow"),
        (("clone3",), "ENOSYS"),
        (("io_uring_setup",), "ENOSYS"),
        (("bpf",), "EPERM"),
        (("keyctl",), "EPERM"),
        (("perf_event_open",), "EPERM"),
        (("userfaultfd",), "EPERM"),
        (("ptrace",), "EPERM"),
        (("mount",), "EPERM"),
        (("unshare", 0x10000000), "EPERM"),
    ],
)  # fmt: skip
def test_a_call(call, expected):
    assert verdict(*call) == expected
    assert verdict(*call, namespaces=True) == expected


@pytest.mark.parametrize(
    "call",
    [
        ("shmget",),
        ("shmat", 7),
        ("msgsnd", 7),
        ("semop", 7),
        ("mq_open",),
        ("chmod", 1),
        ("fchmod", 3),
        ("fchownat", 3, 1),
        ("lsetxattr", 1),
        ("utimensat", -100, 0x7000, 0),
        ("utimensat", 3, 0, 0x7000),
        ("ioctl", 3, 0x40086602),
        ("prlimit64", 4711),
        ("sched_setaffinity", 4711),
        ("setpriority", 0, 4711),
        ("setpriority", 2, 0),
        ("ioprio_set", 3, 0),
    ],
)
def test_what_a_namespace_makes_its_own(call):
    assert verdict(*call) == "EPERM"
    assert verdict(*call, namespaces=True) == "allow"


def test_its_own_limits_and_priority_are_its_own():
    for call in (("prlimit64", 0), ("setpriority", 0, 0), ("ioprio_set", 1, 0), ("sched_setscheduler", 0)):
        assert verdict(*call) == "allow"


def test_joining_a_multicast_group_is_for_the_whole_network_only():
    for level, option in ((0, 35), (0, 42), (41, 20), (41, 46)):
        assert verdict("setsockopt", 3, level, option) == "EPERM"
        assert verdict("setsockopt", 3, level, option, joins=True) == "allow"


def test_foreign_calls():
    for program in filters.programs(namespaces=True):
        assert decide(program, NUMBERS["connect"], architecture=I386) == bpf.KILL
        for number in (0x40000000 | NUMBERS["connect"], 0xFFFFFFFF, LAST + 1, 1 << 20):
            assert _word(decide(program, number)) == "ENOSYS"
        assert _word(decide(program, LAST)) == "allow"


def test_the_listener_leaves_by_a_way_that_is_then_closed():
    lending, denying = filters.programs(namespaces=True)
    send = NUMBERS["sendmsg"]
    assert _word(decide(lending, send, 3, 1, filters.HANDOVER)) == "allow"
    assert _word(decide(lending, send, 3, 1, filters.HANDOVER | 1)) == "notify"
    assert _word(decide(denying, send, 3, 1, filters.HANDOVER)) == "EPERM"


def test_a_second_test_of_a_rule_is_asked_only_where_the_first_holds():
    rule = bpf.Rule("ioctl", bpf.fail(errno.EPERM), (bpf.Test(0, "is", 1), bpf.Test(1, "is not", 2)))
    program = bpf.assemble([rule, bpf.Rule("bind", bpf.KILL)])
    ioctl = NUMBERS["ioctl"]
    assert [_word(decide(program, ioctl, *pair)) for pair in ((1, 3), (1, 2), (0, 3))] == [
        "EPERM",
        "allow",
        "allow",
    ]
    assert decide(program, NUMBERS["bind"]) == bpf.KILL
