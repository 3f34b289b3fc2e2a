"""The one terminal record of a job, with what a person needs to act on a failure.

Pure. Texts come from the table of reasons; what is special to this case is put in front.
"""

from __future__ import annotations

from kastrun.engine.clock import Clock
from kastrun.engine.life import Life
from kastrun.engine.outcome import Cause, Outcome, signal_name
from kastrun.facts import JobEnded
from kastrun.model import Counts, Failure, Job, Timings
from kastrun.protocol.reasons import FAILURES


def of_life(life: Life, outcome: Outcome, *, ready: float, clock: Clock) -> JobEnded:
    """The result of a job whose process ran."""
    job, now, exit_ = life.job, clock.now(), life.exit
    done = life.decoder.done
    return JobEnded(
        job=job.id,
        plugin=job.plugin,
        target=job.target.value,
        status=outcome.status,
        reason=outcome.cause.reason if outcome.cause else None,
        attempt=job.attempt,
        timings=Timings(
            queued_s=_round(life.started - ready),
            started_at=clock.stamp(life.started),
            ended_at=clock.stamp(now),
            duration_s=_round(now - life.started),
            cpu_s=_round(exit_.cpu_s) if exit_ else None,
            max_rss_mb=exit_ and exit_.max_rss_mb and round(exit_.max_rss_mb, 1),
        ),
        counts=life.decoder.counts,
        warnings=[*life.warnings, *life.decoder.warnings],
        failure=_failure(life, outcome.cause) if outcome.status not in {"ok", "skipped"} else None,
        message=(done.message or None) if done else None,
        tags=list(job.tags),
    )


def without_process(
    job: Job, outcome: Outcome, *, argv: tuple[str, ...], ready: float, clock: Clock
) -> JobEnded:
    """The result of a job that never had a process: skipped, or failed before there was one.

    `argv` is what was to be started.
    """
    now = clock.now()
    cause = outcome.cause
    failure = None
    if cause and outcome.status == "fail":
        hint = cause.hint or FAILURES[cause.reason].hint
        failure = Failure(message=cause.message, hint=hint, argv=argv)
    return JobEnded(
        job=job.id,
        plugin=job.plugin,
        target=job.target.value,
        status=outcome.status,
        reason=cause.reason if cause else None,
        attempt=job.attempt,
        timings=Timings(
            queued_s=_round(now - ready),
            started_at=clock.stamp(now),
            ended_at=clock.stamp(now),
            duration_s=0.0,
        ),
        counts=Counts(),
        warnings=[],
        failure=failure,
        message=cause.message if cause and outcome.status == "skipped" else None,
        tags=list(job.tags),
    )


def _failure(life: Life, cause: Cause | None) -> Failure:
    exit_, done = life.exit, life.decoder.done
    return Failure(
        message=cause.message
        if cause
        else (done and done.message) or "it said that its work is not complete",
        hint=(cause.hint or FAILURES[cause.reason].hint) if cause else "look at what it says of the targets",
        argv=life.station.argv,
        exit_code=exit_.code if exit_ else None,
        signal=signal_name(exit_.signal) if exit_ and exit_.signal else None,
        line=cause.line if cause else None,
        line_number=cause.line_number if cause else None,
        stderr=life.stderr.text(),
        records=life.decoder.records,
    )


def _round(seconds: float) -> float:
    return round(seconds, 6)
