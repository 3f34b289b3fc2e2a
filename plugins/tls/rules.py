"""The rules of `rules.toml`, and what it is to break one.

Prose and severities are data: they change without the checks, and are read here only.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a service breaks. `severity` None is the rule's own."""

    rule: str
    evidence: str = ""
    severity: str | None = None
    confidence: str = "high"
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An entry of the table; the comment at its top says what the fields mean."""

    severity: str
    title: str
    description: str
    remediation: str
    refs: list[str]


def _read() -> dict[str, Rule]:
    text = Path(__file__).with_name("rules.toml").read_text(encoding="utf-8")
    return {name: Rule(**entry) for name, entry in tomllib.loads(text).items()}


RULES = _read()
