"""Which targets were there before: exact to a million, in bounded memory for ever.

Holds digests, never the texts: 8 bytes a slot, where a set of strings would need more
than 100. A text is known by 74 bits of its BLAKE2b digest (10 choose the segment, 64 are
kept), so of a million different targets one is wrongly taken for a duplicate with a
probability of about 3 in 10**11.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from struct import Struct
from typing import Final

_SEGMENTS: Final = 1024
_FIRST_SIZE: Final = 8
_WORDS = Struct("<QQ")


class _Digests:
    """A set of 128-bit digests: segments of open addressing, each grown by doubling, 0 for free.

    Segments grow one by one, so that the old and the new table never stand side by side.
    """

    __slots__ = ("_counts", "_segments", "count")

    def __init__(self) -> None:
        self._segments: list[array[int] | None] = [None] * _SEGMENTS
        self._counts = array("I", bytes(4 * _SEGMENTS))
        self.count = 0

    def holds(self, word: int, segment: int) -> bool:
        slots = self._segments[segment]
        return slots is not None and slots[_slot(slots, word)] == word

    def add(self, word: int, segment: int) -> None:
        """Puts in what it does not hold yet."""
        slots = self._segments[segment]
        if slots is None:
            slots = self._segments[segment] = _empty(_FIRST_SIZE)
        elif self._counts[segment] * 4 >= len(slots) * 3:
            slots = self._segments[segment] = _doubled(slots)
        slots[_slot(slots, word)] = word
        self._counts[segment] += 1
        self.count += 1


class Seen:
    """A filter of duplicates.

    The latest `limit` different texts at most are remembered: exactly all of them until there
    are `limit`, then at least the latest half (the older half is forgotten at once), so that past
    a million a repetition far from the first may come through again. 17 MB when full.
    """

    __slots__ = ("_half", "_new", "_old")

    def __init__(self, limit: int = 1_000_000) -> None:
        self._half = max(1, (limit + 1) // 2)
        self._new = _Digests()
        self._old = _Digests()

    def add(self, text: str) -> bool:
        """Remembers `text`; True when it is new."""
        word, other = _WORDS.unpack(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest())
        word = word or 1  # 0 is a free slot
        segment = other % _SEGMENTS
        if self._new.holds(word, segment) or self._old.holds(word, segment):
            return False
        if self._new.count == self._half:
            self._old, self._new = self._new, _Digests()
        self._new.add(word, segment)
        return True


def _empty(size: int) -> array[int]:
    return array("Q", bytes(8 * size))


def _slot(slots: array[int], word: int) -> int:
    """Where `word` is, or the free slot where it belongs (linear probing; there is always one)."""
    mask = len(slots) - 1
    slot = word & mask
    while (found := slots[slot]) and found != word:
        slot = (slot + 1) & mask
    return slot


def _doubled(slots: array[int]) -> array[int]:
    bigger = _empty(2 * len(slots))
    for word in slots:
        if word:
            bigger[_slot(bigger, word)] = word
    return bigger
