"""What was found and became targets of others, and what did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from kastrun.facts import Discovered, PassedOver, PassedOverFor

MEANINGS: Final[dict[PassedOverFor, str]] = {
    "excluded": "covered by `exclude`",
    "out_of_scope": "covered by no target and by nothing in `scope`",
    "no_target": "not to be read as a target of its kind",
    "max_discovered": "beyond [limits] max_discovered",
}


class Followed(Struct, kw_only=True):
    """How many targets were discovered, and how many jobs were planned for them.

    `passed_over` counts, by reason, what did not become one; `examples` has the first of each.
    """

    targets: int = 0
    jobs: int = 0
    passed_over: dict[PassedOverFor, int] = field(default_factory=dict)
    examples: dict[PassedOverFor, str] = field(default_factory=dict)

    def take(self, fact: Discovered | PassedOver) -> None:
        """Count one fact."""
        if isinstance(fact, Discovered):
            self.targets += 1
            self.jobs += len(fact.jobs)
        else:
            self.passed_over[fact.reason] = self.passed_over.get(fact.reason, 0) + fact.count
            self.examples.setdefault(fact.reason, fact.example)

    def __bool__(self) -> bool:
        return bool(self.targets or self.passed_over)

    def sentence(self) -> str:
        """``3 targets were discovered, with 4 jobs``."""
        if not self.targets:
            return "no target was discovered"
        targets = "1 target was" if self.targets == 1 else f"{self.targets:,} targets were"
        return f"{targets} discovered, with {self.jobs:,} job{'' if self.jobs == 1 else 's'}"

    def rest(self) -> Iterator[tuple[int, PassedOverFor, str, str]]:
        """What was passed over: how often, the reason and what it means, and the first that was."""
        for reason, count in self.passed_over.items():
            yield count, reason, MEANINGS[reason], self.examples[reason]
