"""The closed lists of protocol section 5: why a job failed, was skipped, or is warned about.

A table. The engine, the summary and docs/protocol.md all take their words from here.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Reason(NamedTuple):
    """`what` happened, one sentence; `hint`, what to do about it."""

    what: str
    hint: str


FAILURES: Final[dict[str, Reason]] = {
    # before any process
    "manifest_invalid": Reason(
        "The plugin's manifest does not fit its schema.",
        "run `kastrun plugins list`: it names each key that is wrong",
    ),
    "protocol_unsupported": Reason(
        "The plugin speaks a version of the protocol that this kastrun does not.",
        "install a version of the plugin with `protocol = 1`, or a newer kastrun",
    ),
    "options_invalid": Reason(
        "The options do not fit the plugin's own schema.",
        "run `kastrun check` on the profile: it shows the option and what it may be",
    ),
    "requires_missing": Reason(
        "A program that the plugin needs is absent or too old.",
        'install it (`kastrun plugins list` says what is missing), or set `if_missing = "skip"`',
    ),
    "sandbox_unavailable": Reason(
        "The sandbox that the profile asks for cannot be enforced on this machine.",
        "run it on a machine that can; `[sandbox]` in the plugin's manifest says what it asks for",
    ),
    "spawn_failed": Reason(
        "The plugin's program could not be started.",
        "check that `exec` exists, may be executed, and that its `#!` line names an installed interpreter",
    ),
    # time
    "idle_timeout": Reason(
        "The plugin printed nothing for `idle_s` seconds.",
        "print an empty `progress` as a heartbeat, or raise `idle_s` in the manifest's [limits]",
    ),
    "total_timeout": Reason(
        "The plugin was still running when its time was over.",
        "raise `timeout` for it in the profile, narrow its options, or give it a smaller target",
    ),
    "cancelled": Reason(
        "The job was stopped by the user or by the run's own deadline.",
        "run `kastrun resume RUN` to go on where it stopped",
    ),
    # the process's end
    "exit_nonzero": Reason(
        "The plugin ended with an exit code that is not 0.",
        "its stderr is below; a failure that is understood belongs in `done` with status `error`, exit 0",
    ),
    "signal": Reason(
        "A signal that kastrun did not send ended the plugin.",
        "SIGSEGV or SIGABRT is a crash of the program; SIGKILL may be the machine out of memory",
    ),
    "oom": Reason(
        "The plugin used more memory than it may, and was killed by the kernel.",
        "raise `memory_mb` in the manifest's [limits], or give it a smaller target",
    ),
    # the order of messages
    "no_done": Reason(
        "The plugin ended with exit code 0, but never said `done`.",
        'print {"type":"done","status":"ok"} as the last line; an exit code alone is not success',
    ),
    "after_done": Reason(
        "The plugin printed something after `done`.",
        "`done` is the last line: print it when everything else is out, libraries at exit included",
    ),
    "truncated_line": Reason(
        "Standard output ended in the middle of a line.",
        "the plugin died or was not flushed: end each message with a newline and flush",
    ),
    # the lines
    "bad_json": Reason(
        "A line on standard output is not a JSON object as the protocol wants it.",
        "print one JSON object a line with each key once, no NaN, and integers within ±(2^53-1)",
    ),
    "line_too_long": Reason(
        "A line is longer than 1 MiB.",
        "hand over what is large as an artifact: write a file beneath `artifacts` and name it",
    ),
    "unknown_message": Reason(
        "A message has a type that this version does not know.",
        "the types are in the job line's `accepts`; one of your own begins with `x-`",
    ),
    "bad_message": Reason(
        "A message does not fit the schema, or names a target that is not the job's.",
        "`kastrun schema message` prints what each message may hold",
    ),
    # amounts
    "too_many_records": Reason(
        "The plugin gave more than 100,000 records.",
        "report what matters and hand over the rest as an artifact, or give it smaller targets",
    ),
    "too_much_output": Reason(
        "The plugin printed more than `output_mb` to standard output.",
        "hand over what is large as an artifact, or raise `output_mb` in the manifest's [limits]",
    ),
    "bad_artifact": Reason(
        "An artifact is absent, too large, or no regular file beneath `artifacts`.",
        "write regular files beneath `artifacts`, 64 MiB each and 256 MiB a job at most: no symlink, no `..`",
    ),
    # what `done` said
    "plugin_config": Reason(
        "The plugin says that its configuration must be changed.",
        "its message says what: change the options in the profile",
    ),
    "plugin_target": Reason(
        "The plugin says that the target cannot be reached or refuses.",
        "check that the target is up and reachable from here, then run the profile again",
    ),
    "plugin_transient": Reason(
        "The plugin met a passing fault each time it was tried.",
        "try again later, when the target or the service that it asked has recovered",
    ),
    "plugin_internal": Reason(
        "The plugin says that it has a bug.",
        "report it to the plugin's author with the message and the stderr below",
    ),
    # ourselves
    "host_error": Reason(
        "kastrun itself made a mistake.",
        "report it with what is shown here, and run the profile again",
    ),
}
"""A failed job has exactly one of these; the first cause wins."""

SKIPS: Final[dict[str, Reason]] = {
    "mode": Reason(
        "The profile's mode leaves the plugin out.",
        'set `mode = "both"` (or the plugin\'s own mode) in the profile',
    ),
    "out_of_scope": Reason(
        "The target is excluded or not in scope.",
        "change `exclude` or `scope` in the profile, if the target may be touched",
    ),
    "plugin_skipped": Reason(
        "The plugin said `done` with status `skipped`: it has nothing to do here.",
        "nothing; its message says why",
    ),
    "requires_missing": Reason(
        "A program that the plugin needs is absent, and the profile says skip.",
        "install it; `kastrun plugins list` says what is missing",
    ),
    "upstream_failed": Reason(
        "A plugin that this one depends on did not succeed on the target.",
        "see to the failure above; this leaves the run incomplete",
    ),
}
"""Why a job was skipped; `upstream_failed` alone leaves the run incomplete."""

WARNINGS: Final[dict[str, Reason]] = {
    "stdin_unread": Reason(
        "The plugin never read its job line.",
        "nothing, if it needs no options; else read one line from standard input",
    ),
    "leaked_process": Reason(
        "Processes that the plugin had started were still there at its end, and were killed.",
        "wait for your children, or kill them, before `done`",
    ),
    "utf8_replaced": Reason(
        "Invalid UTF-8, lone surrogates or U+0000 in a message became U+FFFD.",
        "decode what comes from a target before printing it, with replacement",
    ),
    "unknown_field": Reason(
        "A message has a field that this version does not know; it is kept under `extra`.",
        "check its spelling; a field of your own begins with `x_`",
    ),
    "dropped_messages": Reason(
        "More than 10 `log` and `progress` messages came within a second; the rest were dropped.",
        "log less: they are for people",
    ),
}
"""What is told of a job that it does not fail for."""
