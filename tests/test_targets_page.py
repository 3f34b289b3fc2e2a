"""docs/targets.md cannot rot: its examples are read and held to what they say."""

import re
from pathlib import Path

import pytest

from kastrun.scope import Scope
from kastrun.targets import TargetError, convert, parse

PAGE = (Path(__file__).parent.parent / "docs" / "targets.md").read_text(encoding="utf-8")


def block(name):
    (text,) = re.findall(rf"^```{name}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", block("targets"))
def test_a_target_has_the_kind_and_the_form_that_the_page_says(line):
    text, kind, value = line.split()
    assert (parse(text).kind, parse(text).value) == (kind, value)


@pytest.mark.parametrize("line", block("refused"))
def test_what_the_page_says_is_refused_is_refused(line):
    with pytest.raises(TargetError):
        parse(re.split(" {2,}", line)[0])


@pytest.mark.parametrize("line", block("conversions"))
def test_a_target_becomes_what_the_page_says(line):
    text, kind, *values = line.split()
    assert ([t.value for t in convert(parse(text), [kind])] or ["-"]) == values


@pytest.mark.parametrize("line", block("scope")[1:])
def test_an_exclude_covers_what_the_page_says(line):
    scope = Scope.build([], [], block("scope")[0].split()[1:])
    text, entry = line.split()
    assert (scope.excluded(parse(text)) or "-") == entry


def test_the_network_on_the_last_line_is_split():
    scope = Scope.build([], [], block("scope")[0].split()[1:])
    assert scope.splits(parse(block("scope")[-1].split()[0]))
