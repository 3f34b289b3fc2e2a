"""docs/pitfalls.md: each wrong snippet goes wrong as the page says, and the right one beside it does not.

A snippet is a plugin: it is run as one job, or judged by the check of the kit that the page names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kastrun import files
from kastrun.kit import examine
from kastrun.kit.site import site
from kastrun.trial import Trial, Tried, target_for, workshop

PAGE = (Path(__file__).parent.parent / "docs" / "pitfalls.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+) (prelude|wrong|right)([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
MANIFEST = """\
[plugin]
name = "pitfall"
version = "1"
protocol = 1
summary = "One snippet of the page"
exec = ["./run"]
mode = "active"
targets = ["url"]
produces = ["finding", "asset:tech", "asset:service"]

[limits]
total_s = 3
grace_s = 1
"""
SITE = {"routes": {"/": {"status": 200, "body": "<title>Hello</title>"}}}


@dataclass(frozen=True)
class Snippet:
    """A block of the page: what it is, what it says of itself, and its text."""

    heading: str
    language: str
    kind: str
    told: dict[str, str] = field(hash=False)
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.heading}"

    @property
    def program(self) -> str:
        return self.text if "bare" in self.told else PRELUDES[self.language] + self.text


def snippets() -> Iterator[Snippet]:
    for block in FENCE.finditer(PAGE):
        heading = re.findall(r"(?m)^### (.+)$", PAGE[: block.start()])[-1:] or [""]
        told = dict(word.partition("=")[::2] for word in block[3].split())
        yield Snippet(heading[0], block[1], block[2], told, block[4])


ALL = list(snippets())
PRELUDES = {each.language: each.text for each in ALL if each.kind == "prelude"}
PLAYED = [each for each in ALL if each.kind != "prelude"]

pytestmark = [pytest.mark.needs("bash", "curl", "jq"), pytest.mark.usefixtures("nothing_left")]


def made(snippet: Snippet, folder: Path) -> Path:
    place = folder / "pitfall"
    place.mkdir()
    (place / "plugin.toml").write_text(MANIFEST)
    (place / "run").write_text(snippet.program)
    (place / "run").chmod(0o755)
    return place


async def run(folder: Path) -> Tried:
    plugin, problems = files.read_manifest(folder)
    assert plugin is not None, problems
    with site(SITE, folder) as running, workshop() as shop:
        return await shop.run(
            Trial(plugin=plugin, target=target_for(plugin, f"http://127.0.0.1:{running.port}/"))
        )


def told_by(tried: Tried) -> dict[str, str]:
    """What became of it, in the page's own words."""
    ended = tried.ended
    return {
        "reason": ended.reason or "",
        "status": ended.status,
        "warning": " ".join(ended.warnings),
        "records": str(len(tried.records)),
    }


@pytest.mark.parametrize("snippet", [each for each in PLAYED if "check" not in each.told], ids=str)
async def test_it_ends_as_the_page_says(snippet: Snippet, tmp_path: Path) -> None:
    tried = await run(made(snippet, tmp_path))
    wanted = {name: value for name, value in snippet.told.items() if name != "bare"}
    if snippet.kind == "right" and not {"reason", "status"} & wanted.keys():
        wanted |= {"status": "ok", "warning": ""}
    said = told_by(tried)
    assert {name: said[name] for name in wanted} == wanted, (tried.ended, tried.stderr)


@pytest.mark.parametrize("snippet", [each for each in PLAYED if "check" in each.told], ids=str)
async def test_the_kit_judges_it_as_the_page_says(snippet: Snippet, tmp_path: Path) -> None:
    plugin = made(snippet, tmp_path)
    if snippet.kind == "right":  # fifty at once take their time on a busy machine
        (plugin / "plugin.toml").write_text(MANIFEST.replace("total_s = 3", "total_s = 90"))
    report = await examine(plugin, only={snippet.told["check"]})
    (result,) = report.results
    wanted = {"pass"} if snippet.kind == "right" else {"fail", "warn"}
    assert result.verdict.outcome in wanted, result.verdict


def test_every_block_that_is_code_is_run() -> None:
    assert len(ALL) == len(re.findall(r"(?m)^```\w", PAGE))
    assert {each.language for each in ALL} == {"bash", "python"}


def test_each_wrong_one_has_its_right_one() -> None:
    pairs = [(each.kind, each.heading) for each in PLAYED]
    assert pairs[::2] == [("wrong", heading) for _, heading in pairs[1::2]]
    assert {kind for kind, _ in pairs[1::2]} == {"right"}
    for wrong, right in zip(PLAYED[::2], PLAYED[1::2], strict=True):
        assert wrong.told.get("check") == right.told.get("check")
        assert wrong.told != right.told or "check" in wrong.told
