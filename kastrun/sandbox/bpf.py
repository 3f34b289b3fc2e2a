"""Rules about system calls, assembled into a program for seccomp: classic BPF, x86_64.

A program reads one `struct seccomp_data` (number, architecture, six arguments) and returns
an action; it cannot follow a pointer. What the rules are is `filters`' business.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from kastrun.sandbox.calls import LAST, NUMBERS

ALLOW: Final = 0x7FFF0000
NOTIFY: Final = 0x7FC00000
KILL: Final = 0x80000000

_X86_64: Final = 0xC000003E
_X32: Final = 0x40000000
"""Set in the numbers of the x32 calls, which are the same calls by another name."""

_LOAD: Final = 0x20
_AND: Final = 0x54
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16
_INSTRUCTION: Final = struct.Struct("=HBBI")


def fail(number: int) -> int:
    """The action that fails a call with an errno."""
    return 0x00050000 | number


class Test(NamedTuple):
    """A question about one argument. All but `given` look at its low 32 bits, as the kernel does with ints.

    `is`, `is not`: the argument, under `mask`, and `value`. `has`: any bit of `value` is
    set. `given`: all 64 bits, a pointer that is not null.
    """

    argument: int
    how: Literal["is", "is not", "has", "given"]
    value: int = 0
    mask: int = 0xFFFFFFFF


class Rule(NamedTuple):
    """What happens to calls of these names where every test holds. The first rule that fits counts."""

    calls: str
    action: int
    tests: tuple[Test, ...] = ()


class _Jump(NamedTuple):
    """An instruction that goes on where it holds, and otherwise (or, `inverted`, if so) leaves the rule."""

    code: int
    value: int
    inverted: bool = False


def assemble(rules: Iterable[Rule]) -> bytes:
    """The program: foreign calls are killed or unknown, then the rules, then everything is allowed."""
    code = [
        _plain(_LOAD, _ARCHITECTURE_AT),
        _branch(_IF_EQUAL, 1, 0, _X86_64),
        _plain(_RETURN, KILL),  # `int 0x80` means other calls by the same numbers
        _plain(_LOAD, _NUMBER_AT),
        _branch(_IF_AT_LEAST, 1, 0, _X32),
        _branch(_IF_GREATER, 0, 1, LAST),
        _plain(_RETURN, fail(errno.ENOSYS)),
    ]
    for rule in rules:
        for name in rule.calls.split():
            code += _one(NUMBERS[name], rule)
    return b"".join([*code, _plain(_RETURN, ALLOW)])


def _one(number: int, rule: Rule) -> Iterator[bytes]:
    """One call's rule. The number is in the accumulator before it and, where it does not fit, after it."""
    body = [step for test in rule.tests for step in _steps(test)]
    yield _branch(_IF_EQUAL, 0, len(body) + (2 if body else 1), number)
    for place, step in enumerate(body):
        if isinstance(step, _Jump):
            out = len(body) - place
            yield _branch(step.code, *((out, 0) if step.inverted else (0, out)), step.value)
        else:
            yield step
    yield _plain(_RETURN, rule.action)
    if body:
        yield _plain(_LOAD, _NUMBER_AT)


def _steps(test: Test) -> Iterator[bytes | _Jump]:
    low = _ARGUMENTS_AT + 8 * test.argument
    yield _plain(_LOAD, low)
    if test.how == "given":
        yield _branch(_IF_EQUAL, 0, 2, 0)  # a low half that is not null is enough
        yield _plain(_LOAD, low + 4)
        yield _Jump(_IF_EQUAL, 0, inverted=True)
        return
    if test.how == "has":
        yield _Jump(_IF_ANY_BIT, test.value)
        return
    if test.mask != 0xFFFFFFFF:
        yield _plain(_AND, test.mask)
    yield _Jump(_IF_EQUAL, test.value, inverted=test.how == "is not")


def _plain(code: int, operand: int) -> bytes:
    return _branch(code, 0, 0, operand)


def _branch(code: int, if_so: int, if_not: int, operand: int) -> bytes:
    """An instruction that skips `if_so` or `if_not` of those that follow."""
    return _INSTRUCTION.pack(code, if_so, if_not, operand)
