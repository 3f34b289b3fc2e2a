"""`kastrun demo` as a person types it: every planted flaw found, and nothing to fear on the hardened twin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import zoo_runs

from kastrun.demo import WEAK_FLAWS

pytestmark = [
    pytest.mark.needs("node", "nmap", "whatweb", "wafw00f", "jq", "curl"),
]
Demo = tuple[zoo_runs.Ran, zoo_runs.Ran]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Both sites, scanned beside each other: the weak one, then the twin."""
    weak, twin = tmp_path_factory.mktemp("weak"), tmp_path_factory.mktemp("twin")
    running = [_start(weak), _start(twin, "--hardened")]
    said = [process.communicate(timeout=100) for process in running]
    return (
        zoo_runs.finished(weak / "out", running[0].returncode, *said[0]),
        zoo_runs.finished(twin / "out", running[1].returncode, *said[1]),
    )


def _start(home: Path, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        zoo_runs.command("demo", "-o", "out", *flags), cwd=home, env=zoo_runs.environment(home),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def severities(ran: zoo_runs.Ran) -> set[str]:
    return {finding["severity"] for finding in ran.of("finding")}


def test_each_planted_flaw_is_found(demo: Demo) -> None:
    weak, _ = demo
    assert weak.code == 0, weak.stderr
    assert f"{len(WEAK_FLAWS)} of {len(WEAK_FLAWS)} planted flaws found" in weak.stdout
    # Against the list itself, not only in the words of the command.
    found = {(finding["plugin"], finding["rule"]) for finding in weak.of("finding")}
    assert {(flaw.plugin, flaw.rule) for flaw in WEAK_FLAWS} - found == set()
    assert "high" in severities(weak)


def test_the_hardened_twin_has_nothing_at_medium_or_above(demo: Demo) -> None:
    _, twin = demo
    assert twin.code == 0, twin.stderr
    assert severities(twin) & {"medium", "high", "critical"} == set()
    # A twin that nobody reached would have nothing either.
    ok = {result["plugin"] for result in twin.of("result") if result["status"] == "ok"}
    assert {"http-headers", "tls", "scripts", "nmap", "whatweb", "waf"} <= ok


def test_it_says_where_everything_is(demo: Demo) -> None:
    weak, _ = demo
    assert weak.stdout.rstrip().endswith("""jq 'select(.type=="finding")' out/journal.jsonl""")
