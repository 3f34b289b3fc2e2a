"""What a plugin may say, as types: one Struct for each message of protocol section 3.

Shapes and bounds only; no framing, no limits, no reading of bytes. A member that was not
said is UNSET, never None, so that encoding a message again gives exactly what was said.
`schemas/message.schema.json` is the published truth; a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from kastrun.model import JsonObject, Severity

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8259 section 6, RFC 7493)."""

EVIDENCE_LENGTH: Final = 16 * 1024
"""The most characters of `evidence`."""

Text = Annotated[str, Meta(min_length=1)]
Evidence = Annotated[str, Meta(max_length=EVIDENCE_LENGTH)]
Confidence = Literal["low", "medium", "high"]
Port = Annotated[int, Meta(ge=0, le=65535)]
Line = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Amount = Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | Annotated[float, Meta(ge=0, le=MAX_INTEGER)]
LogLevel = Literal["debug", "info", "warn", "error"]
DoneStatus = Literal["ok", "partial", "skipped", "error"]
ErrorKind = Literal["config", "target", "transient", "internal"]


class Location(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Where in the target a finding is; every member is optional, `line` counts from 1."""

    url: str | UnsetType = UNSET
    method: str | UnsetType = UNSET
    param: str | UnsetType = UNSET
    host: str | UnsetType = UNSET
    ip: str | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    proto: str | UnsetType = UNSET
    file: str | UnsetType = UNSET
    line: Line | UnsetType = UNSET


# `target` and `at` come first: the codec cuts them off the front of the encoding, because
# the engine writes its own (see codec.py).
class Finding(
    Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="finding"
):
    """A weakness. `target` is a target's `value`; `key` separates siblings; `at` is kept as said."""

    target: str | UnsetType = UNSET
    at: str | UnsetType = UNSET
    rule: Text
    title: Text
    severity: Severity
    description: str | UnsetType = UNSET
    remediation: str | UnsetType = UNSET
    evidence: Evidence | UnsetType = UNSET
    confidence: Confidence | UnsetType = UNSET
    refs: tuple[str, ...] | UnsetType = UNSET
    location: Location | UnsetType = UNSET
    cvss: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    artifacts: tuple[str, ...] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class Asset(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="asset"):
    """Something that exists: a host, a service (`host:port/tcp`), a certificate, a technology."""

    target: str | UnsetType = UNSET
    at: str | UnsetType = UNSET
    kind: Text
    value: Text
    attrs: dict[str, Any] | UnsetType = UNSET


class Progress(
    Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="progress"
):
    """How far the job is; empty, it is a heartbeat. `slow_down`: the target asked us to go slower."""

    done: Amount | UnsetType = UNSET
    total: Amount | UnsetType = UNSET
    message: str | UnsetType = UNSET
    slow_down: bool | UnsetType = UNSET


class Log(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="log"):
    """A line for people."""

    target: str | UnsetType = UNSET
    level: LogLevel
    message: str


class Artifact(
    Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="artifact"
):
    """A file handed over; `path` is relative to the job's `artifacts` folder (rule 11)."""

    path: Text
    media_type: str | UnsetType = UNSET
    title: str | UnsetType = UNSET


class ErrorInfo(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Why a plugin could not do its work. `retry_after_s` is in seconds; only `transient` is retried."""

    kind: ErrorKind
    message: str
    retry_after_s: Amount | UnsetType = UNSET


class Done(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag_field="type", tag="done"):
    """The plugin's last word, without which no job succeeds (rule 6)."""

    status: DoneStatus
    message: str | UnsetType = UNSET
    error: ErrorInfo | UnsetType = UNSET
    failed_targets: tuple[str, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.status == "error" and self.error is UNSET:
            raise ValueError("status `error` needs `error` with its `kind` and `message`")
        if self.status == "ok" and self.error is not UNSET:
            raise ValueError("status `ok` and an `error` contradict each other")
        if self.failed_targets and self.status != "partial":
            raise ValueError("`failed_targets` goes with status `partial`")


class Custom(Struct, frozen=True, kw_only=True, gc=False):
    """A message whose type begins `x-`, stored unread: `data` is the whole object as it was said.

    `target` is the object's own where it names one of the job's targets, and UNSET else.
    """

    type: str
    data: JsonObject
    target: str | UnsetType = UNSET


Known = Finding | Asset | Progress | Log | Artifact | Done
Message = Known | Custom

TYPES: Final[dict[str, type[Known]]] = {
    str(kind.__struct_config__.tag): kind for kind in (Finding, Asset, Progress, Log, Artifact, Done)
}
"""Type name to Struct, in the order of the reference; its keys are the job line's `accepts`."""

RESERVED: Final = frozenset({"state", "hello", "cancel"})
"""Type names kept for later in version 1; no plugin may use them."""

ENUMS: Final[dict[str, tuple[str, ...]]] = {
    "severity": get_args(Severity),
    "confidence": get_args(Confidence),
    "level": get_args(LogLevel),
    "status": get_args(DoneStatus),
    "error.kind": get_args(ErrorKind),
}
"""Members with a closed list of values, by path, for messages to people."""
