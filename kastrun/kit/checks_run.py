"""Checks of what a job says: its lines, its end, its records, for every kind of target.

Pure judgement of runs that were made; nothing runs here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from kastrun.kit.verdict import PASS, Check, Evidence, Verdict, fail, skip, warn
from kastrun.protocol.messages import Artifact, Asset, Finding
from kastrun.trial import Tried

BREACHES: Final = frozenset(
    {
        *("after_done", "truncated_line", "bad_json", "line_too_long"),
        *("unknown_message", "bad_message", "too_many_records", "too_much_output"),
    }
)
"""Reasons that are about lines: kastrun has ended the job at the first of them."""

EXPLAINED: Final = frozenset({None, "plugin_skipped", "plugin_target", "plugin_transient"})
"""How a job may end whatever its target does: success, or a reason that is the target's."""

LATE_S: Final = 10.0
"""A job that is shorter need not show life before its end."""
_NEAR_THE_END: Final = 0.9
_LINE_WARNINGS: Final = ("unknown_field", "utf8_replaced", "dropped_messages")
_ORDINARY: Final = ("minimal", "again", "kind", "unknown", "elsewhere", "crowd")


def sound(tried: Tried) -> bool:
    """Whether a job did what every job must: no breach, one `done`, exit 0."""
    return (
        tried.done is not None
        and tried.exit is not None
        and tried.exit.code == 0
        and tried.ended.reason in EXPLAINED
    )


def told(tried: Tried) -> str:
    """How a run ended, in one line: status, reason, what is known, the last line of stderr."""
    ended = tried.ended
    text = f"{ended.status}{f' ({ended.reason})' if ended.reason else ''}"
    message = ended.failure.message if ended.failure else ended.message
    if message:
        text += f": {message}"
    if ended.failure and ended.failure.line:
        text += f"; line {ended.failure.line_number}: {ended.failure.line[:120]!r}"
    last = tried.stderr.strip().splitlines()[-1:] if ended.failure else []
    return text + "".join(f"; stderr ends: {line[:200]!r}" for line in last)


def prints(tried: Tried, target: str | None = None) -> tuple[frozenset[str], Counter[tuple[str, str]]]:
    """What makes two runs the same: fingerprints of findings, kinds and values of assets.

    Of all targets, or of one of a batch.
    """
    records = [record for record in tried.records if target in (None, record["target"])]
    return (
        frozenset(record["fingerprint"] for record in records if record["type"] == "finding"),
        Counter((record["kind"], record["value"]) for record in records if record["type"] == "asset"),
    )


def first_bad(runs: Iterable[tuple[str, Tried]]) -> str | None:
    """Where a run did not end as a job may: which, and how."""
    for name, tried in runs:
        if not sound(tried):
            return f"{name}: {told(tried)}"
    return None


def _judge_minimal(evidence: Evidence) -> Verdict:
    tried = evidence.minimal
    if tried.ended.reason in BREACHES:
        return skip("kastrun ended the job at a bad line: see `lines`")
    if tried.ended.reason == "bad_artifact":
        return skip("what it handed over was refused: see `artifacts`")
    if tried.ended.reason in {"plugin_target", "plugin_transient"}:
        return warn(f"the kit's server does not suit it ({told(tried)}): name a target in examples/kit.toml")
    return PASS if sound(tried) else fail(told(tried))


def _judge_lines(evidence: Evidence) -> Verdict:
    for name, tried in evidence.of(*_ORDINARY).items():
        if tried.ended.reason in BREACHES:
            return fail(f"{name}: {told(tried)}")
        for word in _LINE_WARNINGS:
            if word in tried.ended.warnings:
                fields = f" ({', '.join(tried.unknown_fields)})" if word == "unknown_field" else ""
                return fail(f"{name}: warning {word}{fields}")
    return PASS


def _judge_kinds(evidence: Evidence) -> Verdict:
    bad = first_bad(evidence.of("kind").items())
    return fail(bad.removeprefix("kind:")) if bad else PASS


def _judge_batch(evidence: Evidence) -> Verdict:
    """In a batch each target must end, and have, as it does alone."""
    for tried in evidence.of("batch").values():
        if not sound(tried):
            return fail(f"{len(tried.endings)} targets at once: {told(tried)}")
        for job, ended in zip(tried.bundle.jobs, tried.endings, strict=True):
            value = job.target.value
            alone = evidence.tried[f"kind:{job.target.kind} {value}"]
            if alone.ended.status == "ok" and ended.status != "ok":
                return fail(f"{value}: ok when it is alone, {ended.status} in a batch")
            if sound(alone) and prints(alone) != prints(tried, value):
                return fail(
                    f"{value}: {_amounts(alone)} when it is alone, {_amounts(tried, value)} in a batch"
                )
    return PASS


