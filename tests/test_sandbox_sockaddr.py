"""Addresses as a job passes them, and as they are acted on."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.sandbox import sockaddr

INET, INET6 = socket.AF_INET, socket.AF_INET6


def v4(text, port=80, family=INET):
    return struct.pack("=H", family) + struct.pack("!H", port) + socket.inet_aton(text) + bytes(8)


def v6(text, port=80, zone=0, flow=0):
    host = socket.inet_pton(INET6, text)
    return struct.pack("=H", INET6) + struct.pack("!HI", port, flow) + host + struct.pack("=I", zone)


@pytest.mark.parametrize(
    ("raw", "version", "text"),
    [
        (v4("203.0.113.7"), 4, "203.0.113.7"),
        (v4("0.0.0.0"), 4, "127.0.0.1"),
        (v6("2001:db8::7"), 6, "2001:db8::7"),
        (v6("::"), 6, "::1"),
        (v6("::ffff:203.0.113.7"), 4, "203.0.113.7"),
        (v6("::ffff:0.0.0.0"), 4, "127.0.0.1"),
        (v6("::127.0.0.1"), 6, "::127.0.0.1"),
        (v6("64:ff9b::1.2.3.4"), 6, "64:ff9b::102:304"),
        (v6("2001:db8::7")[:24], 6, "2001:db8::7"),
    ],
)
def test_where_a_packet_would_go(raw, version, text):
    found = sockaddr.parse(raw)
    assert (found.version, str(found), found.port) == (version, text, 80)


def test_a_zone_is_kept_and_a_flow_label_is_not():
    found = sockaddr.parse(v6("fe80::1", 53, zone=3, flow=0xFFFFF))
    assert found.to(INET6) == ("fe80::1", 53, 0, 3)


def test_an_ipv6_socket_reaches_ipv4_and_not_the_other_way_round():
    assert sockaddr.parse(v6("::ffff:203.0.113.7")).to(INET6) == ("::ffff:203.0.113.7", 80, 0, 0)
    assert sockaddr.parse(v4("203.0.113.7")).to(INET6) == ("::ffff:203.0.113.7", 80, 0, 0)
    with pytest.raises(OSError) as caught:
        sockaddr.parse(v6("::ffff:203.0.113.7")).to(INET)
    assert caught.value.errno == errno.EAFNOSUPPORT


def test_nowhere_is_everywhere_for_binding():
    assert sockaddr.parse(v4("0.0.0.0", 0), nowhere=True).to(INET) == ("0.0.0.0", 0)
    assert sockaddr.parse(v6("::", 0), nowhere=True).to(INET6) == ("::", 0, 0, 0)
    assert sockaddr.parse(v6("::ffff:0.0.0.0", 0), nowhere=True).to(INET6) == ("::ffff:0.0.0.0", 0, 0, 0)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"", errno.EINVAL),
        (b"\2", errno.EINVAL),
        (v4("203.0.113.7")[:15], errno.EINVAL),
        (v6("::1")[:23], errno.EINVAL),
        (v4("203.0.113.7", family=socket.AF_UNSPEC), errno.EAFNOSUPPORT),  # UDP would send there
        (struct.pack("=H", 40) + bytes(14), errno.EAFNOSUPPORT),
    ],
)
def test_what_is_not_understood_whole_is_refused(raw, number):
    with pytest.raises(OSError) as caught:
        sockaddr.parse(raw)
    assert caught.value.errno == number


@given(st.binary(max_size=128))
def test_any_bytes_are_an_address_or_an_error(raw):
    try:
        found = sockaddr.parse(raw)
    except OSError:
        return
    assert found.number and sockaddr.parse(raw, nowhere=True).port == found.port
    socket.getaddrinfo(str(found), found.port, flags=socket.AI_NUMERICHOST)


def test_paths_of_local_sockets_are_shown_as_text():
    assert sockaddr.unix_path(b"\1\0/run/docker.sock\0junk") == "/run/docker.sock"
    assert sockaddr.unix_path(b"\1\0\0/tmp/.X11\x1b[31m") == "@/tmp/.X11?[31m"
