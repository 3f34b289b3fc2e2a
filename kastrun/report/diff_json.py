"""Two runs compared, in one document: `schemas/diff.schema.json`. Changes stream through."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kastrun.model import JsonObject
from kastrun.report.comparison import Change, Comparison, Counts
from kastrun.report.view import View
from kastrun.tally import ExitCode

FORMAT = 1


def chunks(comparison: Comparison, counts: Counts, fail_on: str, exit_: ExitCode) -> Iterator[bytes]:
    """The document in pieces; its counts and exit code come before the changes."""
    head = {
        "format": FORMAT,
        "before": _run(comparison.before),
        "after": _run(comparison.after),
        "counts": counts.of,
        "fail_on": fail_on,
        "exit": {"code": exit_.code, "why": exit_.why},
    }
    text = msgspec.json.format(msgspec.json.encode(head), indent=2)
    yield text.rstrip().removesuffix(b"}").rstrip() + b',\n  "changes": ['
    separator = b"\n    "
    for change in comparison.changes():
        yield separator + msgspec.json.encode(_change(change, fail_on))
        separator = b",\n    "
    yield b"\n  ]\n}\n"


def _run(view: View) -> JsonObject:
    run, end = view.run, view.tally.end
    return {
        "run": run.run,
        "name": run.name,
        "profile": run.profile,
        "started_at": run.started_at,
        "ended_at": end.ended_at if end else None,
        "coverage": view.coverage.sentence(),
        "complete": view.coverage.complete,
    }


def _change(change: Change, fail_on: str) -> JsonObject:
    told: JsonObject = {"change": change.kind, "certain": change.certain, "reached": change.reaches(fail_on)}
    if change.before is not None:
        told["before"] = change.before
    return told | {"finding": change.finding}
