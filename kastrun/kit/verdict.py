"""A check, what it is judged by, and its verdict. Values only.

A check never runs anything: it names the scenes (`scenes`) that it needs, and judges what
came of them. So many checks share a run, and each can be judged alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kastrun.kit.subject import Subject
from kastrun.trial import Tried

Outcome = Literal["pass", "fail", "warn", "skip"]


class Verdict(NamedTuple):
    """How a check ended; `reason` is one line, empty only with pass."""

    outcome: Outcome
    reason: str = ""


PASS = Verdict("pass")


def fail(reason: str) -> Verdict:
    """The plugin breaks the rule."""
    return Verdict("fail", reason)


def warn(reason: str) -> Verdict:
    """The plugin keeps the rule, but not well; or the kit could not see whether it does."""
    return Verdict("warn", reason)


def skip(reason: str) -> Verdict:
    """The check does not apply here."""
    return Verdict("skip", reason)


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What there is to judge by.

    `tried` has the runs by scene (`kind:url:0` is a run of the scene `kind`), `left_out` why a
    scene was not run, `blamed` what is wrong with the surroundings by check id: the plugin ran
    only when they were changed. `gone_s` are the seconds that an abandoned plugin lived (None:
    it did not end), `canaries` what hostile targets executed, `replayed` each example's case
    with what differs (None: nothing), `unprobed` requirements whose probe does not notice that
    the program is absent.
    """

    subject: Subject
    tried: dict[str, Tried] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    blamed: dict[str, str] = field(default_factory=dict)
    gone_s: float | None = None
    abandoned_s: float = 0.0
    canaries: tuple[str, ...] = ()
    replayed: Mapping[str, str | None] = field(default_factory=dict)
    unprobed: Mapping[str, str] = field(default_factory=dict)

    def of(self, *scenes: str) -> dict[str, Tried]:
        """The runs of these scenes, by full name."""
        return {name: tried for name, tried in self.tried.items() if name.split(":")[0] in scenes}

    @property
    def minimal(self) -> Tried:
        """The run that all others are compared with. Raises KeyError where there is none."""
        return self.tried["minimal"]


Judge = Callable[[Evidence], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question. `rule` is where the protocol asks it; `why` and `mend` are for the author.

    `scenes` are the runs that it needs; with none it is judged before anything runs. A `partial`
    check is judged also where some of them could not be made.
    """

    id: str
    title: str
    rule: str
    why: str
    mend: str
    judge: Judge
    scenes: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A check's verdict for one plugin."""

    check: Check
    verdict: Verdict
