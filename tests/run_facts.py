"""A run's facts, made by hand: what the tally's and the terminal's tests feed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kastrun.facts import JobEnded, JobStarted, LeftOut, RunEnded, RunStarted
from kastrun.model import Counts, Failure, Timings
from kastrun.tally import Tally

T0 = 1_764_000_000.0


def iso(seconds: float) -> str:
    """The moment that many seconds into the run."""
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat().replace("+00:00", "Z")


def started(planned: int | None = 4, *, at: float = 0, left_out: list[LeftOut] | None = None) -> RunStarted:
    return RunStarted(
        run="20251124T160000Z",
        name="shop",
        kastrun="1.0",
        profile="sha256:00",
        planned=planned,
        started_at=iso(at),
        fail_on="high",
        max_workers=4,
        mode="both",
        source="scan.toml",
        arguments=["scan.toml"],
        left_out=left_out or [],
    )


def start(
    job: str, plugin: str = "nmap", target: str = "a.example", *, at: float = 0, attempt: int = 1, **more: Any
) -> JobStarted:
    return JobStarted(
        job=job,
        plugin=plugin,
        version="1",
        targets=[target],
        attempt=attempt,
        at=iso(at),
        deadline_s=900,
        **more,
    )


def ended(
    job: str,
    status: Any = "ok",
    reason: str | None = None,
    *,
    plugin: str = "nmap",
    target: str = "a.example",
    at: float = 1,
    took: float = 1,
    attempt: int = 1,
    failure: Failure | None = None,
    message: str | None = None,
    warnings: tuple[str, ...] = (),
    **more: Any,
) -> JobEnded:
    return JobEnded(
        job=job,
        plugin=plugin,
        target=target,
        status=status,
        reason=reason,
        attempt=attempt,
        timings=Timings(queued_s=0, started_at=iso(at - took), ended_at=iso(at), duration_s=took),
        counts=Counts(),
        warnings=list(warnings),
        failure=failure,
        message=message,
        tags=[],
        **more,
    )


def over(status: Any = "complete", at: float = 10) -> RunEnded:
    cause = "signal" if status == "interrupted" else None
    return RunEnded(status=status, counts={}, ended_at=iso(at), cause=cause)


def folded(*facts: Any) -> Tally:
    tally = Tally()
    for fact in facts:
        tally.apply(fact)
    return tally


def of_statuses(planned: int | None, *statuses: Any) -> Tally:
    """A run whose jobs ended so: a status, or a (status, reason)."""
    tally = folded(started(planned))
    for number, status in enumerate(statuses):
        status, reason = status if isinstance(status, tuple) else (status, None)
        tally.apply(start(f"j{number}"))
        tally.apply(ended(f"j{number}", status, reason))
    return tally
