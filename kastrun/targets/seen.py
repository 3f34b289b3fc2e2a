"""Which targets were there before: exact to a million, in bounded memory for ever.

Holds digests, never the texts: about 12 bytes each, where a set of strings would need more
than 100. Of a million different targets one is wrongly taken for a duplicate with a
probability of less than 10**-11.
"""

from __future__ import annotations

from kastrun.jobids import JobIds


class Seen:
    """A filter of duplicates.

    The latest `limit` different texts at most are remembered: exactly all of them until there
    are `limit`, then at least the latest half (the older half is forgotten at once), so that past
    a million a repetition far from the first may come through again. 13 MB when full.
    """

    __slots__ = ("_count", "_half", "_new", "_old")

    def __init__(self, limit: int = 1_000_000) -> None:
        self._half = max(1, (limit + 1) // 2)
        self._new, self._count = JobIds(self._half), 0
        self._old: JobIds | None = None

    def add(self, text: str) -> bool:
        """Remembers `text`; True when it is new."""
        if self._old is not None and text in self._old:
            return False
        if self._count == self._half:
            if text in self._new:
                return False
            self._old, self._new, self._count = self._new, JobIds(self._half), 0
        if not self._new.add(text):
            return False
        self._count += 1
        return True
