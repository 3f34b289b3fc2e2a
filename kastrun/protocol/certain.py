r"""The fast way from a line to a message, and the test of whether it may be trusted.

A line is decoded by its type and encoded again, which the journal needs anyway. It is
*certain*, and needs no exact reading, where the decoder took it and

- its encoding has as many quotes as the line. A duplicate or unknown member is dropped by the
  decoder and takes at least its key's two quotes with it, and an encoding has never more
  quotes than its line, unless the line wrote one as `\u0022`. A finding's encoding is never
  longer than its line either (there is no number in it that could be written at more length),
  so where findings are as long as their lines, nothing was dropped and nothing need be counted;
- it has neither `\u0022` nor `\u0000`;
- where free JSON is allowed (`attrs`), it has at most 32 brackets and no run of 16 digits.

What the decoder refuses (NaN, 1e999, lone surrogates, invalid UTF-8) is in doubt too. In
doubt the exact reader decides; tests/test_protocol_exact.py holds the two together.
"""

from __future__ import annotations

from typing import Final

import msgspec

from kastrun.protocol.messages import Asset, Finding, Known
from kastrun.protocol.strict_json import MAX_DEPTH

_DOUBT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DIGITS: Final = bytes(ord("0") if ord("0") <= byte <= ord("9") else byte for byte in range(256))
_LONG_NUMBER: Final = b"0" * 16

encode: Final = msgspec.json.Encoder().encode
"""A message, or free JSON, as compact JSON in the order of its type's members."""

_encode_lines: Final = msgspec.json.Encoder().encode_lines
_decode: Final = msgspec.json.Decoder(Known).decode


def read(raw: bytes, lines: list[bytes]) -> tuple[list[Known], bytes] | None:
    """The messages on `lines` and their encodings, a newline after each; None where any is in doubt.

    `raw` is the lines joined by newlines: counting once over all of them is what makes the
    test cheap. No line loses quotes silently to another's gain, since none can gain any.
    """
    try:
        messages = list(map(_decode, lines))
    except _DOUBT:
        return None
    encoded = _encode_lines(messages)
    kinds = set(map(type, messages))
    as_long = kinds == {Finding} and len(encoded) == len(raw) + 1
    if not as_long and raw.count(b'"') != encoded.count(b'"'):
        return None
    if b"\\" in raw and (b"\\u0022" in raw or b"\\u0000" in raw):
        return None
    if Asset in kinds and b'"attrs":' in encoded and not _plain(encoded):
        return None
    return messages, encoded


def _plain(encoded: bytes) -> bool:
    """Whether free JSON in these encodings is surely shallow, and its integers small."""
    if _LONG_NUMBER in encoded.translate(_DIGITS):
        return False
    return all(text.count(b"{") + text.count(b"[") <= MAX_DEPTH for text in encoded.split(b"\n"))
