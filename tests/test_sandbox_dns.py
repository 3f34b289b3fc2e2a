"""The stub's messages: questions read, answers written, and garbage survived."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.sandbox import dns


def packet(name, kind=dns.A, *, flags=0x0100, count=1, class_=1, tail=b""):
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".") if label)
    return (
        struct.pack("!6H", 7, flags, count, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack("!HH", kind, class_)
        + tail
    )


def test_a_question():
    question = dns.read(packet("WWW.Example.com", dns.AAAA, tail=b"\0\0\x29\x10\0\0\0\0\0\0\0"))
    assert (question.id, question.name, question.kind, question.plain) == (
        7,
        "www.example.com",
        dns.AAAA,
        True,
    )


def test_an_answer_is_what_a_resolver_expects():
    question = dns.read(packet("a.example"))
    answer = dns.answer(question, dns.ANSWERED, ["203.0.113.7", "2001:db8::7", "203.0.113.8"], by_udp=True)
    id_, flags, questions, answers, _, _ = struct.unpack_from("!6H", answer)
    assert (id_, flags, questions, answers) == (7, 0x8180, 1, 2)
    assert answer.startswith(question.raw, 12)
    assert answer.endswith(b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4" + socket.inet_aton("203.0.113.8"))


def test_a_name_without_such_an_address_exists_all_the_same():
    for kind in (dns.AAAA, 15, 16, 65):
        answer = dns.answer(dns.read(packet("a.example", kind)), dns.ANSWERED, ["203.0.113.7"], by_udp=True)
        assert struct.unpack_from("!6H", answer)[1:4] == (0x8180, 1, 0)


def test_a_name_that_is_unknown_does_not_exist():
    answer = dns.answer(dns.read(packet("b.example")), dns.NO_SUCH_NAME, by_udp=True)
    assert struct.unpack_from("!6H", answer)[1:4] == (0x8183, 1, 0)


def test_what_has_no_room_in_a_packet_is_asked_for_again_by_tcp():
    question = dns.read(packet("a.example"))
    many = [f"203.0.113.{number}" for number in range(100)]
    cut, whole = (dns.answer(question, dns.ANSWERED, many, by_udp=each) for each in (True, False))
    assert len(cut) <= 512 and struct.unpack_from("!H", cut, 2)[0] & 0x0200
    assert struct.unpack_from("!6H", whole)[3] == 100


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("7.113.0.203.in-addr.arpa", (4, 0xCB007107)),
        (".".join(reversed(f"{0x20010DB8 << 96 | 7:032x}")) + ".ip6.arpa", (6, 0x20010DB8 << 96 | 7)),
        ("300.113.0.203.in-addr.arpa", None),
        ("x.in-addr.arpa", None),
        ("in-addr.arpa", None),
        ("a.example", None),
    ],
)
def test_the_address_of_a_reverse_question(name, address):
    assert dns.read(packet(name, 12)).reverse == address


@pytest.mark.parametrize("name", ["a b.example", "é.example", "a\n.example", ""])
def test_names_that_no_host_has(name):
    question = dns.read(packet(name))
    assert not question.plain
    assert question.name.isascii() and question.name.isprintable()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        packet("a.example")[:-1],
        packet("a.example", flags=0x8100),
        packet("a.example", flags=0x2800),
        packet("a.example", count=0),
        packet("a.example", count=2),
        packet("a.example")[:12] + b"\xc0\x0c\0\1\0\1",
        packet(".".join(["a" * 63] * 5)),
    ],
)
def test_what_holds_no_question_has_no_answer(bad):
    assert dns.read(bad) is None


def test_another_class_has_nothing():
    question = dns.read(packet("a.example", 16, class_=3))
    answer = dns.answer(question, dns.ANSWERED, ["203.0.113.7"], by_udp=True)
    assert struct.unpack_from("!6H", answer)[3] == 0


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_passed_over(data):
    question = dns.read(data)
    if question is not None:
        dns.answer(question, dns.ANSWERED, ["203.0.113.7", "::1"], by_udp=True)
