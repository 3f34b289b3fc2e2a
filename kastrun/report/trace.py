"""`trace.json`: when each job ran, in the Trace Event Format that Perfetto and chrome://tracing read.

A lane is what could have been one worker: the first that was free when the job began.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush

import msgspec

from kastrun.facts import JobEnded
from kastrun.model import JsonObject
from kastrun.report.view import View


def chunks(view: View) -> Iterator[bytes]:
    """The document, a job at a time, in the order in which they began."""
    yield b'{"displayTimeUnit":"ms","traceEvents":['
    name = {
        "name": "process_name",
        "ph": "M",
        "pid": 1,
        "tid": 0,
        "args": {"name": f"kastrun {view.run.name}"},
    }
    yield b"\n" + msgspec.json.encode(name)
    began = _microseconds(view.run.started_at)
    for event in _events(view, began):
        yield b",\n" + msgspec.json.encode(event)
    yield b"\n]}\n"


def _events(view: View, began: int) -> Iterator[JsonObject]:
    ran = [job for job in view.results() if job.timings.duration_s and not job.reused]
    ran.sort(key=lambda job: (job.timings.started_at, job.job))
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    for job in ran:
        start = _microseconds(job.timings.started_at) - began
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy) + 1
        took = round(job.timings.duration_s * 1_000_000)
        heappush(busy, (start + took, lane))
        yield _event(job, start, took, lane)


def _event(job: JobEnded, start: int, took: int, lane: int) -> JsonObject:
    return {
        "name": f"{job.plugin} {job.target}",
        "cat": job.status,
        "ph": "X",
        "ts": start,
        "dur": took,
        "pid": 1,
        "tid": lane,
        "args": {
            "job": job.job,
            "status": job.status,
            "reason": job.reason,
            "attempt": job.attempt,
            "queued_s": job.timings.queued_s,
            "findings": job.counts.finding,
        },
    }


def _microseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1_000_000)
