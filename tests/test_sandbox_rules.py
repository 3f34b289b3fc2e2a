"""What a job may reach: the scope as the broker holds it, address by address and name by name."""

from __future__ import annotations

import marshal
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.model import Target
from kastrun.reach import Reach
from kastrun.sandbox.rules import Rules
from kastrun.scope import Scope
from kastrun.targets import parse


def rules(target="203.0.113.7", *, extra=(), exclude=(), others=(), pins=None, **wishes):
    wishes = {"network": "scope", "enforcement": "enforce", "any_port": True} | wishes
    subject = parse(target)
    scope = Scope.build([subject, *map(parse, others)], extra, exclude)
    reach = scope.reach([subject], pins=pins or {}, **wishes)
    return Rules(Reach(*marshal.loads(marshal.dumps(tuple(reach)))))


def judge(held, address, port=80):
    """As the broker asks: nowhere is this machine already, and mapped addresses are IPv4."""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return held.judge(found.version, int(found), port)


@pytest.mark.parametrize(
    ("target", "inside", "outside"),
    [
        ("203.0.113.7", ["203.0.113.7", "64:ff9b::203.0.113.7", "2002:cb00:7107::1"], ["203.0.113.8", "::1"]),
        ("203.0.113.0/28", ["203.0.113.0", "203.0.113.15"], ["203.0.113.16", "203.0.112.255"]),
        ("2001:db8::/64", ["2001:db8::1"], ["2001:db8:0:1::1", "::1", "203.0.113.7"]),
        ("127.0.0.1", ["127.0.0.1", "::127.0.0.1"], ["127.0.0.2", "::1", "0.0.0.1"]),
        ("0.0.0.0/0", ["203.0.113.7", "10.0.0.1"], ["127.0.0.1", "169.254.169.254", "224.0.0.251", "::1"]),
        ("::/0", ["2001:db8::1"], ["::1", "fe80::1", "ff02::1", "64:ff9b::7f00:1"]),
        ("a.example", [], ["203.0.113.7", "127.0.0.1"]),
    ],
)  # fmt: skip
def test_the_target_and_nothing_else(target, inside, outside):
    held = rules(target)
    assert [judge(held, each) for each in inside] == ["allowed"] * len(inside)
    assert [judge(held, each) for each in outside] == ["refused"] * len(outside)


def test_what_scope_adds_is_in_it_and_other_targets_are_not():
    held = rules(extra=["198.51.100.0/24", "192.0.2.1:8443"], others=["203.0.113.9"])
    assert judge(held, "198.51.100.77") == "allowed"
    assert [judge(held, "192.0.2.1", port) for port in (8443, 443)] == ["allowed", "refused"]
    assert judge(held, "203.0.113.9") == "refused"


def test_a_process_for_several_targets_reaches_each():
    scope = Scope.build([], (), ())
    both = [parse("203.0.113.7"), parse("https://203.0.113.9:8443/"), parse("a.example")]
    held = Rules(scope.reach(both, network="scope", enforcement="enforce", any_port=False, pins={}))
    assert [judge(held, f"203.0.113.{last}", 8443) for last in (7, 8, 9)] == ["allowed", "refused", "allowed"]
    assert judge(held, "203.0.113.9", 443) == "refused" and held.knows("a.example")


def test_a_special_address_is_reached_only_where_it_was_written_and_belongs_to_the_job():
    assert judge(rules("127.0.0.0/8"), "127.0.0.9") == "allowed"
    assert judge(rules("0.0.0.0/0", others=["127.0.0.1"]), "127.0.0.1") == "allowed"
    assert judge(rules(others=["127.0.0.1"]), "127.0.0.1") == "refused"


def test_a_port_of_the_target_limits_only_where_it_is_to():
    free, held = (rules("https://203.0.113.7/", any_port=each) for each in (True, False))
    assert [judge(free, "203.0.113.7", port) for port in (443, 22)] == ["allowed", "allowed"]
    assert [judge(held, "203.0.113.7", port) for port in (443, 22)] == ["allowed", "refused"]


