"""A whole run put together: profile and catalogue to plan, plan to engine, events to sinks.

Floor 5. Knows every room below and does nothing itself: it hands one's result to the next,
turns signals into wishes for the engine, and says how it ended. `prepare` is what comes
before the first event, `course` from there to the last one, `resume` what an earlier start
brings along.
"""

from kastrun.scan.course import Ended, run
from kastrun.scan.prepare import Choice, caps_of, choose_once, jobs_of
from kastrun.scan.resume import Resume
from kastrun.scan.reuse import Since, check_same_http

__all__ = [
    "Choice", "Ended", "Resume", "Since", "caps_of", "check_same_http", "choose_once", "jobs_of", "run",
]  # fmt: skip
