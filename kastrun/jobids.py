"""A set of job ids, or other texts, that a million of them do not notice: about 12 bytes each.

Floor 0, pure. Holds 80 bits of a digest (64 and those that choose the bucket), as much as a
job's id has itself: two of a million different ids are taken for the same with a
probability of about 4 in 10**13.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_MOST_BUCKETS: Final = 1 << 16
_IN_A_BUCKET: Final = 16
_WIDTH: Final = 8


class JobIds:
    """Add, discard, `in`. What a bucket holds is one string of bytes, `_WIDTH` of them an id.

    `expected` only sizes it: with many more it grows slower, with fewer it is larger than it need be.
    """

    __slots__ = ("_buckets", "_mask")

    def __init__(self, expected: int = _MOST_BUCKETS * _IN_A_BUCKET) -> None:
        buckets = 1 << max(0, expected // _IN_A_BUCKET - 1).bit_length()
        self._buckets = [b""] * min(buckets, _MOST_BUCKETS)
        self._mask = len(self._buckets) - 1

    def add(self, job: str) -> bool:
        """Put one in, once; True where it was not there."""
        # The same as `_split` and `_place`, without two calls for each of a million.
        digest = blake2b(job.encode("utf-8", "surrogatepass"), digest_size=2 + _WIDTH).digest()
        number, key = (digest[0] << 8 | digest[1]) & self._mask, digest[2:]
        bucket = self._buckets[number]
        if key in bucket and _place(bucket, key) >= 0:
            return False
        self._buckets[number] = bucket + key
        return True

    def discard(self, job: str) -> None:
        """Take one out, if it is there."""
        number, key = self._split(job)
        bucket = self._buckets[number]
        if (place := _place(bucket, key)) >= 0:
            self._buckets[number] = bucket[:place] + bucket[place + _WIDTH :]

    def __contains__(self, job: object) -> bool:
        number, key = self._split(str(job))
        bucket = self._buckets[number]
        return key in bucket and _place(bucket, key) >= 0

    def _split(self, job: str) -> tuple[int, bytes]:
        digest = blake2b(job.encode("utf-8", "surrogatepass"), digest_size=2 + _WIDTH).digest()
        return (digest[0] << 8 | digest[1]) & self._mask, digest[2:]


def _place(bucket: bytes, key: bytes) -> int:
    """Where `key` begins in a bucket; -1 where it is not. What straddles two ids is neither."""
    place = bucket.find(key)
    while place > 0 and place % _WIDTH:
        place = bucket.find(key, place + 1)
    return place