@given(st.ip_addresses(), st.integers(1, 65535), st.sampled_from(["scope", "full", "none"]),
       st.sampled_from(["enforce", "audit", "off"]))  # fmt: skip
def test_excludes_win_whatever_is_allowed(address, port, network, enforcement):
    text = str(address)
    held = rules(text, extra=[text], exclude=[text], network=network, enforcement=enforcement)
    assert judge(held, text, port) == "refused"


def test_an_exclude_with_a_port_is_that_port():
    held = rules("203.0.113.0/24", exclude=["203.0.113.8:22"])
    assert [judge(held, "203.0.113.8", port) for port in (22, 23)] == ["refused", "allowed"]


def test_audit_and_off_let_through_what_is_only_outside():
    for enforcement, told in (("audit", True), ("off", False)):
        held = rules(enforcement=enforcement, exclude=["198.51.100.1"])
        assert [judge(held, each) for each in ("203.0.113.7", "192.0.2.1", "127.0.0.1", "198.51.100.1")] == [
            "allowed", "audited", "audited", "refused"]  # fmt: skip
        assert held.told is told
    assert judge(rules(network="none", enforcement="off"), "203.0.113.7") == "refused"


def test_the_whole_network_is_all_but_the_excludes():
    held = rules(network="full", exclude=["198.51.100.0/24"])
    assert [judge(held, each) for each in ("192.0.2.1", "127.0.0.1", "198.51.100.9")] == [
        "allowed", "allowed", "refused"]  # fmt: skip


def test_names():
    held = rules("a.example", extra=["*.b.example", "c.example:22"], exclude=["x.b.example", "*.y.b.example"])
    known = ["a.example", "b.b.example", "c.c.b.example", "c.example"]
    unknown = ["b.example", "www.a.example", "x.b.example", "z.y.b.example", "example", "", "aa.example"]
    assert [held.knows(name) for name in known] == [True] * len(known)
    assert [held.knows(name) for name in unknown] == [False] * len(unknown)


def test_a_domain_is_itself_and_what_is_below_it():
    scope = Scope.build([], (), ())
    domain = Target(kind="domain", value="a.example", host="a.example")
    held = Rules(scope.reach([domain], network="scope", enforcement="enforce", any_port=True, pins={}))
    assert held.knows("a.example") and held.knows("x.y.a.example") and not held.knows("b.example")


def test_a_pinned_name_opens_its_addresses_and_is_held_to_the_rules_for_them():
    pins = {"a.example": ["192.0.2.5", "fe80::1%eth0", "127.0.0.1", "192.0.2.66"]}
    held = rules("a.example", exclude=["192.0.2.66"], pins=pins)
    assert held.pins["a.example"] == ("192.0.2.5", "fe80::1", "127.0.0.1", "192.0.2.66")
    assert judge(held, "192.0.2.5") == "allowed"
    for address in ("fe80::1", "127.0.0.1", "192.0.2.66", "192.0.2.6"):
        assert judge(held, address) == "refused"


def test_a_name_that_is_pinned_later_has_the_ports_of_its_entries():
    held = rules(extra=["*.b.example:443"], exclude=["x.b.example:443"])
    assert judge(held, "192.0.2.9", 443) == "refused"
    held.pin("w.b.example", ["192.0.2.9"])
    assert [judge(held, "192.0.2.9", port) for port in (443, 80)] == ["allowed", "refused"]
    held.pin("x.b.example", ["192.0.2.10"])
    assert judge(held, "192.0.2.10", 443) == "refused"


def test_memory_is_bounded():
    held = rules("0.0.0.0/0")
    for number in range(10_000):
        held.judge(4, 0x0A000000 + number, 80)
    assert len(held._judged) <= 4096
