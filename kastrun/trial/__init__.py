"""One job of one plugin, run by hand through the engine's own code, everything about it kept.

Floor 5. What a run has of scope, plan and journal is left out; process, protocol, clocks and
result are the very same. For `plugins test`, `run` and `record`: they say what to try and
where (`Trial`), and are told what came out byte by byte, what was made of it, and what was
left behind (`Tried`).
"""

from kastrun.trial.exchange import Case, Exchange, keep, keep_artifacts, read_exchange
from kastrun.trial.replay import projector, trial_of
from kastrun.trial.seen import Chunk, Hear, Tried
from kastrun.trial.wishes import HTTP, Trial, complete, read_options, target_for
from kastrun.trial.workshop import Workshop, workshop

__all__ = [
    "HTTP",
    "Case",
    "Chunk",
    "Exchange",
    "Hear",
    "Trial",
    "Tried",
    "Workshop",
    "complete",
    "keep",
    "keep_artifacts",
    "projector",
    "read_exchange",
    "read_options",
    "target_for",
    "trial_of",
    "workshop",
]
