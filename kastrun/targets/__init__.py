"""Targets: from the strings people write to values with one spelling each.

Floor 2, pure: no look-ups, no files, no clock. What may be touched is `kastrun.scope`'s
question; here it is only what a string means, what else it can be turned into, and
whether it was there before. The rules for people are in docs/targets.md.
"""

from kastrun.targets.conversion import can_be_given, convert, count, expand, known_scheme
from kastrun.targets.lists import read_lines
from kastrun.targets.reading import parse
from kastrun.targets.refusal import TargetError, masked
from kastrun.targets.seen import Seen

__all__ = [
    "Seen", "TargetError", "can_be_given", "convert", "count", "expand", "known_scheme", "masked", "parse",
    "read_lines",
]  # fmt: skip
