"""Section 6: the digest is over canonical JSON, and of what the contract says, no more."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, convert, structs, to_builtins

from kastrun.protocol import fingerprint, fingerprints
from kastrun.protocol.fingerprint import canonical, reduce_url
from kastrun.protocol.messages import Finding, Location

FINDING = Finding(rule="r", title="t", severity="low")
COUNTED = ("file", "host", "method", "param", "port", "proto", "url")

texts = st.text(st.characters(codec="utf-8"), max_size=8)
locations = st.fixed_dictionaries(
    {},
    optional={name: texts for name in COUNTED if name != "port"} | {"ip": texts, "line": st.integers(0, 9)},
).flatmap(lambda some: st.sampled_from([some, some | {"port": 443}]))


def plainly(plugin: str, target: str, finding: Finding) -> bytes:
    """The same, written as the contract reads, with another's canonicalisation."""
    place: dict[str, Any] | None = None
    if finding.location is not UNSET:
        said = to_builtins(finding.location)
        place = {name: said.get(name) for name in COUNTED}
        if place["url"] is not None:
            place["url"] = reduce_url(place["url"])
        if set(place.values()) == {None}:
            place = None
    key = None if finding.key is UNSET else finding.key
    return rfc8785.dumps(["k1", plugin, finding.rule, target, place, key])


findings = st.builds(
    lambda rule, location, key: structs.replace(
        FINDING,
        rule=rule,
        location=UNSET if location is None else convert(location, Location),
        key=UNSET if key is None else key,
    ),
    texts,
    st.none() | locations,
    st.none() | texts,
)


@given(texts, texts, findings)
def test_it_is_canonical(plugin: str, target: str, finding: Finding) -> None:
    assert canonical(plugin, target, [finding]) == [plainly(plugin, target, finding)]
    digest = sha256(plainly(plugin, target, finding)).hexdigest()
    assert fingerprint(plugin, target, finding) == f"k1:{digest}"


@given(st.lists(findings, min_size=1, max_size=5))
def test_many_at_once_are_as_one_by_one(several: list[Finding]) -> None:
    marks = [f"k1:{mark.decode()}" for mark in fingerprints("p", "t", several)]
    assert marks == [fingerprint("p", "t", finding) for finding in several]


@pytest.mark.parametrize(
    "other",
    [
        {"title": "u"}, {"severity": "high"}, {"evidence": "e"}, {"at": "now"}, {"target": "t"},
        {"tags": ("a",)}, {"location": Location()}, {"location": Location(line=4, ip="192.0.2.1")},
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_count(other: dict[str, Any]) -> None:
    assert fingerprint("p", "t", structs.replace(FINDING, **other)) == fingerprint("p", "t", FINDING)


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "s"},
        {"key": ""},
        {"location": Location(port=1)},
        *({"location": Location(**{name: "1"})} for name in COUNTED if name != "port"),
    ],
    ids=str,
)
def test_what_counts(other: dict[str, Any]) -> None:
    assert fingerprint("p", "t", structs.replace(FINDING, **other)) != fingerprint("p", "t", FINDING)


def test_plugin_and_target_count() -> None:
    assert len({fingerprint(plugin, target, FINDING) for plugin in "pq" for target in "tu"}) == 4


@pytest.mark.parametrize(
    ("url", "reduced"),
    [
        ("https://a.example/", "https://a.example/"),
        ("https://a.example/s?q=1&page=2&q=3#top", "https://a.example/s?q&page&q"),
        ("https://a.example/s?b=1&a=2", "https://a.example/s?b&a"),
        ("https://a.example/s?q=1=2&flag", "https://a.example/s?q&flag"),
        ("https://a.example/?", "https://a.example/"),
        ("https://a.example/?&&", "https://a.example/"),
        ("https://a.example/?=v", "https://a.example/"),
        ("https://a.example/?a&&b", "https://a.example/?a&b"),
        ("https://a.example/?a=x?y", "https://a.example/?a"),
        ("https://a.example/#a?b=c", "https://a.example/"),
        ("https://A.example/%7Eu?%61=1", "https://A.example/%7Eu?%61"),
        ("", ""),
    ],
)
def test_urls_without_fragment_and_values(url: str, reduced: str) -> None:
    assert reduce_url(url) == reduced


@given(st.text("?#&=ab", max_size=12))
def test_reducing_twice_changes_nothing(url: str) -> None:
    assert reduce_url(reduce_url(url)) == reduce_url(url)
