"""Checks of what is written down: the manifest, its options, its programs, its neighbours.

Judged before anything of the plugin's runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from kastrun.kit.verdict import PASS, Check, Evidence, Verdict, fail, skip
from kastrun.model import Plugin, Problem

_SECRETIVE: Final = re.compile(
    r"(^|[_-])(pass(word|wd|phrase)?|pwd|secret|token|api[_-]?key|credentials?|private[_-]?key|bearer|cookie)s?($|[_-])",
    re.IGNORECASE,
)
"""Names that are secrets in every tool we know; whole words, so that `passive` and `tokenizer` are none."""

_OPTION_RULES: Final = frozenset({"bad_option", "options_twice", "unknown_option"})


def _of_name(problem: Problem) -> bool:
    return problem.rule == "wrong_name"


def _of_exec(problem: Problem) -> bool:
    return problem.rule == "bad_exec" or problem.path.startswith("plugin.exec")


def _of_options(problem: Problem) -> bool:
    return problem.rule in _OPTION_RULES or problem.path.split(".")[0] == "options"


def _of_manifest(problem: Problem) -> bool:
    return not (_of_name(problem) or _of_exec(problem) or _of_options(problem))


def _judge_problems(mine: Callable[[Problem], bool]) -> Callable[[Evidence], Verdict]:
    def judge(evidence: Evidence) -> Verdict:
        errors = [each for each in evidence.subject.problems if each.level == "error" and mine(each)]
        return fail("; ".join(map(_said, errors))) if errors else PASS

    return judge


def _said(problem: Problem) -> str:
    where = f"line {problem.line}, " if problem.line else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{where}{problem.path}: {problem.message}{hint}"


def _judge_secret_options(evidence: Evidence) -> Verdict:
    plugin = evidence.subject.plugin
    if plugin is None:
        return skip("the manifest must be right first")
    properties = plugin.options_schema.get("properties", {})
    open_ones = sorted(
        name
        for name, schema in properties.items()
        if _SECRETIVE.search(name) and name not in plugin.secret_options and schema.get("type") == "string"
    )
    return fail(f"{', '.join(open_ones)}: looks like a secret, and is not writeOnly") if open_ones else PASS


def _judge_probes(evidence: Evidence) -> Verdict:
    readiness = evidence.subject.readiness
    if readiness is None:
        return skip("the manifest must be right first")
    return fail(readiness.missing) if readiness.missing else PASS


def _judge_depends_on(evidence: Evidence) -> Verdict:
    subject = evidence.subject
    if subject.plugin is None:
        return skip("the manifest must be right first")
    known = {**subject.known, subject.plugin.name: subject.plugin}
    unknown = sorted(set(subject.plugin.depends_on) - known.keys())
    if unknown:
        return fail(f"no plugin called {', '.join(unknown)} is in {subject.folder.parent}, or shipped")
    cycle = _cycle(subject.plugin.name, known)
    return fail(f"a cycle: {' -> '.join(cycle)}") if cycle else PASS


def _cycle(start: str, known: Mapping[str, Plugin]) -> list[str]:
    """The first way from `start` back to it; empty where there is none."""
    waiting: list[list[str]] = [[start]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for name in known[way[-1]].depends_on if way[-1] in known else ():
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                waiting.append([*way, name])
    return []


def _judge_capabilities(evidence: Evidence) -> Verdict:
    plugin = evidence.subject.plugin
    if plugin is None:
        return skip("the manifest must be right first")
    if plugin.mode == "passive" and plugin.sandbox.caps:
        return fail(f"it is passive, and asks for {_list(plugin.sandbox.caps)}")
    return PASS


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


CHECKS: Final = (
    Check(
        id="manifest",
        title="the manifest is valid",
        rule="protocol §1",
        why="kastrun reads `plugin.toml` before anything runs, and refuses the plugin as a whole where "
        "it is wrong.",
        mend="Change each key that is named; `kastrun schema plugin` prints what a manifest may hold.",
        judge=_judge_problems(_of_manifest),
    ),
    Check(
        id="folder-name",
        title="the name equals the folder's",
        rule="protocol §1",
        why="A profile names plugins, and kastrun finds them by folder: two names for one thing would be "
        "two things.",
        mend="Give `[plugin] name` and the folder the same name.",
        judge=_judge_problems(_of_name),
    ),
    Check(
        id="exec",
        title="exec is there, executable and inside the folder",
        rule="protocol §1",
        why="`exec` is started as it stands, without a shell. What lies outside the folder is not part "
        "of the plugin: "
        "it is not copied with it, and not in its digest.",
        mend='Write `exec = ["./program"]`, put the file into the folder (build it, where it must be built), '
        "and `chmod +x` it.",
        judge=_judge_problems(_of_exec),
    ),
    Check(
        id="options",
        title="option schemas are valid, and defaults pass them",
        rule="protocol §1",
        why="Options are checked against these schemas before a job, and defaults are filled in from them: "
        "a job must never get options that its own manifest would refuse.",
        mend="Correct the schema of the option that is named (JSON Schema 2020-12), or its `default`.",
        judge=_judge_problems(_of_options),
    ),
    Check(
        id="secret-options",
        title="options that look like secrets are writeOnly",
        rule="protocol §1",
        why="Only what is declared secret is kept out of the journal, the reports and the screen.",
        mend="Add `writeOnly = true` to the option, or give it a name that does not say secret.",
        judge=_judge_secret_options,
    ),
    Check(
        id="probes",
        title="probes run and match",
        rule="protocol §1, [requires]",
        why="Each needed program is probed before a run; where the probe fails no job of the plugin runs.",
        mend="Install the program; or make `probe`, `match` and `min` agree with what it prints.",
        judge=_judge_probes,
    ),
    Check(
        id="depends-on",
        title="depends_on is known and acyclic",
        rule="protocol §1",
        why="A plugin runs after those it depends on. Where one is absent, or waits for this one, none "
        "would ever run.",
        mend="Name plugins that are in the same folder of plugins, in the settings' or shipped; break "
        "the cycle.",
        judge=_judge_depends_on,
    ),
    Check(
        id="passive-capabilities",
        title="a passive plugin asks for no raw capability",
        rule="protocol §1",
        why="Passive means nothing beyond a page visit, a look-up or a handshake; none of these needs "
        "raw sockets.",
        mend='Say `mode = "active"`, or take `caps` out of [sandbox].',
        judge=_judge_capabilities,
    ),
)
