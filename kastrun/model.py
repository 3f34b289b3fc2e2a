"""The nouns of a run, frozen: what was asked, what was decided, what was witnessed.

Floor 0. Holds data and nothing else: no parsing, no files, no clock. What a plugin
*claims* (a Message) lives in `protocol`; here is what kastrun decided or saw.
msgspec Structs: on the hot path (targets by the million) they are a third of a dataclass's
size and are written as JSON as they stand; and a command that starts does not wait half a
millisecond for each class, and eight more for `dataclasses` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct, field

JsonObject = dict[str, Any]
TargetKind = Literal["host", "ip", "cidr", "url", "domain", "service", "file"]
Mode = Literal["passive", "active", "both"]
PluginMode = Literal["passive", "active"]
Severity = Literal["info", "low", "medium", "high", "critical"]
SandboxLevel = Literal["strict", "standard", "off"]
Status = Literal["ok", "partial", "fail", "skipped", "cancelled"]

TARGET_KINDS: Final[tuple[TargetKind, ...]] = ("host", "ip", "cidr", "url", "domain", "service", "file")
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "low", "medium", "high", "critical")
"""From the mildest to the worst; the index is the rank."""


class Problem(Struct, frozen=True, kw_only=True):
    """One thing wrong with what the user wrote: where, what, and what to do.

    `line` and `column` count from 1, in characters; `width` is the number of
    characters under the caret; `text` is the whole source line. All four are
    absent where a problem has no place in a file (a command-line flag, say).
    `path` is the dotted key path (``plugins.nmap.timeout``), `rule` a stable
    word for machines (``unknown_key``).
    """

    message: str
    rule: str
    level: Literal["error", "warning"] = "error"
    file: str | None = None
    line: int | None = None
    column: int | None = None
    width: int = 1
    text: str | None = None
    path: str = ""
    hint: str | None = None


class Target(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Whom a job is about, normalised; as JSON it is an entry of the job line's `targets`.

    `value` is the canonical text and, with `kind`, the identity. `host` is a name
    or a bare address (no brackets); the others are there where they can be known.
    """

    kind: TargetKind
    value: str
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None


