"""The shipped plugins pass the kit. Here the checks that take no time; all of them in .ci/run.

What costs time is waiting (silent servers) and fifty slow scanners at once.
"""

from __future__ import annotations

from pathlib import Path

import plugin_replay as replay
import programs
import pytest

from kastrun.kit import CHECKS, examine

FOLDERS = sorted(path.parent for path in replay.PLUGINS.glob("*/plugin.toml"))
QUICK = [check.id for check in CHECKS if not check.scenes]
QUICK += ["minimal-job", "declared-programs", "missing-program"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_a_shipped_plugin_passes_the_quick_checks(folder: Path, nothing_left: None) -> None:
    if missing := replay.missing_programs(folder):
        pytest.skip(programs.absent(missing[0]))
    report = await examine(folder, only=QUICK)
    assert {r.check.id: r.verdict for r in report.results if r.verdict.outcome in {"fail", "warn"}} == {}
    assert {r.check.id for r in report.results} == set(QUICK)
