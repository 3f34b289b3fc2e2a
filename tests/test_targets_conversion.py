"""What a plugin is given: turned into the first accepted kind, lazily, or nothing."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.model import TARGET_KINDS, Target
from kastrun.targets import convert, count, expand, parse

TARGETS = st.sampled_from(
    [
        parse(text)
        for text in (
            "a.example", "203.0.113.7", "2001:db8::7", "203.0.113.0/30", "2001:db8::/64", "https://a.example/x",
            "http://[2001:db8::7]:8080/", "a.example:22", "[2001:db8::7]:443", "@file",
        )
    ]
    + [parse("a.example", "domain"), parse("203.0.113.7", "host")]
)  # fmt: skip
ACCEPTED = st.lists(st.sampled_from(TARGET_KINDS), min_size=1, unique=True)


@given(TARGETS, ACCEPTED)
def test_only_accepted_kinds_in_normal_form_come_out(target, accepted):
    for given_target in islice(convert(target, accepted), 3):
        assert given_target.kind in accepted
        assert parse(given_target.value, given_target.kind).value == given_target.value


@given(TARGETS, ACCEPTED)
def test_an_accepted_target_stays_as_it_is_wherever_its_kind_stands(target, accepted):
    if target.kind in accepted:
        assert list(convert(target, accepted)) == [target]


def test_the_first_accepted_kind_that_it_can_be_is_taken():
    target = parse("https://a.example/x")
    assert [t.kind for t in convert(target, ["domain", "service", "host"])] == ["service"]
    assert [t.kind for t in convert(target, ["file", "host", "service"])] == ["host"]


def test_the_fields_of_what_is_made_are_filled_in():
    (service,) = convert(parse("https://a.example/x"), ["service"])
    assert service == Target(
        kind="service", value="a.example:443", scheme="https", host="a.example", port=443
    )
    (url,) = convert(parse("a.example"), ["url"])
    assert (url.scheme, url.host, url.port, url.path) == ("https", "a.example", 443, "/")


def test_a_service_whose_scheme_is_known_becomes_a_url_on_any_port():
    service = Target(kind="service", value="a.example:9000", scheme="http", host="a.example", port=9000)
    assert [t.value for t in convert(service, ["url"])] == ["http://a.example:9000/"]
    other = Target(kind="service", value="a.example:443", scheme="smtp", host="a.example", port=443)
    assert list(convert(other, ["url"])) == []


@pytest.mark.parametrize("accepted", [["domain"], ["file", "service"], []])
def test_a_network_gives_nothing_at_once_where_its_addresses_would_not(accepted):
    assert list(convert(parse("2000::/3"), accepted)) == []


def test_a_huge_network_is_expanded_lazily_and_counted_without_expansion():
    network = parse("2001:db8::/64")
    assert [t.value for t in islice(expand(network), 3)] == ["2001:db8::", "2001:db8::1", "2001:db8::2"]
    assert [t.value for t in islice(convert(network, ["url"]), 1)] == ["https://[2001:db8::]/"]
    assert count(network) == 2**64


def test_a_network_expands_to_all_of_its_addresses():
    network = parse("203.0.113.0/30")
    assert [t.value for t in expand(network)] == [f"203.0.113.{n}" for n in range(4)]
    assert count(network) == 4


def test_mapped_addresses_come_out_as_ipv4():
    wide = Target(kind="cidr", value="::ffff:cb00:7106/127")  # as a part of a wider network would be
    assert [t.value for t in expand(wide)] == ["203.0.113.6", "203.0.113.7"]


def test_what_is_no_network_expands_to_itself():
    target = parse("https://a.example/")
    assert list(expand(target)) == [target]
    assert count(target) == 1
