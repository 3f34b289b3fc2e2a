"""`findings.jsonl`: one finding a line, for jq, DuckDB and pipes; see `schemas/record.schema.json`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kastrun.report.view import View

_encode = msgspec.json.Encoder().encode


def chunks(view: View) -> Iterator[bytes]:
    """A line a finding, with `incomplete` where its job did not end ok."""
    for finding in view.findings():
        yield _encode(finding) + b"\n"
