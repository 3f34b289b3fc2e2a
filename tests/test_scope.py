"""The scope: excludes always win, special addresses only where they were written."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kastrun.scope import Scope
from kastrun.targets import TargetError, expand, parse

HOSTS = st.ip_addresses().map(str) | st.sampled_from(
    ["a.example", "b.a.example", "localhost", "c.b.a.example"]
)


def scope(targets=(), extra=(), exclude=()):
    return Scope.build([parse(text) for text in targets], extra, exclude)


def bracketed(host):
    return f"[{host}]" if ":" in host else host


@given(HOSTS, st.integers(1, 65535))
def test_what_is_excluded_stays_excluded_however_it_is_written_or_allowed(host, port):
    spellings = (host, f"{bracketed(host)}:{port}", f"http://{bracketed(host)}:{port}/x")
    held = scope(targets=spellings, extra=[host], exclude=[host])
    assert all(held.excluded(parse(text)) == host for text in spellings)


@given(st.ip_addresses())
def test_an_excluded_address_is_refused_even_where_it_is_written(address):
    text = str(address)
    held = scope(targets=[text], extra=[text], exclude=[text])
    assert f"`{text}` in `exclude`" in held.refused_address("a.example", [text])


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_excludes_exactly_the_addresses_in_it(address, prefix):
    kind, bits = type(address), address.max_prefixlen
    prefix = min(prefix, bits)
    last_bit = 1 << (bits - prefix)
    network = f"{kind(int(address) // last_bit * last_bit)}/{prefix}"
    outside = kind((int(address) ^ last_bit) % (1 << bits))
    # These two are read as addresses of another family, or held to loopback's rules too.
    assume(int(outside) and not any(getattr(one, "ipv4_mapped", None) for one in (address, outside)))
    held = scope(exclude=[network])
    assert held.excluded(parse(str(address))) == network
    assert prefix == 0 or held.excluded(parse(str(outside))) is None


def test_an_exclude_with_a_port_covers_that_port_only():
    held = scope(exclude=["a.example:22", "203.0.113.8:22", "[2001:db8::7]:22", "*.b.example:22"])
    for host in ("a.example", "203.0.113.8", "[2001:db8::7]", "x.b.example"):
        assert held.excluded(parse(f"{host}:22")) is not None
        assert held.excluded(parse(f"{host}:23")) is None
        assert held.excluded(parse(host)) is None


def test_an_entry_without_a_port_is_told_before_one_with():
    held = scope(exclude=["a.example:22", "a.example"])
    assert held.excluded(parse("a.example:22")) == "a.example"


def test_domains_are_held_to_excludes_and_files_are_not():
    held = scope(exclude=["a.example", "0.0.0.0/0", "::/0"])
    assert held.excluded(parse("a.example", "domain")) == "a.example"
    assert held.excluded(parse("@a.example")) is None


def test_a_network_is_excluded_whole_or_split():
    held = scope(exclude=["203.0.113.0/28", "198.51.100.7", "192.0.2.1:22"])
    assert held.excluded(parse("203.0.113.4/30")) == "203.0.113.0/28"
    assert not held.splits(parse("203.0.113.4/30"))
    wide = parse("203.0.113.0/27")
    assert held.excluded(wide) is None
    assert held.splits(wide)
    left = [t.value for t in expand(wide) if held.excluded(t) is None]
    assert left == [f"203.0.113.{n}" for n in range(16, 32)]
    assert held.splits(parse("198.51.100.0/24"))
    assert not held.splits(parse("192.0.2.0/24"))
    assert not held.splits(parse("198.51.100.7"))


@pytest.mark.parametrize(
    "carrier",
    ["::ffff:203.0.113.7", "::203.0.113.7", "64:ff9b::cb00:7107", "2002:cb00:7107::1", "2002:cb00:7107:9::"],
)
def test_ipv6_that_leads_to_an_excluded_ipv4_address_is_excluded(carrier):
    held = scope(exclude=["203.0.113.0/28"])
    assert held.excluded(parse(carrier)) == "203.0.113.0/28"
    assert held.refused_address("a.example", [carrier]) is not None


def test_a_6to4_network_is_held_to_the_ipv4_network_it_is_for():
    held = scope(exclude=["203.0.113.7"])
    assert held.excluded(parse("2002:cb00:7107::/48")) == "203.0.113.7"
    assert held.splits(parse("2002:cb00:7100::/40"))


@pytest.mark.parametrize(("anywhere", "loopback"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_the_unspecified_address_is_held_to_an_exclude_of_loopback(anywhere, loopback):
    held = scope(targets=[anywhere], exclude=[loopback])
    assert held.excluded(parse(anywhere)) == loopback
    assert held.refused_address("a.example", [anywhere]) is not None


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback"),
        ("::1", "a loopback"),
        ("::ffff:127.0.0.1", "a loopback"),
        ("64:ff9b::7f00:1", "a loopback"),
        ("169.254.169.254", "a link-local"),
        ("fe80::1%eth0", "a link-local"),
        ("224.0.0.251", "a multicast"),
        ("ff02::fb", "a multicast"),
        ("0.0.0.0", "an unspecified"),
        ("::", "an unspecified"),
    ],
)
def test_a_name_that_resolves_to_a_special_address_is_refused_unless_it_is_written(address, kind):
    bare = address.partition("%")[0]
    reason = scope(["a.example"]).refused_address("a.example", ["203.0.113.7", address])
    assert reason == (
        f"a.example resolves to {bare}, {kind} address; write {bare} in `targets` or `scope` if it is meant"
    )
    assert scope(["a.example", bare]).refused_address("a.example", [address]) is None
    assert scope(["a.example"], extra=[bare]).refused_address("a.example", [address]) is None


@pytest.mark.parametrize(
    "written",
    [
        "http://127.0.0.1:8080/",
        "127.0.0.1:80",
        "127.0.0.0/24",
        "::ffff:127.0.0.1",
        "localhost",
        "x.localhost",
    ],
)
def test_loopback_is_written_by_any_target_that_has_it(written):
    assert scope([written]).refused_address("a.example", ["127.0.0.1"]) is None
    assert scope(extra=[written]).refused_address("a.example", ["127.0.0.1"]) is None


def test_localhost_writes_all_of_loopback_and_nothing_else():
    held = scope(extra=["*.localhost"])
    assert held.refused_address("a.localhost", ["127.0.0.53", "::1"]) is None
    assert held.refused_address("localhost", ["169.254.0.1"]) is not None


@pytest.mark.parametrize(
    "written", ["0.0.0.0/0", "126.0.0.0/7", "notlocalhost", "localhost.example", "127.0.0.2"]
)
def test_loopback_is_not_written_in_passing(written):
    assert scope([written]).refused_address("a.example", ["127.0.0.1"]) is not None


def test_an_address_itself_is_named_as_such():
    assert scope().refused_address("::1", ["::1"]) == (
        "::1 is a loopback address; write ::1 in `targets` or `scope` if it is meant"
    )


def test_ordinary_and_private_addresses_are_not_refused():
    assert scope().refused_address("a.example", ["203.0.113.7", "10.0.0.1", "fd00::1", "2001:db8::1"]) is None
    assert scope().refused_address("a.example", []) is None


def test_the_address_a_name_resolves_to_is_held_to_excludes_with_the_port_of_the_target():
    held = scope(exclude=["203.0.113.8:22", "198.51.100.0/24"])
    assert held.refused_address("a.example", ["203.0.113.8"]) is None
    assert held.refused_address("a.example", ["203.0.113.8"], port=22) == (
        "a.example resolves to 203.0.113.8, an address that `203.0.113.8:22` in `exclude` covers"
    )
    assert held.refused_address("a.example", ["198.51.100.9"], port=22) is not None


@pytest.mark.parametrize("junk", ["", "x\x1b[2J", "1.2.3", "1.2.3.999"])
def test_what_is_no_address_is_refused_and_shown_safely(junk):
    reason = scope().refused_address("a.example", [junk])
    assert reason.endswith(", no IP address")
    assert reason.isprintable()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("@hosts.txt", "is a file, which no scope holds"),
        ("*.203.0.113.7", "has `*.` before what is no name"),
        ("*.https://a.example/", "has `*.` before what is no name"),
        ("*.*.a.example", "wildcard"),
        ("203.0.113.7/28", "bits set beyond its prefix"),
        ("-x", "begins with `-`"),
        ("a.example:0", "is not a port"),
    ],
)
def test_a_bad_entry_is_an_error_in_either_list(entry, message):
    with pytest.raises(TargetError, match=message.replace("*", r"\*").replace(".", r"\.")):
        scope(exclude=[entry])
    with pytest.raises(TargetError) as caught:
        scope(extra=[entry])
    assert caught.value.hint
