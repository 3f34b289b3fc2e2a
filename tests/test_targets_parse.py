"""Reading one target: kinds, normal forms, refusals; and that nothing but TargetError comes out."""

import subprocess
import sys
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kastrun.model import TARGET_KINDS, Target
from kastrun.targets import TargetError, parse
from kastrun.targets.addresses import is_plain_ipv4

PIECES = st.sampled_from(
    [
        *("a", "Example", "é", "ß", "☃", "xn--", "bcher-kva", "ffff", "http", "https", "://", "/tcp", "/24"),
        *(
            ".",
            "..",
            ":",
            "::",
            "/",
            "//",
            "[",
            "]",
            "@",
            "#",
            "?",
            "%",
            "%2e",
            "-",
            "_",
            "*",
            "+",
            "|",
            "\\",
        ),
        *("0", "1", "255", "443", "65536", "0x7f", "１", "。", " ", "\x00", "\ud800", "\u200d", "\u202e"),
    ]
)
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=10).map("".join)
KINDS = st.none() | st.sampled_from(TARGET_KINDS)


@given(TEXTS, KINDS)
def test_any_text_is_a_target_in_normal_form_or_a_target_error(text, kind):
    try:
        target = parse(text, kind)
    except TargetError as error:
        told = [error.message, error.hint]
    else:
        told = ["read"]
        assert parse(target.value, target.kind) == target
        assert target.value.isascii() or target.kind == "file"
        assert kind in (None, target.kind) or (kind == "cidr" and target.kind == "ip")
    assert all(text and text.isprintable() for text in told)


@given(TEXTS)
def test_an_inferred_target_is_inferred_again_from_its_value(text):
    try:
        target = parse(text)
    except TargetError:
        return
    if target.kind != "file":
        assert parse(target.value) == target


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_address_is_read_in_every_kind(address, port):
    bracketed = f"[{address}]" if address.version == 6 else str(address)
    value = parse(str(address)).value
    assert parse(f"{bracketed}:{port}").host == value
    assert parse(f"http://{bracketed}:{port}/").host == value
    assert parse(bracketed).value == value


def test_a_url_has_all_its_fields():
    assert parse("HTTPS://A.Example:8443/app/?q=1#top") == Target(
        kind="url",
        value="https://a.example:8443/app/?q=1",
        scheme="https",
        host="a.example",
        port=8443,
        path="/app/?q=1",
    )
    assert (parse("http://a.example").port, parse("http://a.example").path) == (80, "/")


def test_an_ipv6_host_has_no_brackets_but_its_service_and_url_have():
    assert parse("[2001:DB8::7]:443") == Target(
        kind="service", value="[2001:db8::7]:443", host="2001:db8::7", port=443
    )
    url = parse("https://[2001:DB8::7]/")
    assert (url.value, url.host, url.port) == ("https://[2001:db8::7]/", "2001:db8::7", 443)


