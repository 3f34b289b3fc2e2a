"""tests/zoo/README.md says which animal proves which rule: it names all, and none that is not there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from zoo_runs import ZOO

from kastrun.protocol.reasons import FAILURES, SKIPS, WARNINGS

PAGE = (ZOO / "README.md").read_text(encoding="utf-8")
RULES, REASONS = PAGE.split("\n## Rules\n")[1].split("\n## Reasons and warnings\n")
NO_WAY = {"oom"}
WORD = re.compile(r"`([^`]+)`")


def rows(section: str) -> Iterator[list[str]]:
    for line in section.splitlines():
        cells = line.strip("|").split("|")
        if line.startswith("|") and not line.startswith("|-") and cells[-1] not in {"proved by", "earned by"}:
            yield cells


def test_each_rule_of_the_protocol_is_there() -> None:
    told = {cells[0].split()[0] for cells in rows(RULES)}
    assert {str(number) for number in range(1, 14)} <= told


def test_it_names_every_animal_and_no_other() -> None:
    named = {name for cells in (*rows(RULES), *rows(REASONS)) for name in WORD.findall(cells[-1])}
    tests = {name for name in named if name.startswith("test_")}
    assert named - tests == {path.parent.name for path in ZOO.glob("*/plugin.toml")}
    assert all((ZOO.parent / name).is_file() for name in tests)


def test_reasons_and_warnings_are_earned_by_those_that_it_names() -> None:
    table = {cells[0]: cells[1] for cells in rows(REASONS)}
    words = [*FAILURES, *(f"skipped: {word}" for word in SKIPS), *(f"warning: {word}" for word in WARNINGS)]
    earned: dict[str, list[str]] = {word: [] for word in words}
    for path in sorted(ZOO.glob("*/expect.toml")):
        wanted = tomllib.loads(path.read_text(encoding="utf-8"))
        if wanted["status"] in {"fail", "skipped"}:
            word = wanted["reason"] if wanted["status"] == "fail" else f"skipped: {wanted['reason']}"
            earned[word].append(path.parent.name)
        for warning in wanted["warnings"]:
            earned[f"warning: {warning}"].append(path.parent.name)
    assert [WORD.sub(r"\1", word) for word in table] == words
    for told, cell in table.items():
        names, word = WORD.findall(cell), WORD.sub(r"\1", told)
        if names != earned[word]:
            assert (names and all(name.startswith("test_") for name in names)) or word in NO_WAY, word