def _amounts(tried: Tried, target: str | None = None) -> str:
    findings, assets = prints(tried, target)
    return f"{len(findings)} findings and {assets.total()} assets"


def _judge_unknown(evidence: Evidence) -> Verdict:
    return _as_before(evidence, "unknown")


def _judge_bulk(evidence: Evidence) -> Verdict:
    tried = evidence.of("bulk")["bulk"]
    if tried.ended.reason == "plugin_config":
        return PASS  # it refuses an option that its manifest does not have, and says so
    return _as_before(evidence, "bulk")


def _as_before(evidence: Evidence, scene: str) -> Verdict:
    tried = evidence.tried[scene]
    if (tried.ended.status, tried.ended.reason) != (
        evidence.minimal.ended.status,
        evidence.minimal.ended.reason,
    ):
        return fail(f"{told(tried)}; before: {told(evidence.minimal)}")
    return PASS


def _judge_again(evidence: Evidence) -> Verdict:
    first, second = evidence.minimal, evidence.tried["again"]
    if not sound(second):
        return fail(f"the second time: {told(second)}")
    (prints_1, assets_1), (prints_2, assets_2) = prints(first), prints(second)
    if prints_1 != prints_2:
        return fail(f"{len(prints_1 ^ prints_2)} findings have a fingerprint in only one of two equal jobs")
    if assets_1 != assets_2:
        return fail(
            f"assets differ between two equal jobs: {_shown((assets_1 - assets_2) + (assets_2 - assets_1))}"
        )
    return PASS


def _shown(assets: Counter[tuple[str, str]]) -> str:
    return ", ".join(f"{kind} {value[:40]}" for kind, value in list(assets)[:3])


def _judge_produces(evidence: Evidence) -> Verdict:
    plugin = evidence.subject.plugin
    declared = frozenset(plugin.produces) if plugin else frozenset[str]()
    given: set[str] = set()
    for tried in evidence.tried.values():
        given |= {"finding" for message in tried.messages if isinstance(message, Finding)}
        given |= {f"asset:{message.kind}" for message in tried.messages if isinstance(message, Asset)}
    undeclared = sorted(given - declared)
    return fail(f"not in produces: {', '.join(undeclared)}") if undeclared else PASS


def _judge_artifacts(evidence: Evidence) -> Verdict:
    for name, tried in evidence.tried.items():
        if tried.ended.reason == "bad_artifact":
            return fail(f"{name}: {told(tried)}")
        if tried.unclosed:
            return fail(f"{name}: {tried.unclosed[0]} was still open for writing when `done` was said")
        silent = {m.path for m in tried.messages if isinstance(m, Artifact)} - tried.announced
        if silent and tried.done is not None:
            return fail(f"{name}: {min(silent)} was left in `artifacts` without an `artifact` message")
    return PASS


def _judge_late(evidence: Evidence) -> Verdict:
    for name, tried in evidence.tried.items():
        if name.startswith("crowd"):
            continue  # it shares the machine with all the others
        lasted = tried.ended.timings.duration_s
        first = next((chunk.at for chunk in tried.chunks if chunk.stream == "stdout"), None)
        if lasted > LATE_S and first is not None and first > _NEAR_THE_END * lasted:
            return warn(f"{name}: nothing on standard output for {first:.0f} of {lasted:.0f} s")
    return PASS


def _judge_examples(evidence: Evidence) -> Verdict:
    if not evidence.replayed:
        return warn("there is no examples/CASE.job.json with its CASE.out.jsonl")
    differing = [f"{case}: {why}" for case, why in evidence.replayed.items() if why]
    return fail("; ".join(differing)) if differing else PASS


