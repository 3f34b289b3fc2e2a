"""Checks of how a plugin lives as a process: surroundings, signals, pipes, secrets, company.

Pure judgement of runs that were made; nothing runs here.
"""

from __future__ import annotations

import signal
from typing import Final

from kastrun.kit.checks_run import prints, sound, told
from kastrun.kit.verdict import PASS, Check, Evidence, Verdict, fail, skip
from kastrun.trial import Tried


def _judge_unblamed(evidence: Evidence) -> Verdict:
    """For what is found out only by blame: the minimal job did well, so nothing was to blame."""
    return PASS


def _judge_elsewhere(evidence: Evidence) -> Verdict:
    return _like_minimal(evidence, "elsewhere")


def _judge_read_only(evidence: Evidence) -> Verdict:
    return _like_minimal(evidence, "read-only")


def _judge_declared(evidence: Evidence) -> Verdict:
    return _like_minimal(evidence, "declared")


def _like_minimal(evidence: Evidence, scene: str) -> Verdict:
    tried, before = evidence.tried[scene].ended, evidence.minimal.ended
    if (tried.status, tried.reason) != (before.status, before.reason):
        return fail(f"{told(evidence.tried[scene])}; before: {told(evidence.minimal)}")
    return PASS


def _judge_unnoticed(evidence: Evidence) -> Verdict:
    if not evidence.unprobed:
        return PASS
    return fail(
        "; ".join(f"`{probe}` is content without {name}" for name, probe in evidence.unprobed.items())
    )


def _judge_stop(evidence: Evidence) -> Verdict:
    tried = evidence.tried["held"]
    if not tried.stopped or tried.ended.reason != "cancelled":
        return skip(f"it had ended before it could be stopped: {told(tried)}")
    if tried.exit is None or tried.exit.signal == signal.SIGKILL:
        return fail(f"it had to be killed {tried.trial.plugin.limits.grace_s:g} s after SIGTERM")
    return PASS


def _judge_survivors(evidence: Evidence) -> Verdict:
    for name, tried in evidence.tried.items():
        if tried.survivors and not tried.stopped and sound(tried):
            return fail(f"{name}: {len(tried.survivors)} processes were left: {tried.survivors[0][:120]!r}")
    return PASS


def _judge_abandoned(evidence: Evidence) -> Verdict:
    if evidence.gone_s is None:
        return fail(f"it was still running {evidence.abandoned_s:.0f} s after its pipes were closed")
    return PASS


def _judge_secrets(evidence: Evidence) -> Verdict:
    tried = evidence.tried["secrets"]
    secret = tried.trial.http.headers["Authorization"]
    value = str(secret).removeprefix("Bearer ")
    for where, text in _places(tried):
        if value in text:
            return fail(f"a secret of the job (an option or a header) was seen {where}")
    return PASS


def _places(tried: Tried) -> list[tuple[str, str]]:
    errors = b"".join(chunk.data for chunk in tried.chunks if chunk.stream == "stderr")
    return [
        ("on standard output", tried.stdout.decode(errors="replace")),
        ("on standard error", errors.decode(errors="replace")),
        ("on a command line", "\n".join(tried.commands)),
    ]


def _judge_crowd(evidence: Evidence) -> Verdict:
    crowd = evidence.of("crowd")
    expected, before = prints(evidence.minimal), evidence.minimal.ended
    steady = prints(evidence.tried["again"]) == expected  # else two alone differ as well
    for tried in crowd.values():
        if (tried.ended.status, tried.ended.reason) != (before.status, before.reason):
            return fail(f"of {len(crowd)} at once: {told(tried)}; alone: {told(evidence.minimal)}")
        if steady and prints(tried) != expected:
            return fail(f"of {len(crowd)} at once: one found other things than it finds alone")
    return PASS


