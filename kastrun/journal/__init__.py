"""The journal: what was witnessed, appended as it happens (`writer`), read back (`reader`).

Floor 3. JSON lines in, JSON lines out; what a line means to a person is the tally's
business, and what a plugin meant the protocol's.
"""

from kastrun.journal.reader import Damage, Entry, read
from kastrun.journal.writer import Journal

__all__ = ["Damage", "Entry", "Journal", "read"]
