"""Children: started under wardens (`family`, `guards`), each one's pipes and end (`child`, `stdin`).

Floor 3. Bytes and exits leave this room; jobs, JSON, the journal and the terminal
never enter it. What runs in the wardens' own processes is `warden`'s.
"""

from kastrun.process.child import Child, Exit, GuardLost, LauncherLost, NotStarted, Stream
from kastrun.process.family import Family

__all__ = ["Child", "Exit", "Family", "GuardLost", "LauncherLost", "NotStarted", "Stream"]
