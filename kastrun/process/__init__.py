"""Children: one process with its pipes (`child`), and everything it begets (`family`).

Floor 3. Bytes and exits leave this room; jobs, JSON, the journal and the terminal
never enter it.
"""

from kastrun.process.child import Child, Exit, Stream, spawn
from kastrun.process.family import Family

__all__ = ["Child", "Exit", "Family", "Stream", "spawn"]
