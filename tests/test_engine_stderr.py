"""What is kept of a plugin's stderr: its head, its tail, and never a secret."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kastrun.engine.stderr import HEAD, TAIL, Stderr


def heard(data: bytes, size: int, *secrets: str) -> str:
    stderr = Stderr(secrets)
    for start in range(0, len(data), size):
        stderr.feed(data[start : start + size])
    return stderr.text()


@pytest.mark.parametrize("size", [1000, 65536, 10_000_000])
@pytest.mark.parametrize("length", [0, 1, HEAD, HEAD + 1, HEAD + TAIL])
def test_what_fits_is_kept_whole(length: int, size: int) -> None:
    assert heard(b"x" * length, size) == "x" * length


@pytest.mark.parametrize("size", [1000, 65536, 10_000_000])
def test_the_middle_is_left_out_and_counted(size: int) -> None:
    data = b"h" * HEAD + b"m" * 123_456 + b"t" * TAIL
    assert heard(data, size) == "h" * HEAD + "\n… 123456 bytes left out …\n" + "t" * TAIL


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert heard(b"a\xffb", 10) == "a\ufffdb"


@given(
    st.lists(
        st.sampled_from([b"s3cret", b"s3cre", b"t", b"x", b"\xff", b"s3cret-longer", b"\n"]), max_size=40
    ),
    st.integers(1, 9),
)
@settings(max_examples=200)
def test_a_secret_is_found_wherever_reads_cut_it(pieces: list[bytes], size: int) -> None:
    said = heard(b"".join(pieces), size, "s3cret", "s3cret-longer")
    assert "s3cret" not in said
    assert heard(b"".join(pieces), size, "absent").encode(errors="replace").count(b"s3cret") == b"".join(
        pieces
    ).count(b"s3cret")


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 20])
def test_a_secret_at_the_edge_of_what_is_kept_is_not_half_kept(size: int) -> None:
    secret = "s3cret-value"
    for at in (HEAD - 5, HEAD, HEAD + 5):
        data = b"h" * at + secret.encode() + b"t" * (TAIL + 100)
        said = heard(data, size, secret)
        assert "s3c" not in said and "lue" not in said


@pytest.mark.parametrize("secret", ["", "a", "\udcff\udcfe bytes", "tökèn"])
def test_odd_secrets_do_no_harm(secret: str) -> None:
    assert heard(b"a banner\n", 3, secret) == "a banner\n"


def test_a_secret_escaped_as_json_is_found() -> None:
    assert "k" not in heard(b'{"t": "t\\u00f6k\\u00e8n"}', 4, "tökèn")
