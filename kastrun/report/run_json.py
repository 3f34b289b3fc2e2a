"""`run.json`: the run in one document, for scripts and for those who knew `kast_info.json`.

Versions, times, counts, coverage, every plugin's and every job's timing. Jobs stream
through, so a million of them cost no memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UnsetType

from kastrun.facts import JobEnded
from kastrun.model import JsonObject
from kastrun.tally import ExitCode, Tally, coverage

FORMAT = 1


def chunks(tally: Tally, results: Iterable[JobEnded], exit_: ExitCode) -> Iterator[bytes]:
    """The document in pieces; `results` are the last of each job, in the order of their ends."""
    head = msgspec.json.format(msgspec.json.encode(_head(tally, exit_)), indent=2)
    yield head.rstrip().removesuffix(b"}").rstrip() + b',\n  "jobs": ['
    separator = b"\n    "
    for result in results:
        yield separator + msgspec.json.encode(_job(result))
        separator = b",\n    "
    yield b"\n  ]\n}\n"


def _head(tally: Tally, exit_: ExitCode) -> JsonObject:
    run, end = tally.run, tally.end
    if run is None:
        raise ValueError("a journal without a run has no summary")
    return {
        "format": FORMAT,
        "run": run.run,
        "name": run.name,
        "kastrun": run.kastrun,
        "profile": run.profile,
        "source": run.source,
        "baseline": _baseline(tally, run.baseline),
        "arguments": run.arguments,
        "mode": run.mode,
        "max_workers": run.max_workers,
        "fail_on": run.fail_on,
        "status": end.status if end else "killed",
        "started_at": run.started_at,
        "ended_at": end.ended_at if end else None,
        "duration_s": round(tally.duration_s(), 3),
        "exit": {"code": exit_.code, "why": exit_.why},
        "coverage": coverage(tally),
        "findings": {"by_severity": tally.severities(), "incomplete": tally.incomplete_findings()},
        "discovered": {
            "targets": tally.followed.targets,
            "jobs": tally.followed.jobs,
            "passed_over": tally.followed.passed_over,
        },
        "retries": tally.retries,
        "assets": tally.assets,
        "artifacts": tally.artifacts,
        "warnings": tally.warnings,
        "left_out": run.left_out,
        "plugins": _plugins(tally),
    }


def _baseline(tally: Tally, file: str | UnsetType) -> JsonObject | None:
    """The file, and of the findings those that it accepts."""
    return {"file": file, "accepted": tally.severities(accepted=True)} if file else None


def _plugins(tally: Tally) -> dict[str, JsonObject]:
    """By plugin: jobs by status, busy seconds (added up over workers), first start and last end."""
    found: dict[str, JsonObject] = {}
    for outcome in tally.outcomes():
        plugin = found.setdefault(outcome.plugin, {"jobs": 0, "by_status": {}})
        plugin["jobs"] += outcome.count
        by_status = plugin["by_status"]
        by_status[outcome.status] = by_status.get(outcome.status, 0) + outcome.count
    for name, times in tally.plugins.items():
        if name in found:
            found[name] |= {
                "busy_s": round(times.busy_s, 3),
                "started_at": times.first_start or None,
                "ended_at": times.last_end or None,
            }
    return dict(sorted(found.items()))


def _job(result: JobEnded) -> JsonObject:
    return {
        "job": result.job,
        "plugin": result.plugin,
        "target": result.target,
        "status": result.status,
        "reason": result.reason,
        "attempt": result.attempt,
        "tags": result.tags,
        "findings": result.counts.finding,
        "timings": result.timings,
        "reused": result.reused,
    }
