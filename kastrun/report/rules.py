"""The rules that a run's findings are of, gathered in one pass: what is said once for all of a rule."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from kastrun.model import SEVERITIES, Severity
from kastrun.report.finding import Finding


class Rule(Struct, kw_only=True):
    """One rule of one plugin: its texts are those of its first finding, its severity the highest."""

    name: str
    plugin: str
    rule: str
    title: str
    severity: Severity
    description: str
    remediation: str
    refs: list[str]
    count: int = 0


def gather(findings: Iterable[Finding]) -> dict[str, Rule]:
    """By name, in the order of their first findings."""
    found: dict[str, Rule] = {}
    for each in findings:
        rule = found.get(each.name)
        if rule is None:
            rule = found[each.name] = Rule(
                name=each.name,
                plugin=each.plugin,
                rule=each.rule,
                title=each.title,
                severity=each.severity,
                description=each.description,
                remediation=each.remediation,
                refs=each.refs,
            )
        elif SEVERITIES.index(each.severity) > SEVERITIES.index(rule.severity):
            rule.severity = each.severity
        rule.count += 1
    return found


def worst_first(rules: Iterable[Rule]) -> list[Rule]:
    """The gravest first, then those found most often, then by name."""
    return sorted(rules, key=lambda rule: (-SEVERITIES.index(rule.severity), -rule.count, rule.name))
