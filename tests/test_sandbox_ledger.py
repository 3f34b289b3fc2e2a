"""What a job contacted, folded: everything is counted, and nothing grows without end."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st

from kastrun.sandbox.ledger import MOST_EACH, MOST_RANGES, Ledger


def ledger():
    ticks = count(1000.0)
    return Ledger(lambda: next(ticks))


def test_one_destination_is_one_line():
    held = ledger()
    for port in (443, 80, 81, 443):
        held.contact("tcp", 4, int(ip_address("203.0.113.7")), port, "allowed")
    assert list(held.lines()) == [
        ("203.0.113.7", "tcp", "allowed", 4, 1000.0, 1003.0, [(80, 81), (443, 443)], False)
    ]


def test_protocols_verdicts_and_families_are_told_apart():
    held = ledger()
    held.contact("tcp", 4, 1, 80, "allowed")
    held.contact("udp", 4, 1, 80, "allowed")
    held.contact("tcp", 4, 1, 81, "refused")
    held.contact("tcp", 6, 1, 80, "audited")
    held.ask("a.example", "refused")
    held.path("@bus", "refused")
    assert [line[:3] for line in held.lines()] == [
        ("0.0.0.1", "tcp", "allowed"), ("0.0.0.1", "udp", "allowed"), ("0.0.0.1", "tcp", "refused"),
        ("::1", "tcp", "audited"), ("a.example", "dns", "refused"), ("@bus", "unix", "refused"),
    ]  # fmt: skip


@given(st.sets(st.integers(1, 65535), max_size=300))
def test_ports_are_told_as_ranges_that_hold_just_them(ports):
    held = ledger()
    for port in ports:
        held.contact("tcp", 4, 1, port, "allowed")
    told = [line[6:] for line in held.lines()]
    if ports:
        ((ranges, cut),) = told
        found = {port for low, high in ranges for port in range(low, high + 1)}
        assert found == ports or (cut and len(ranges) == MOST_RANGES and found < ports)
        assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))


def test_a_flood_of_destinations_are_some_hundred_lines_and_none_is_forgotten():
    held = ledger()
    asked = 0
    for number in range(0, 1 << 32, 1 << 15):
        held.contact("tcp", 4, number, number & 1023 | 1, "refused")
        asked += 1
    lines = list(held.lines())
    assert asked > 130_000
    assert sum(line[3] for line in lines) == asked
    assert len(lines) <= 4 * MOST_EACH + 1
    networks = [ip_network(line[0]) for line in lines]
    for number in (0, 1 << 31, (1 << 32) - (1 << 15)):
        assert any(ip_address(number) in network for network in networks)


def test_names_are_folded_by_their_domain():
    held = ledger()
    for number in range(10_000):
        held.ask(f"x{number}.y{number}.evil.example", "refused")
    lines = list(held.lines())
    assert sum(line[3] for line in lines) == 10_000
    assert len(lines) <= 3 * MOST_EACH + 1
    assert "*.evil.example" in {line[0] for line in lines}


def test_what_glibc_looks_for_at_every_start_is_not_told():
    held = ledger()
    held.path("/var/run/nscd/socket", "refused")
    assert list(held.lines()) == []
