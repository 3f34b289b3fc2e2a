"""The page's findings, part by part: what is new, what was there before, what is accepted; by rule in each.

Bounds are said on the page: what is not shown one by one is counted, and whole in `findings.jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from msgspec import Struct, field

from kastrun.report.finding import Finding
from kastrun.report.related import related
from kastrun.report.rules import Rule, gather, worst_first
from kastrun.report.view import View

MOST_INSTANCES: Final = 2_000
"""Findings shown one by one; 50 of one rule at the most."""
OF_A_RULE: Final = 50
MOST_RULES: Final = 500

Part = Literal["new", "known", "accepted"]


class Other(Struct, frozen=True, kw_only=True):
    """A finding of another plugin, and the group in which it stands."""

    finding: Finding
    anchor: str


class Shown(Struct, frozen=True, kw_only=True):
    """A finding, and those of other plugins that belong to it."""

    finding: Finding
    others: list[Other]


class Group(Struct, kw_only=True):
    """A rule with the findings that are shown of it; `anchor` is where links lead."""

    rule: Rule
    anchor: str
    shown: list[Shown] = field(default_factory=list)


class Section(Struct, kw_only=True):
    """One part of the findings. `hidden` are findings that are counted and not shown."""

    part: Part
    title: str
    count: int
    groups: list[Group]
    hidden: int


def sections(view: View) -> list[Section]:
    """Those that hold something, in the order in which they are read."""
    return _Sections(view).made()


class _Sections:
    def __init__(self, view: View) -> None:
        self._view = view
        self._since = view.since()
        self._room = MOST_INSTANCES
        self._anchors: dict[tuple[Part, str], str] = {}

    def made(self) -> list[Section]:
        parts: tuple[Part, ...] = ("new", "known", "accepted")
        kept = {part: self._kept(part) for part in parts}
        together = related(each for groups in kept.values() for _, found in groups for each in found)
        for part, groups in kept.items():
            self._anchors |= {
                (part, rule.name): f"{part}-{number}" for number, (rule, _) in enumerate(groups, 1)
            }
        return [self._section(part, groups, together) for part, groups in kept.items() if groups]

    def _findings(self, part: Part) -> Callable[[], Iterator[Finding]]:
        return lambda: (each for each in self._view.findings() if self._part(each) == part)

    def _part(self, finding: Finding) -> Part:
        if finding.accepted:
            return "accepted"
        return "new" if self._since is not None and self._since.is_new(finding) else "known"

    def _kept(self, part: Part) -> list[tuple[Rule, list[Finding]]]:
        """Every rule of a part, the gravest first, with the findings that are shown of it."""
        findings = self._findings(part)
        rules = worst_first(gather(findings()).values())
        kept: dict[str, list[Finding]] = {rule.name: [] for rule in rules}
        for each in findings() if rules else ():
            if self._room and len(kept[each.name]) < OF_A_RULE:
                kept[each.name].append(each)
                self._room -= 1
        return [(rule, kept[rule.name]) for rule in rules]

    def _section(
        self, part: Part, kept: list[tuple[Rule, list[Finding]]], together: dict[str, list[Finding]]
    ) -> Section:
        groups = [
            Group(
                rule=rule,
                anchor=self._anchors[part, rule.name],
                shown=[self._shown(each, together.get(each.fingerprint, ())) for each in found],
            )
            for rule, found in kept[:MOST_RULES]
        ]
        count = sum(rule.count for rule, _ in kept)
        return Section(
            part=part,
            title=self._title(part),
            count=count,
            groups=groups,
            hidden=count - sum(len(group.shown) for group in groups),
        )

    def _shown(self, finding: Finding, others: Iterable[Finding]) -> Shown:
        named = [Other(finding=each, anchor=self._anchors[self._part(each), each.name]) for each in others]
        return Shown(finding=finding, others=named)

    def _title(self, part: Part) -> str:
        if part == "accepted":
            return "Accepted in the baseline"
        if self._since is None:
            return "Not in the baseline" if self._view.run.baseline else "Findings"
        run = self._since.before.run.run
        return f"New since {run}" if part == "new" else f"Seen in {run} already"