class TargetEntry(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One entry of the profile's targets, before a CIDR is expanded.

    `where` is ``file:line`` for messages; `plugins` maps a plugin's name to options
    that hold for this target only.
    """

    target: Target
    tags: tuple[str, ...] = ()
    plugins: dict[str, JsonObject] | None = None
    where: str = ""


class SecretRef(Struct, frozen=True, kw_only=True):
    """A secret by reference: the name of a variable, or the path of a file. Never its value."""

    source: Literal["env", "file"]
    name: str


class Requirement(Struct, frozen=True, kw_only=True):
    """An external program that a plugin needs (`[requires.NAME]`)."""

    name: str
    probe: tuple[str, ...]
    match: str | None = None
    min: str | None = None
    install: Mapping[str, str] = field(default_factory=dict)


class Limits(Struct, frozen=True, kw_only=True):
    """What a process may use: seconds, and megabytes of 2**20 bytes. `idle_s` 0 is off.

    `batch` is the most jobs that share one.
    """

    total_s: float
    idle_s: float
    grace_s: float
    memory_mb: int
    output_mb: int
    batch: int = 1


class SandboxAsk(Struct, frozen=True, kw_only=True):
    """What a manifest asks for beyond the usual (`[sandbox]`)."""

    network: Literal["none", "scope", "full"] = "scope"
    read: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()


class Plugin(Struct, frozen=True, kw_only=True):
    """A manifest, read and checked. `folder` is absolute; `digest` covers the folder's content.

    `options_schema` is a JSON Schema of type object; `secret_options` are its
    `writeOnly` properties.
    """

    name: str
    version: str
    summary: str
    homepage: str | None
    folder: str
    exec: tuple[str, ...]
    mode: PluginMode
    targets: tuple[TargetKind, ...]
    depends_on: tuple[str, ...]
    consumes: tuple[str, ...]
    produces: tuple[str, ...]
    priority: int
    options_schema: JsonObject
    secret_options: frozenset[str]
    requires: tuple[Requirement, ...]
    limits: Limits
    sandbox: SandboxAsk
    digest: str
    origin: Literal["profile", "settings", "shipped"]
    speaks: frozenset[str] = frozenset()
    """Of services that others discover, it takes only those that speak one of these; empty: all."""


class PluginChoice(Struct, frozen=True, kw_only=True):
    """What a profile says of one plugin (`[plugins.NAME]`). `timeout_s` None: not said."""

    name: str
    enabled: bool = True
    timeout_s: float | None = None
    priority: int | None = None
    max_workers: int | None = None
    if_missing: Literal["fail", "skip"] = "fail"
    grant: tuple[str, ...] = ()
    options: JsonObject = field(default_factory=dict)


class Rate(Struct, frozen=True, kw_only=True):
    """So many in a second on average, and `burst` at once after a pause."""

    per_s: float
    burst: int


class SandboxWish(Struct, frozen=True, kw_only=True):
    """What a profile wants of the sandbox (`[sandbox]`)."""

    level: SandboxLevel = "standard"
    scope: Literal["enforce", "audit", "off"] = "enforce"
    ports: Literal["any", "target"] = "any"


class Http(Struct, frozen=True, kw_only=True):
    """What the profile wants of every HTTP request (`[http]`). Header values may be SecretRefs."""

    user_agent: str
    headers: Mapping[str, str | SecretRef]
    proxy: str | None = None
    ca_file: str | None = None


class Notify(Struct, frozen=True, kw_only=True):
    """Who is told when a run has ended (`[notify]`): a command's argv, a URL or a reference to one."""

    command: tuple[str, ...] = ()
    webhook: str | SecretRef | None = None
    timeout_s: float = 30.0


class Profile(Struct, frozen=True, kw_only=True):
    """A scan profile after extends, defaults and overrides; paths are absolute.

    `plugins` is None where there is no `[plugins]` table (then every suitable plugin
    runs). `targets_from` holds absolute paths or ``-``. `document` is the same as a
    plain TOML-able mapping, secrets as references, ready for tomli-w.
    """

    name: str
    mode: Mode
    max_workers: int
    min_workers: int | None = None
    fail_on: Literal["none"] | Severity
    targets: tuple[TargetEntry, ...]
    targets_from: tuple[str, ...]
    exclude: tuple[str, ...]
    scope: tuple[str, ...]
    plugin_dirs: tuple[str, ...]
    job_timeout_s: float | None
    run_timeout_s: float | None
    plugins: Mapping[str, PluginChoice] | None
    http: Http
    formats: tuple[str, ...] = ()
    baseline: str | None = None
    document: JsonObject
    sandbox: SandboxWish = SandboxWish()
    source: str | None = None
    window: str | None = None
    per_host: int | None = None
    rate: Rate | None = None
    per_host_rate: Rate | None = None
    attempts: int = 1
    discover: int = 0
    max_discovered: int = 1000
    notify: Notify = Notify()


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a job before any process: it will not run, and why."""

    status: Literal["skipped", "fail"]
    reason: str
    message: str


class Job(Struct, frozen=True, kw_only=True, gc=False):
    """One plugin against one target, decided. `id` is a digest of the work, the same in any run.

    `target` is what the plugin is given; `declared` the canonical text of the target as the
    profile has it (they differ where a kind was turned into another). `order` is its place
    among jobs of equal priority; `expected_s` how long it and what waits for it may take, as far
    as is known. At most `batch` jobs share a process. With a `verdict` no process is started.
    `needs` are ids of jobs that must have ended ok before it, `after` of those that must have
    ended; `awaited` says that it may itself be among those of another.
    """

    id: str
    plugin: str
    target: Target
    declared: str
    options: JsonObject
    priority: int
    order: int
    expected_s: float = 0.0
    batch: int = 1
    tags: tuple[str, ...] = ()
    attempt: int = 1
    verdict: Verdict | None = None
    awaited: bool = False
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Held(Struct, frozen=True, kw_only=True, gc=False):
    """What held a job while it ran. `missing` are words for what of the promise was not held.

    `level` is `namespaces`, `plain` or `off`; docs/security.md explains every word.
    """

    level: str
    fs: str
    net: str
    life: str
    limits: Mapping[str, str]
    missing: tuple[str, ...]


class Counts(Struct, kw_only=True, gc=False):
    """How many records of a type a job gave, and how many messages were dropped."""

    finding: int = 0
    asset: int = 0
    log: int = 0
    artifact: int = 0
    dropped: int = 0


class Timings(Struct, frozen=True, kw_only=True, gc=False):
    """A job's times: seconds, except the two RFC 3339 UTC moments and megabytes (2**20 bytes).

    `queued_s` is the wait from ready to spawn. cpu and memory are None where no process ran.
    """

    queued_s: float
    started_at: str
    ended_at: str
    duration_s: float
    cpu_s: float | None = None
    max_rss_mb: float | None = None


class Failure(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What a person needs to act on a job that did not end ok (protocol section 5)."""

    message: str
    hint: str
    argv: tuple[str, ...] = ()
    exit_code: int | None = None
    signal: str | None = None
    line: str | None = None
    line_number: int | None = None
    stderr: str = ""
    records: int = 0
