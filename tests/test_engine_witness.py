"""What a plugin said, in its envelope: whole lines, in order, with members that cannot be forged."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from kastrun.bundle import bundle
from kastrun.engine.clock import Clock
from kastrun.engine.witness import Witness
from kastrun.model import Job
from kastrun.protocol import Decoder, fingerprint
from kastrun.protocol.messages import Finding
from kastrun.targets import parse

FINDING = {"type": "finding", "rule": "r", "title": "100 %b\n", "severity": "low", "location": {"port": 1}}
OTHERS = [
    {"type": "log", "level": "info", "message": "m"},
    {"type": "progress", "done": 1},
    {"type": "asset", "kind": "host", "value": "a.example"},
    {"type": "x-own", "a": 1},
    {"type": "artifact", "path": "p"},
]
TARGET = "https://a.example/%25b%41?q=%%"


class _Noon:
    """A clock that stands still."""

    def stamp(self, _: float) -> str:
        return "2026-11-23T12:00:00.000Z"


JOB = Job(
    id="j1", plugin="p", target=parse(TARGET), declared=TARGET, options={}, priority=50, order=1, awaited=True
)


def witness() -> Witness:
    return Witness(bundle([JOB]), cast("Clock", _Noon()))


@pytest.mark.parametrize("said", [[FINDING] * 3, [FINDING, *OTHERS, FINDING | {"key": "k"}], OTHERS, []])
def test_each_record_has_its_line_in_its_place(said: list[dict[str, Any]]) -> None:
    target = parse(TARGET).value
    decoder = Decoder(known_targets=frozenset({target}), output_bytes=1 << 20)
    heard = decoder.feed(b"".join(json.dumps(message).encode() + b"\n" for message in said), 0.0)
    subject = witness()
    batch = subject.records(heard, 0.0)
    lines = [json.loads(line) for line in batch.lines]
    kept = [message for message in said if message["type"] not in {"progress", "artifact"}]
    assert [line["type"] for line in lines] == [message["type"] for message in kept]
    messages = [message for _, own in batch.said for message in own]
    for line, message in zip(lines, messages, strict=True):
        assert (line["job"], line["plugin"], line["target"], line["attempt"]) == ("j1", "p", target, 1)
        assert line["at"] == "2026-11-23T12:00:00.000Z"
        if isinstance(message, Finding):
            assert line["fingerprint"] == fingerprint("p", target, message)
            assert (line["title"], line["location"]) == (FINDING["title"], {"port": 1})
    assert len(batch.facts) == sum(message["type"] == "progress" for message in said)
    assert list(subject.announced) == ["p"] * (OTHERS[-1] in said)
    assert [json.loads(line)["type"] for line in subject.kept(JOB)] == ["asset"] * (OTHERS[2] in said)
