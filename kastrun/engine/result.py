"""The one terminal record of each job, with what a person needs to act on a failure.

Pure. Texts come from the table of reasons; what is special to this case is put in front.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from kastrun.engine.clock import Clock
from kastrun.engine.life import Life
from kastrun.engine.outcome import Cause, Outcome, signal_name
from kastrun.facts import JobEnded
from kastrun.model import Counts, Failure, Job, Timings
from kastrun.protocol.reasons import FAILURES


def of_life(
    life: Life, outcomes: Sequence[Outcome], *, ready: Sequence[float], clock: Clock
) -> list[JobEnded]:
    """The results of the jobs of a process that ran, in their order.

    What is the process's as a whole is told once: its warnings with the first job, its stderr
    with the first that did not do well.
    """
    now = clock.now()
    jobs = life.bundle.jobs
    unwell = next((job for job, outcome in zip(jobs, outcomes, strict=True) if not _is_well(outcome)), None)
    return [
        _of_job(
            life,
            job,
            outcome,
            timings=_timings(life, since, now, clock),
            warnings=[*life.warnings, *life.decoder.warnings] if job is jobs[0] else [],
            stderr=life.stderr.text() if job is unwell else "",
        )
        for job, outcome, since in zip(jobs, outcomes, ready, strict=True)
    ]


def _is_well(outcome: Outcome) -> bool:
    return outcome.status in {"ok", "skipped"}


def _timings(life: Life, ready: float, now: float, clock: Clock) -> Timings:
    exit_ = life.exit
    return Timings(
        queued_s=_round(life.started - ready),
        started_at=clock.stamp(life.started),
        ended_at=clock.stamp(now),
        duration_s=_round(now - life.started),
        cpu_s=_round(exit_.cpu_s / len(life.bundle.jobs)) if exit_ else None,
        max_rss_mb=exit_ and exit_.max_rss_mb and round(exit_.max_rss_mb, 1),
    )


def _of_job(
    life: Life, job: Job, outcome: Outcome, *, timings: Timings, warnings: list[str], stderr: str
) -> JobEnded:
    done, together = life.decoder.done, life.bundle
    return JobEnded(
        job=job.id,
        plugin=job.plugin,
        target=job.target.value,
        status=outcome.status,
        reason=outcome.cause.reason if outcome.cause else None,
        attempt=job.attempt,
        timings=timings,
        counts=life.witness.counts(job, life.decoder.counts),
        warnings=warnings,
        failure=None if _is_well(outcome) else _failure(life, outcome.cause, stderr),
        message=(done.message or None) if done else None,
        tags=list(job.tags),
        process=together.process or UNSET,
        batch=together.batch or UNSET,
        sandbox=life.confinement.held or UNSET,
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
    if cause and outcome.status in {"fail", "cancelled"}:
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


def _failure(life: Life, cause: Cause | None, stderr: str) -> Failure:
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
        stderr=stderr,
        records=life.decoder.records,
    )


def _round(seconds: float) -> float:
    return round(seconds, 6)
