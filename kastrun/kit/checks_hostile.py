"""Checks of what a plugin makes of targets that mean it ill, or are dead.

Pure judgement of runs that were made; nothing runs here.
"""

from __future__ import annotations

from typing import Final

from kastrun.kit.checks_run import EXPLAINED, told
from kastrun.kit.hostile import FORGED
from kastrun.kit.verdict import PASS, Check, Evidence, Verdict, fail, warn
from kastrun.protocol.messages import Asset, Custom, Finding, Log
from kastrun.trial import Tried


def _judge_danger(evidence: Evidence) -> Verdict:
    if evidence.canaries:
        return fail(
            f"a target was executed or taken for an option: it created {', '.join(evidence.canaries)}"
        )
    return PASS


def _judge_hostile(evidence: Evidence) -> Verdict:
    runs = evidence.of("hostile").values()
    if any(_forged(tried) for tried in runs):
        return fail("a record that the server wrote into its response came out as the plugin's own")
    if broken := [tried for tried in runs if tried.ended.reason not in EXPLAINED]:
        return fail(told(broken[0]))
    if any("utf8_replaced" in tried.ended.warnings for tried in runs):
        return warn("it prints bytes of the response that are no UTF-8; they were replaced")
    return PASS


def _forged(tried: Tried) -> bool:
    if tried.done is not None and tried.done.message == FORGED:
        return True
    for message in tried.messages:
        if isinstance(message, Finding) and FORGED in {message.rule, message.title}:
            return True
        if isinstance(message, Asset) and FORGED in {message.kind, message.value}:
            return True
        if isinstance(message, Log | Custom) and FORGED in {getattr(message, "message", ""), message.target}:
            return True
    return False


def _judge_refused(evidence: Evidence) -> Verdict:
    return _judge_dead(evidence.tried["refused"])


def _judge_silent(evidence: Evidence) -> Verdict:
    return _judge_dead(evidence.tried["silent"])


def _judge_hole(evidence: Evidence) -> Verdict:
    return _judge_dead(evidence.tried["hole"])


def _judge_dead(tried: Tried) -> Verdict:
    """`error` of kind target, or a success that explains itself."""
    ended = tried.ended
    if ended.reason not in EXPLAINED:
        return fail(told(tried))
    if ended.status == "ok" and not tried.messages and not ended.message:
        return warn("it says ok and nothing else, which reads as clean: was it reached?")
    return PASS


_DEAD_MEND: Final = (
    "Where there was no contact say "
    '{"type":"done","status":"error","error":{"kind":"target","message":"…"}}, '
    "in bounded time (give each connection a limit below `deadline_s`); where that is a result, explain "
    "it in "
    "`done`'s `message`."
)

CHECKS: Final = (
    Check(
        id="hostile-targets",
        title="targets with quotes, spaces, $(), newlines and leading dashes execute nothing",
        rule="protocol §2; CWE-78, CWE-88",
        why="Targets come from lists, redirects and other plugins. One that a shell or a tool's option "
        "parser "
        "understands runs as whoever scans.",
        mend='Quote every expansion ("$url"), never `eval` or `sh -c` with a target in it, and put `--` '
        "before it.",
        judge=_judge_danger,
        scenes=("danger",),
    ),
    Check(
        id="hostile-server",
        title="a hostile server forges no record and breaks nothing",
        rule="protocol §4 rules 2 and 5; CWE-117",
        why="JSON in a header, escape sequences, NUL, Latin-1, a body of 10 MiB: a banner must neither "
        "speak in the "
        "plugin's name nor fail the scan.",
        mend="Build each message with a JSON encoder (`jq -n --arg`, `json.dumps`), never by pasting; "
        "send what tools "
        "print to standard error; read no more of a body than you need.",
        judge=_judge_hostile,
        scenes=("hostile",),
    ),
    Check(
        id="refused-target",
        title="a target that refuses is an error or explained",
        rule="protocol §3, done",
        why="A bare ok without records reads as clean. A service that is down was not tested.",
        mend=_DEAD_MEND,
        judge=_judge_refused,
        scenes=("refused",),
    ),
    Check(
        id="silent-target",
        title="a target that accepts and says nothing is an error or explained",
        rule="protocol §3, done; §4 rule 9",
        why="What takes connections and never speaks must cost bounded time, and must not read as clean.",
        mend=_DEAD_MEND,
        judge=_judge_silent,
        scenes=("silent",),
    ),
    Check(
        id="black-hole",
        title="a target that answers no connection is an error or explained",
        rule="protocol §3, done; §4 rule 9",
        why="Firewalls drop more often than they refuse. A connection without a time limit of its own "
        "waits minutes for each such target; a limit for reading does not bound it.",
        mend=_DEAD_MEND,
        judge=_judge_hole,
        scenes=("hole",),
    ),
)
