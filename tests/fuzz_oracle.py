"""What must hold of the decoder for any bytes: asked by hypothesis, by atheris, and of what they found.

Each function takes bytes and raises AssertionError, or whatever escaped, where it does not hold.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from kastrun.protocol import Decoder, certain, codec, exact, strict_json
from kastrun.protocol.explain import Refused
from kastrun.protocol.reasons import FAILURES

TARGETS: Final = (frozenset({"https://a.example/"}), frozenset({"https://a.example/", "t"}))
SECRET: Final = 's3cret"\\é'
SHORT_LINE: Final = 1100
"""Twice what a breach shows of a line, so that the end of the line does not show."""


def certain_is_exact(raw: bytes, lines: list[bytes]) -> None:
    """What the fast way takes, the exact reader takes, and it says the same."""
    fast = certain.read(raw, lines)
    if fast is None:
        return
    messages, encoded = fast
    assert encoded.endswith(b"\n")
    for line, message, encoding in zip(lines, messages, encoded[:-1].split(b"\n"), strict=True):
        reading = exact.read(line)
        assert not isinstance(reading, Refused), reading
        assert reading == (message, {}, (), False)
        assert certain.encode(reading.message) == encoding


def exact_is_json(line: bytes) -> None:
    """What the exact reader takes, Python's own takes too, and reads the same where nothing was replaced."""
    try:
        document, replaced = strict_json.read(line)
    except strict_json.BadJson:
        assert isinstance(exact.read(line), Refused)
        return
    again = msgspec.json.encode(document)
    assert msgspec.json.decode(again) == document
    if not replaced:
        assert json.loads(line) == document
    assert len(again) < 8 * len(line) + 8


def heard(
    chunks: list[bytes], *, short: bool = True, secrets: tuple[str, ...] = (), two: bool = False
) -> Any:
    """All that a decoder says of these reads; with `short` its limits are low, so that they are met."""
    of = Decoder(
        known_targets=TARGETS[two],
        output_bytes=2500 if short else 1 << 28,
        max_records=8 if short else codec.MAX_RECORDS,
        secrets=secrets,
    )
    items = [item for chunk in chunks for item in of.feed(chunk, 0.0)]
    items += of.close(0.0)
    for _, body in items:
        json.loads(b'{"seq":1' + body)
    if of.breach is not None:
        assert of.breach.reason in FAILURES and of.breach.message and of.breach.hint
        assert len(of.breach.line.encode()) <= codec.SHOWN_BYTES
        assert not of.feed(b'{"type":"progress"}\n', 0.0).messages
    return items, of.breach, of.done, of.counts, of.records, of.warnings, of.unknown_fields


def cuts_make_no_difference(stream: bytes, cuts: list[int], **options: Any) -> None:
    """Wherever reads divide a stream, the decoder says the same."""
    edges = sorted({cut % (len(stream) + 1) for cut in cuts})
    chunks = [stream[start:end] for start, end in zip([0, *edges], [*edges, len(stream)], strict=True)]
    assert heard(chunks, **options) == heard([stream], **options)


def secrets_are_nowhere(stream: bytes) -> None:
    """A secret that a plugin prints, raw or as JSON has it, is in nothing that is kept."""
    items, breach, done, *_, unknown = heard([stream], secrets=(SECRET,))
    told = [json.loads(b'{"seq":1' + body) for _, body in items]
    told += [msgspec.to_builtins(breach), msgspec.to_builtins(done), unknown]
    assert SECRET not in json.dumps(told, ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")


def everything(data: bytes) -> None:
    """All of it, for one input of a fuzzer: a line of settings (how to cut), then a stream."""
    settings, _, stream = data.partition(b"\n")
    lines = stream.split(b"\n")
    certain_is_exact(stream, lines)
    for line in lines:
        certain_is_exact(line, [line])
        exact_is_json(line)
    options = {"two": bool(settings[:1] > b"m"), "secrets": (SECRET,) if settings[1:2] > b"m" else ()}
    cuts_make_no_difference(stream, [7 * each for each in settings[2:10]], **options)
    newlines = [at + 1 for at, byte in enumerate(stream) if byte == ord("\n")]
    cuts_make_no_difference(stream, newlines, **options)  # line by line, where a read is taken as a block
    if options["secrets"]:
        secrets_are_nowhere(stream)