CHECKS: Final = (
    Check(
        id="stdin-eof",
        title="it does not wait for more on standard input",
        rule="protocol §2",
        why="A job is one line, and then standard input is closed. Who waits for more waits for ever.",
        mend="Read one line, or to the end of input, once; give wrapped programs `</dev/null`.",
        judge=_judge_unblamed,
        scenes=("minimal", "surroundings"),
    ),
    Check(
        id="cleared-environment",
        title="it runs in an empty environment",
        rule="protocol §2",
        why="A job has the variables that the protocol lists and none of the user's: scans must not "
        "depend on whose "
        "shell they were started from.",
        mend="Use defaults where a variable is not set; name those that you need in `[sandbox] env`; "
        "find files by "
        "the script's own path.",
        judge=_judge_unblamed,
        scenes=("minimal", "surroundings"),
    ),
    Check(
        id="working-directory",
        title="it runs in any working directory",
        rule="protocol §2",
        why="A job begins in a folder of its own that is empty, not in the plugin's; its name may hold "
        "spaces.",
        mend='Find your own files by the program\'s path (`$(dirname "$0")`, `Path(__file__).parent`), '
        "and quote every path.",
        judge=_judge_elsewhere,
        scenes=("minimal", "elsewhere"),
    ),
    Check(
        id="read-only-home",
        title="it runs with a home that is read-only",
        rule="protocol §2",
        why="Tools write caches and settings into HOME without being asked; in a sandbox or a container "
        "there may be "
        "none to write to.",
        mend="Write into the working directory or TMPDIR; tell wrapped tools so (XDG_CACHE_HOME and the "
        "like).",
        judge=_judge_read_only,
        scenes=("minimal", "read-only"),
    ),
    Check(
        id="declared-programs",
        title="it lives on the programs that it declares",
        rule="protocol §1, [requires]",
        why="What `requires` does not name is not probed: where it is absent the job fails in the middle, "
        "instead of `requires_missing` before the run. The utilities of POSIX may be taken for granted.",
        mend="Add a `[requires.PROGRAM]` with a probe for each program that it starts.",
        judge=_judge_declared,
        scenes=("minimal", "declared"),
    ),
    Check(
        id="missing-program",
        title="a missing program is noticed by its probe",
        rule="protocol §5, requires_missing",
        why="A probe that succeeds without the program lets every job fail instead of saying once what "
        "to install.",
        mend='Probe the program itself (`probe = ["jq", "--version"]`), not a shell around it, and give '
        "`match`.",
        judge=_judge_unnoticed,
        scenes=("probes",),
    ),
    Check(
        id="sigterm",
        title="SIGTERM ends it within the grace",
        rule="protocol §4 rule 9",
        why="At a timeout or Ctrl-C a plugin may still say what it has found, for `grace_s`; then it is "
        "killed, "
        "and what it had not said is lost.",
        mend="Let SIGTERM end the program; in a shell wait for a child with `wait`, so that a trap runs "
        "at once.",
        judge=_judge_stop,
        scenes=("held",),
    ),
    Check(
        id="survivors",
        title="nothing survives the job",
        rule="protocol §4 rule 9; warning leaked_process",
        why="What a plugin started and left is killed at its end, whatever it was doing; its result is lost.",
        mend="Wait for every process that you start, or end it, before `done`.",
        judge=_judge_survivors,
        scenes=("minimal", "again", "kind"),
    ),
    Check(
        id="closed-stdout",
        title="a closed standard output ends it",
        rule="protocol §4 rule 8",
        why="Where kastrun has died nobody reads any more: a plugin that goes on scanning does so behind "
        "the user's back.",
        mend="Do not ignore SIGPIPE; let a failed write (EPIPE, BrokenPipeError) end the program.",
        judge=_judge_abandoned,
        scenes=("minimal", "abandoned"),
    ),
    Check(
        id="secrets",
        title="secrets are in no record, on no stderr and on no command line",
        rule="protocol §1; CWE-214, CWE-532",
        why="Everyone on a machine can read every command line; records and stderr are kept and sent on. "
        "Secrets are the writeOnly options, and headers of the profile.",
        mend="Hand secrets to tools by file or standard input (`curl -H @file`, `--config -`), and never "
        "echo the job.",
        judge=_judge_secrets,
        scenes=("secrets",),
    ),
    Check(
        id="at-once",
        title="50 at once do not collide",
        rule="protocol §2",
        why="One process a job, many at once: a file or a port with a fixed name is one for all of them.",
        mend="Write only into the working directory or `mktemp`; take a free port instead of a fixed one.",
        judge=_judge_crowd,
        scenes=("minimal", "again", "crowd"),
    ),
)
