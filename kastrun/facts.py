"""What kastrun witnessed, as values: the facts that the journal holds and the tally folds.

Floor 0. Shapes only: no clock, no file, no folding. Each is written to the journal as it
stands (`type` is the tag, `seq` is the journal's to add) and read back the same, so a fold
over a live run and over its journal see equal values. Records (finding, asset, log,
artifact) are what a plugin *said*; they pass by as arguments, not as Structs, because there
are millions of them.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from kastrun.model import Counts, Failure, Held, Status, TargetKind, Timings


class LeftOut(Struct, frozen=True, kw_only=True, gc=False):
    """A plugin, a target or a pair of them for which no job was planned, and why.

    `reason` is a word for machines, `message` one line for people; `plugin` or `target`
    is None where the whole plugin or the whole target was left out.
    """

    plugin: str | None
    target: str | None
    reason: str
    message: str


class RunStarted(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="run"):
    """A run began, or was resumed. `profile` is a digest; `planned` None where it is not known yet.

    `baseline` is the file of what is accepted, where the profile has one.
    """

    v: int = 1
    run: str
    name: str
    kastrun: str
    profile: str
    planned: int | None
    started_at: str
    fail_on: str
    max_workers: int
    mode: str
    source: str | None
    arguments: list[str]
    left_out: list[LeftOut]
    baseline: str | UnsetType = UNSET


class Accepted(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="accepted"):
    """The baseline accepts a finding; `ended`: no more, since `until` was over when the run began.

    These come right after the `run` event, and replace those of an earlier start.
    """

    fingerprint: str
    reason: str
    until: str | None
    ended: bool


class JobStarted(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="start"):
    """A job's process is about to be made. `at` is RFC 3339 UTC, `deadline_s` seconds from then.

    `reused` is the id of an earlier run that made it: its lines of this job follow.
    `process` and `batch` are there where several jobs share one: its id, and how many they are.
    """

    job: str
    plugin: str
    version: str
    targets: list[str]
    attempt: int
    at: str
    deadline_s: float
    reused: str | None = None
    process: str | UnsetType = UNSET
    batch: int | UnsetType = UNSET


class JobRetried(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="retry"):
    """An attempt ended with a passing error, and the job is tried once more in `wait_s` seconds.

    What it said is kept, and incomplete unless a later attempt ends ok; it has no result yet.
    """

    job: str
    plugin: str
    target: str
    attempt: int
    at: str
    reason: str
    message: str
    wait_s: float


class JobEnded(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="result"):
    """How one job ended; a later one for the same job replaces it.

    `reason` is of protocol section 5 (None with ok), `message` what the plugin said in `done`,
    `failure` what a person needs to act, `tags` those of the job's target, `reused` the id of the
    earlier run whose result this is. Where jobs shared a
    process `process` is its id and `batch` their number; then times and memory are the
    process's, CPU seconds the job's even share. `sandbox` is what held the process.
    """

    job: str
    plugin: str
    target: str
    status: Status
    reason: str | None
    attempt: int
    timings: Timings
    counts: Counts
    warnings: list[str]
    failure: Failure | None
    message: str | None
    tags: list[str]
    reused: str | None = None
    process: str | UnsetType = UNSET
    batch: int | UnsetType = UNSET
    sandbox: Held | UnsetType = UNSET


class Void(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="void"):
    """A resume took back what the journal has of one job up to here: a damaged line was among it, or
    the plan has no such job any more (its plugin, options or target have changed).
    """

    job: str
    reason: Literal["damaged", "not_planned"]
    at: str


class RunEnded(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="end"):
    """The run is over; `counts` is the number of jobs by status, `cause` what interrupted it.
    Without this event the run was killed, or still goes on.
    """

    status: Literal["complete", "interrupted"]
    counts: dict[str, int]
    ended_at: str
    cause: Literal["signal", "run_timeout", "launcher_lost"] | None = None


AdaptCause = Literal["memory", "cpu", "timeouts", "room", "slow_down", "unreachable", "answers"]


class Adapted(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="adapt"):
    """The run adapted itself: to so many `workers`, or to `pause_s` between two starts against `host`."""

    at: str
    cause: AdaptCause
    workers: int | None
    host: str | None
    pause_s: float | None


class Egress(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="egress"):
    """A destination that a job's process contacted or was refused, folded over the life of the process.

    `destination` is an address, or a network where there were too many; a name (`dns`), or a path
    (`unix`). `ports` are ranges, empty where there are none, with `…` where these are not all.
    `verdict` audited: outside the scope and let through. A process of several jobs is told under its first.
    """

    job: str
    plugin: str
    attempt: int
    destination: str
    protocol: Literal["tcp", "udp", "dns", "unix"]
    verdict: Literal["allowed", "refused", "audited"]
    ports: str
    count: int
    first: str
    last: str


PassedOverFor = Literal["excluded", "out_of_scope", "no_target", "max_discovered"]


class Discovered(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="discovered"):
    """What `job` found has become a target (`kind`, `value`) of the `jobs`, as step number `step`.

    `target` is that of the job that found it. A resume says anew what follows from what it kept.
    """

    job: str
    plugin: str
    target: str
    at: str
    kind: TargetKind
    value: str
    step: int
    jobs: list[str]


class PassedOver(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="passed_over"):
    """So many things that `job` found became no target, for one `reason`; `example` is the first."""

    job: str
    plugin: str
    target: str
    at: str
    reason: PassedOverFor
    count: int
    example: str


class Progress(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag="progress"):
    """How far a running job says it is. Live only: never journaled."""

    job: str
    done: int | None = None
    total: int | None = None
    message: str | None = None
    slow_down: bool = False


Fact = (
    RunStarted | JobStarted | JobRetried | Egress | JobEnded | Discovered | PassedOver | RunEnded | Progress
)
