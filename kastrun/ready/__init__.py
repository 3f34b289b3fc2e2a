"""Which job is next, and whether it may start now: a queue of what is ready, never a barrier.

Floor 2, pure. `queue` knows who waits for whom, `lanes` the order of what waits for nobody,
`allowance` alone decides whether a job may start now. No clock but the one that is given.
"""

from kastrun.ready.allowance import UNCAPPED, Caps
from kastrun.ready.queue import WINDOW, Followers, ReadyQueue, in_order
from kastrun.ready.waiting import Taken, Waiting

__all__ = ["UNCAPPED", "WINDOW", "Caps", "Followers", "ReadyQueue", "Taken", "Waiting", "in_order"]
