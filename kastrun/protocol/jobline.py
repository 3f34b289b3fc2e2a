"""The one line that a plugin reads (protocol section 2). Bytes out; nothing is looked up here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from kastrun.model import Target
from kastrun.protocol.messages import TYPES

VERSION: Final = 1

_encode: Final = msgspec.json.Encoder().encode


def encode(
    *,
    job_id: str,
    attempt: int,
    targets: Sequence[Target],
    options: Mapping[str, Any],
    http: Mapping[str, Any],
    artifacts: str,
    inputs: str,
    deadline_s: float,
) -> bytes:
    """The job line, its newline included.

    `options` are complete (defaults filled in, secrets by value); `http` has `user_agent`,
    `headers` (name to value), `proxy` and `ca_file` (null where there is none); `artifacts` and
    `inputs` are paths as the plugin sees them; `deadline_s` is in seconds from now.
    """
    line = _encode(
        {
            "type": "job",
            "v": VERSION,
            "id": job_id,
            "attempt": attempt,
            "targets": targets,
            "options": options,
            "http": http,
            "artifacts": artifacts,
            "inputs": inputs,
            "deadline_s": int(deadline_s) if deadline_s == int(deadline_s) else deadline_s,
            "accepts": list(TYPES),
        }
    )
    return line + b"\n"
