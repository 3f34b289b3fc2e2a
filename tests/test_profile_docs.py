"""The reference pages say what the schemas and the code say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))


@pytest.mark.parametrize("page", TABLES["pages"](), ids=lambda page: page.name)
def test_generated_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == TABLES["filled"](text), "run: python docs/tables.py"


def test_both_pages_hold_a_table() -> None:
    assert {page.name for page in TABLES["pages"]()} >= {"profile.md", "settings.md"}


def test_every_rule_of_a_profile_problem_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "profile.md").read_text(encoding="utf-8")
    documented = set(
        re.findall(r"`([a-z0-9_]+)`", page[page.index("|rule|") : page.index("## The resolved")])
    )
    sources = [*(ROOT / "kastrun/profile").glob("*.py"), *(ROOT / "kastrun/files").glob("*.py")]
    sources += [ROOT / "kastrun/schema/words.py"]
    raised = set()
    for path in sources:
        if path.name != "manifest.py":
            text = path.read_text(encoding="utf-8")
            raised |= set(re.findall(r'notes\.add\(\s*[^"\n]*,\s*"([a-z0-9_]+)"', text))
            raised |= set(re.findall(r'rule="([a-z0-9_]+)"', text))
    assert raised <= documented
