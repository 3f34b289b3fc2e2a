"""The engine: planned jobs in, events out, whatever the plugins do.

Floor 4. Chooses what starts next and for how long it may run, and turns each job's life
into events and exactly one result. What is written where is the sinks' business; how a
child is started and killed is `process`'s.
"""

from kastrun.engine.batch import Batch, Emit
from kastrun.engine.control import Control
from kastrun.engine.levers import Levers
from kastrun.engine.run import Engine

__all__ = ["Batch", "Control", "Emit", "Engine", "Levers"]