CHECKS: Final = (
    Check(
        id="minimal-job",
        title="a minimal job gives one done and exit 0",
        rule="protocol §4 rule 6",
        why="Success must be said, and a failure too: an exit code alone means nothing but 0 and not 0.",
        mend='Print {"type":"done","status":"ok"} as the last line and exit 0; where the work failed, '
        'status "error" with its `error`, and exit 0 as well.',
        judge=_judge_minimal,
        scenes=("minimal",),
    ),
    Check(
        id="lines",
        title="every line is valid, without a warning",
        rule="protocol §4 rules 1-5",
        why="The first bad line ends the job. A field that the protocol does not know is mostly a typo, "
        "and what it was to say is lost.",
        mend="Print one JSON object a line and nothing else on standard output (`exec 3>&1 >&2` in a "
        "shell); "
        "`kastrun schema message` prints what each message may hold. Fields of your own begin with `x_`.",
        judge=_judge_lines,
        scenes=("minimal", "again", "kind"),
        partial=True,
    ),
    Check(
        id="target-kinds",
        title="each accepted kind of target works",
        rule="protocol §2",
        why="A plugin is given every kind that it accepts: IPv4 and IPv6, names, IDN (as xn--), with a "
        "port or without.",
        mend="Take `host`, `port`, `scheme` and `path` from the target instead of parsing `value`; put "
        "brackets round "
        "IPv6 addresses in URLs; take kinds out of `targets` that you cannot serve. What the target does "
        "is its "
        'fault: `done` with status "error" and kind "target".',
        judge=_judge_kinds,
        scenes=("kind",),
    ),
    Check(
        id="batch",
        title="several targets at once are each done",
        rule="protocol §2 and §3",
        why="A manifest with `[limits] batch` above 1 is given that many targets in one job. Each has its "
        "own result, and what names no target cannot be filed with its own.",
        mend="Go through all of `targets`, put `target` (its `value`) into every finding and asset, and name "
        "those that were not done in `failed_targets`, with status `partial`. Or take `batch` out.",
        judge=_judge_batch,
        scenes=("kind", "batch"),
    ),
    Check(
        id="unknown-fields",
        title="unknown fields of a job are ignored",
        rule="protocol §4 rule 13",
        why="Optional fields may be added within protocol 1; a plugin that refuses them would stop "
        "working one day.",
        mend="Read the fields that you need, and no others.",
        judge=_judge_unknown,
        scenes=("minimal", "unknown"),
    ),
    Check(
        id="large-options",
        title="200 KiB of options are read",
        rule="protocol §2",
        why="Options may be word lists. Linux allows 128 KiB for one argument or variable, and 64 KiB "
        "fit a pipe.",
        mend="Read the line to its end from standard input; never put the job into an argument or a "
        "variable "
        "that is exported.",
        judge=_judge_bulk,
        scenes=("minimal", "bulk"),
    ),
    Check(
        id="fingerprints",
        title="the same job twice gives equal fingerprints",
        rule="protocol §6",
        why="Two runs are compared by fingerprint: rule, target, location and key. What changes by "
        "itself makes each "
        "finding new each time.",
        mend="Keep times, counters, ports of your own and random names out of `rule`, `location` and "
        "`key`; "
        "they may be in `evidence`.",
        judge=_judge_again,
        scenes=("minimal", "again"),
    ),
    Check(
        id="produces",
        title="what it gives is what it produces",
        rule="protocol §1",
        why="Who consumes an asset is run after its producers, by the manifests; an asset that is not "
        "declared "
        "is never waited for.",
        mend="List every record in `produces`: `finding`, and `asset:KIND` for each kind.",
        judge=_judge_produces,
        scenes=("minimal", "again", "kind"),
    ),
    Check(
        id="artifacts",
        title="artifacts are inside, closed and announced",
        rule="protocol §4 rule 11",
        why="They are collected when the job ends. A file that is still written then is half a file, "
        "and one that is not announced has no name for people.",
        mend="Write regular files beneath `artifacts`, close them, print an `artifact` message for each, "
        "then `done`.",
        judge=_judge_artifacts,
        scenes=("minimal", "again", "kind"),
        partial=True,
    ),
    Check(
        id="signs-of-life",
        title="not all output comes at the end",
        rule="protocol §3, progress",
        why=f"Past {LATE_S:.0f} s people want to see that it lives, and what is found late is lost with a "
        "late failure.",
        mend="Print findings as they come, flush each line, and print `progress` meanwhile (an empty one "
        "will do).",
        judge=_judge_late,
        scenes=("minimal", "again", "kind"),
    ),
    Check(
        id="examples",
        title="recorded example exchanges replay",
        rule="docs/conformance.md, examples",
        why="An example shows what the plugin says for a known target, and keeps it saying so.",
        mend="Add `examples/CASE.job.json` with its `CASE.out.jsonl`, or correct what was recorded.",
        judge=_judge_examples,
        scenes=("examples",),
    ),
)
