"""How long the rest of a run will take, guessed from how long its jobs have taken so far.

Pure. The mean is all seconds spent by all jobs, those still running included, over the jobs
that ended (the estimate for lifetimes cut short: without the running ones it would follow the
quick jobs, which end first). Each job still to start takes that mean, each running one what
is left of it, and the workers share the work. It knows nothing of which plugins are still to
come, so it is said as "about".
"""

from __future__ import annotations

from typing import Final

from kastrun.tally import Tally, moment

_ENOUGH: Final = 2
"""Jobs that must have ended before there is a mean worth saying."""


def left_s(tally: Tally, now: float) -> float | None:
    """Seconds until the run is over, or None where nobody can say."""
    planned = tally.planned()
    if tally.run is None or planned is None or tally.ran < _ENOUGH:
        return None
    elapsed = [max(0.0, now - moment(job.at)) / job.batch for job in tally.running.values()]
    mean = (tally.busy_s + sum(elapsed)) / tally.ran
    waiting = max(0, planned - tally.ended() - len(elapsed))
    work = waiting * mean + sum(max(0.0, mean - seconds) for seconds in elapsed)
    workers = min(tally.run.max_workers, waiting + len(elapsed))
    return work / workers if workers and work else None
