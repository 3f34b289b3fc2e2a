"""What jobs hand to the sinks: everything that one read gave, at once.

One call and one write a record was measured at 6,700 records a second; a batch a
read at over a million. `lines` are for the journal, the rest for the tally.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kastrun.facts import Fact
from kastrun.model import Job
from kastrun.protocol.messages import Message

Said = tuple[Job, Sequence[Message]]


class Batch(NamedTuple):
    """Journal lines without `seq` and newline, records for the tally, and facts, in this order.

    What was `said` comes job by job, with the job that it is about.
    """

    lines: Sequence[bytes] = ()
    said: Sequence[Said] = ()
    facts: Sequence[Fact] = ()


Emit = Callable[[Batch], None]
