"""What a process contacted, as its warden told it, made into facts for the journal."""

from __future__ import annotations

from collections.abc import Iterable

from kastrun.bundle import Bundle
from kastrun.engine.clock import Clock
from kastrun.facts import Egress
from kastrun.sandbox.ledger import Line


def facts(bundle: Bundle, lines: Iterable[Line], clock: Clock) -> list[Egress]:
    """One for each line; a process of several jobs is told under the first of them."""
    job = bundle.jobs[0]
    return [
        Egress(
            job=job.id,
            plugin=job.plugin,
            attempt=job.attempt,
            destination=destination,
            protocol=protocol,
            verdict=verdict,
            ports=_text(ranges) + (",…" if cut else ""),
            count=count,
            first=clock.stamp_wall(first),
            last=clock.stamp_wall(last),
        )
        for destination, protocol, verdict, count, first, last, ranges, cut in lines
    ]


def _text(ranges: Iterable[tuple[int, int]]) -> str:
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)
