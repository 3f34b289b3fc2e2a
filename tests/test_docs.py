"""The documents cannot rot: commands print what the page says, links lead somewhere, no verb is invented.

In README.md, docs/tutorial.md and docs/plugin-guide.md a `bash` block is run, the whole page in one
shell; a `text` block right after it is what it prints (`…` stands for anything). A `sh` block is only shown.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from kastrun.cli import parser

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "plugins").glob("*.md"),
    *(ROOT / "plugins").glob("*/README.md"),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUNNABLE = ["README.md", "docs/tutorial.md", "docs/plugin-guide.md"]
PORT = "18080"
"""The port in the pages; each run takes a free one of as many digits instead."""

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
MARK = "\x1e"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- what is written is what happens ----------------------------------------------------


def session(page: str) -> list[tuple[str, str | None]]:
    """Each `bash` block with the output that the page says it has (None: it does not say)."""
    steps: list[tuple[str, str | None]] = []
    for block, after in pairwise([*FENCE.finditer(page), None]):
        if block is None or block[1] != "bash":
            continue
        told = after is not None and after[1] == "text" and not page[block.end() : after.start()].strip()
        steps.append((block[2], after[2] if told and after else None))
    return steps


def free_port() -> str:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = str(server.getsockname()[1])
        if len(port) == len(PORT):
            return port


def play(steps: list[tuple[str, str | None]], folder: Path) -> list[str]:
    """Run the blocks in one bash, as if pasted, and give what each printed."""
    script = (
        "".join(f"{code}\nprintf '{MARK}'\n" for code, _ in steps) + "kill $(jobs -p) 2>/dev/null; true\n"
    )
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "80",
    }
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return ran.stdout.split(MARK)


def pattern(told: str) -> re.Pattern[str]:
    """What a page says is printed: `…` is anything, and at a line of its own any lines."""
    told = re.sub(r"(?m)^…\n", "\x01", told.rstrip() + "\n")
    escaped = re.escape(told).replace("…", ".*").replace("\x01", "(?:.*\\n)*?")
    return re.compile(escaped)


@pytest.mark.needs("bash", "curl", "jq")
@pytest.mark.parametrize("name", RUNNABLE)
def test_what_the_page_says_to_type_prints_what_it_says(name, tmp_path):
    page = text_of(name).replace(PORT, free_port())
    steps = session(page)
    printed = play(steps, tmp_path)
    assert len(printed) == len(steps) + 1, printed[-1]
    for (code, told), real in zip(steps, printed, strict=False):
        if told is not None:
            assert pattern(told).fullmatch(real), (
                f"after\n{code}\nthe page says\n{told}\nbut it prints\n{real}"
            )


def test_an_output_that_is_not_what_the_page_says_is_seen():
    assert pattern("took … s\n…\nend\n").fullmatch("took 0.1 s\na\nb\nend\n")
    assert not pattern("took … s\n").fullmatch("took 0.1 s\nand more\n")
    assert session("```bash\na\n```\n\n```text\nb\n```\n") == [("a\n", "b\n")]
    assert session("```bash\na\n```\nprose\n```text\nb\n```\n") == [("a\n", None)]


# --- links ------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"(?m)^#+ +(.+?) *$", FENCE.sub("", page))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"`|\*", "", heading)).strip().lower().replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text_of(name)))
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), (
                f"{name}: {link} is no heading there"
            )


# --- verbs and flags --------------------------------------------------------------------


def grammar() -> dict[str, set[str]]:
    """Every command (`plugins list` too) and its flags; the nameless one is `kastrun` itself."""
    found: dict[str, set[str]] = {}

    def walk(words: str, each: argparse.ArgumentParser) -> None:
        found[words] = {flag for action in each._actions for flag in action.option_strings}
        for action in each._actions:
            if isinstance(action, argparse._SubParsersAction):
                for verb, below in action.choices.items():
                    walk(f"{words} {verb}".strip(), below)

    walk("", parser.build())
    return found


GRAMMAR = grammar()
COMMAND = re.compile(r"`kastrun ([^`\n]+)`")
LINE = re.compile(r"(?m)^\s*(?:\$ )?kastrun (.+)$")


def wrong(command: str) -> str | None:
    """Why a command line as documents write it cannot be; None where it can."""
    words = re.sub(r"[\[\]]", "", re.split(r"[;|&>#·]", command)[0]).split()
    first, second = (*words, "", "")[:2]
    name = first if first in parser.VERBS else "run"
    if name != first and re.fullmatch(r"[a-z][a-z-]*", first):
        return f"there is no command `kastrun {first}`"
    if any(each.startswith(f"{name} ") for each in GRAMMAR) and re.fullmatch(r"[a-z]+", second):
        name = f"{name} {second}"
        if name not in GRAMMAR:
            return f"there is no command `kastrun {name}`"
    flags = {flag for word in words if re.fullmatch(r"--?[a-z][a-z-]*", flag := word.split("=")[0])}
    unknown = flags - GRAMMAR[name] - GRAMMAR[""]
    return f"`kastrun {name}` has no flag {min(unknown)}" if unknown else None


def commands_in_page(name: str) -> Iterator[str]:
    page = text_of(name)
    yield from COMMAND.findall(FENCE.sub("", page))
    for kind, code in FENCE.findall(page):
        if kind in {"bash", "sh"}:
            yield from LINE.findall(code)


def strings(path: Path) -> Iterator[str]:
    """Every string of a module that may be shown: docstrings are not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_only_commands_that_there_are(name):
    assert [why for command in commands_in_page(name) if (why := wrong(command))] == []


def test_the_code_names_only_commands_that_there_are():
    found = [
        f"{path.relative_to(ROOT)}: {why}"
        for path in sorted((ROOT / "kastrun").rglob("*.py"))
        for text in strings(path)
        for command in COMMAND.findall(text)
        if (why := wrong(command))
    ]
    assert found == [], "\n".join(["", *found])


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("chekc scan.toml", "no command `kastrun chekc`"),
        ("plugins burn NAME", "no command `kastrun plugins burn`"),
        ("check scan.toml --fast", "no flag --fast"),
        ("-t HOST --fast", "no flag --fast"),
    ],
)
def test_an_invented_command_is_seen(command, why):
    assert why in str(wrong(command))


@pytest.mark.parametrize(
    "command", ["scan.toml", "-t HOST -m passive", "plugins show NAME", "RUN/profile.toml"]
)
def test_a_real_command_is_not(command):
    assert wrong(command) is None


def test_every_command_is_told_of_in_the_documents():
    told = {" ".join(command.split()[:1]) for name in NAMES for command in commands_in_page(name)}
    assert parser.VERBS.keys() - told - {"run"} == set()
