"""An earlier run of the same profile, as its `run.json` has it: what a trend is made of."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from kastrun.model import Severity
from kastrun.report.run_json import FORMAT
from kastrun.tally import Coverage, ExitCode

_JOBS: Final = b',\n  "jobs": ['
"""Where the head of `run.json` ends: the list of jobs may be as long as it likes."""


class Found(Struct, frozen=True, kw_only=True):
    """What it found, counted."""

    by_severity: dict[Severity, int]


class Past(Struct, frozen=True, kw_only=True):
    """One run of a profile; `status` is complete or interrupted, or killed, where it never ended."""

    format: int = FORMAT
    run: str
    name: str
    status: str
    started_at: str
    duration_s: float
    exit: ExitCode
    coverage: Coverage
    findings: Found


_decode = msgspec.json.Decoder(Past)


def read(content: bytes) -> Past | None:
    """A run out of the beginning of its `run.json`; None where that is not one, or of another format."""
    head, mark, _ = content.partition(_JOBS)
    try:
        past = _decode.decode(head + b"}") if mark else None
    except msgspec.DecodeError:
        return None
    return past if past is not None and past.format == FORMAT else None
