"""A set of job ids that a million of them do not notice: about 12 bytes each, for any text as an id.

Floor 0, pure. Holds 80 bits of a digest, as much as a job's id has itself: two of a million
different ids are taken for the same with a probability of about 4 in 10**13.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_BUCKETS: Final = 1 << 16
_WIDTH: Final = 8


class JobIds:
    """Add, discard, `in`. What a bucket holds is one string of bytes, `_WIDTH` of them an id."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets = [b""] * _BUCKETS

    def add(self, job: str) -> None:
        """Put one in, once."""
        number, key = _split(job)
        if _place(self._buckets[number], key) < 0:
            self._buckets[number] += key

    def discard(self, job: str) -> None:
        """Take one out, if it is there."""
        number, key = _split(job)
        bucket = self._buckets[number]
        if (place := _place(bucket, key)) >= 0:
            self._buckets[number] = bucket[:place] + bucket[place + _WIDTH :]

    def __contains__(self, job: object) -> bool:
        number, key = _split(str(job))
        return _place(self._buckets[number], key) >= 0


def _split(job: str) -> tuple[int, bytes]:
    digest = blake2b(job.encode(), digest_size=2 + _WIDTH).digest()
    return int.from_bytes(digest[:2], "big"), digest[2:]


def _place(bucket: bytes, key: bytes) -> int:
    """Where `key` begins in a bucket; -1 where it is not. What straddles two ids is neither."""
    place = bucket.find(key)
    while place > 0 and place % _WIDTH:
        place = bucket.find(key, place + 1)
    return place