def test_each_kind_can_be_said():
    assert parse("Example.com.", "domain") == Target(kind="domain", value="example.com", host="example.com")
    assert parse("203.0.113.7", "host") == Target(kind="host", value="203.0.113.7", host="203.0.113.7")
    assert parse("a file.pdf", "file") == Target(kind="file", value="a file.pdf")
    assert parse("203.0.113.7/32", "cidr").kind == "ip"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "a target is empty", "write a host"),
        ("-x", "`-x` begins with `-`", "no host name begins with a hyphen"),
        ("a" * 8193, "8193 characters", "at most 8192"),
        ("a\x1bb", r"`a\x1bb` holds the control character `\x1b`", "type the target again"),
        ("a\u202eb", r"holds the control character `\u202e`", "do not show"),
        ("a b", "`a b` holds a space", "one target an entry"),
        ("u@a.example", "holds `@` with something before it", "no user name"),
        ("@", "`@` stands without a file's path", "@dump/app.apk"),
        ("a.example/app", "neither a URL nor a CIDR", "write https://a.example/app for a URL"),
        ("a.example:53/udp", "is a UDP service", "write the host alone"),
        (":80", "`:80` is not HOST:PORT", "[2001:db8::7]:443"),
        ("a.example:0", "`0` is not a port, in `a.example:0`", "from 1 to 65535"),
        ("a.example:٤٤٣", "is not a port", "without leading zeros"),
        ("127.1", "`127.1` is not an IPv4 address", "four numbers from 0 to 255"),
        ("1:2:3", "`1:2:3` is not an IPv6 address", "2001:db8::7"),
        ("fe80::1%eth0", "has a zone id", "without `%`"),
        ("10.0.0.0/33", "no prefix length between 0 and 32", "203.0.113.0/28"),
        ("2001:db8::/129", "no prefix length between 0 and 128", "2001:db8::/64"),
        ("203.0.113.7/28", "bits set beyond its prefix", "write 203.0.113.0/28 for the network"),
        ("10.0.0.1-20", "is a range of addresses", "203.0.113.0/28"),
        ("*.a.example", "has a wildcard", "belong in `exclude` and `scope`"),
        ("a..b", "`a..b` has an empty label", "take out the extra dot"),
        ("a" * 64 + ".b", "has a label of 64 characters", "at most 63"),
        ("a." * 126 + "ab", "is a name of 254 characters", "at most 253"),
        ("a.-b", "begins or ends with a hyphen: `-b`", "check the spelling"),
        ("a,b", "is not a host name, address, CIDR, URL or HOST:PORT", "one target an entry"),
        ("☃.example", "is not a name that IDNA 2008 allows", "check the spelling"),
        ("https://", "`https://` has no host", "https://example.com/app"),
        ("http://[::1/", "has a host that cannot be read", "http://[2001:db8::7]/"),
        ("ftp://a.example/", "has the scheme `ftp`", "example.com:21"),
        ("wss://a.example/", "has the scheme `wss`", "write https:// instead"),
        ("ws://a.example/", "has the scheme `ws`", "write http:// instead"),
        ("https://u:p@a.example/", "holds a user name or password before `@`", "by reference"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(text, message, hint):
    with pytest.raises(TargetError) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("203.0.113.7", "domain", "is an address, not a name"),
        ("a.example", "url", "is not a URL"),
        ("a.example", "ip", "is not an IPv4 address"),
        ("203.0.113.7", "cidr", "no prefix length"),
        ("2001:db8::7:443", "service", "is not HOST:PORT"),
        ("a b", "host", "holds a space"),
    ],
)
def test_a_text_that_does_not_fit_the_kind_said_is_refused(text, kind, message):
    with pytest.raises(TargetError, match=message):
        parse(text, kind)


@pytest.mark.parametrize("kind", [None, *(kind for kind in TARGET_KINDS if kind != "file")])
@pytest.mark.parametrize(
    "text", ["https://bob:hunter2@a.example/", "bob:hunter2@a.example", "x://bob:hunter2@h"]
)
def test_no_message_repeats_a_password(text, kind):
    with pytest.raises(TargetError) as caught:
        parse(text, kind)
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_long_text_is_clipped_in_the_message():
    with pytest.raises(TargetError) as caught:
        parse("a" * 300 + "!")
    assert len(caught.value.message) < 200


def test_a_network_of_mapped_addresses_is_the_ipv4_network():
    assert parse("::ffff:203.0.113.0/124") == Target(kind="cidr", value="203.0.113.0/28")


def test_plain_names_and_addresses_do_not_import_yarl_or_idna():
    code = (
        "import sys; from kastrun.targets import parse\n"
        "for text in 'a.example B.EXAMPLE. 203.0.113.7 ::1 10.0.0.0/8 a.example:1'.split(): parse(text)\n"
        "sys.exit('yarl' in sys.modules or 'idna' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "{}.", "0{}", "{}0", "{} ", "{}\n", "\u0661{}"]))
def test_the_quick_way_for_addresses_reads_no_more_than_the_exact_one(number: int, spelling: str) -> None:
    text = spelling.format(IPv4Address(number))
    try:
        exact = str(IPv4Address(text))
    except ValueError:
        exact = None
    assert is_plain_ipv4(text) == (exact is not None)
    if exact is not None:
        assert parse(text) == Target(kind="ip", value=exact, host=exact)
