"""DNS messages (RFC 1035), as far as a stub needs them: a question in, an answer out. Pure.

Questions for addresses are answered from what is pinned; a known name has nothing else, and
an unknown one does not exist. What cannot be read gets no answer.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

A: Final = 1
AAAA: Final = 28
_NO_KIND: Final = 0
ANSWERED: Final = 0
FAILED: Final = 2
NO_SUCH_NAME: Final = 3

MOST_BYTES: Final = 512
"""Of an answer by UDP (RFC 1035 2.3.4)."""
_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHHIH")
_IS_ANSWER: Final = 0x8000
_OPCODE: Final = 0x7800
_TRUNCATED: Final = 0x0200
_RECURSION_WANTED: Final = 0x0100
_RECURSION_THERE: Final = 0x0080
_INTERNET: Final = 1
_LIVES_S: Final = 300
_MOST_NAME: Final = 255
_QUESTION_AT: Final = _HEADER.size
_PLAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class Question(NamedTuple):
    """One question; `name` is lower case, without the last dot."""

    id: int
    flags: int
    name: str
    kind: int
    raw: bytes

    @property
    def plain(self) -> bool:
        """Whether the name is one that a host may have."""
        return _PLAIN.fullmatch(self.name) is not None

    @property
    def reverse(self) -> tuple[int, int] | None:
        """The version and number of the address whose name is asked for."""
        *labels, zone, arpa = self.name.split(".") if self.name.count(".") > 1 else ("", "", "")
        try:
            if (zone, arpa, len(labels)) == ("in-addr", "arpa", 4):
                return 4, int.from_bytes(bytes(int(label) for label in reversed(labels)), "big")
            if (zone, arpa, len(labels)) == ("ip6", "arpa", 32):
                return 6, int("".join(reversed(labels)), 16)
        except ValueError:
            return None
        return None


def read(packet: bytes) -> Question | None:
    """The question of a packet; None where it holds none that has an answer."""
    if len(packet) < _HEADER.size:
        return None
    id_, flags, questions, *_ = _HEADER.unpack_from(packet)
    if flags & (_IS_ANSWER | _OPCODE) or questions != 1:
        return None
    labels: list[str] = []
    place = _QUESTION_AT
    while place < len(packet) and (size := packet[place]):
        if size > 63 or place - _QUESTION_AT > _MOST_NAME:
            return None
        label = packet[place + 1 : place + 1 + size]
        labels.append("".join(chr(byte) if 0x21 <= byte <= 0x7E else "?" for byte in label.lower()))
        place += 1 + size
    end = place + 5
    if end > len(packet):
        return None
    kind, class_ = struct.unpack_from("!HH", packet, place + 1)
    known = kind if class_ == _INTERNET else _NO_KIND
    return Question(id_, flags, ".".join(labels), known, packet[_QUESTION_AT:end])


def answer(question: Question, code: int, addresses: Iterable[str] = (), *, by_udp: bool) -> bytes:
    """The whole answer; by UDP, records that have no room are left out and it says so."""
    flags = _IS_ANSWER | _RECURSION_THERE | question.flags & _RECURSION_WANTED | code
    records = [_record(question.kind, each) for each in addresses if _kind(each) == question.kind]
    room = MOST_BYTES - _HEADER.size - len(question.raw)
    if by_udp and sum(map(len, records)) > room:
        flags |= _TRUNCATED
        records = []
    return _HEADER.pack(question.id, flags, 1, len(records), 0, 0) + question.raw + b"".join(records)


def _kind(address: str) -> int:
    return AAAA if ":" in address else A


def _record(kind: int, address: str) -> bytes:
    data = socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, address)
    name_is_the_question = 0xC000 | _QUESTION_AT
    return _RECORD.pack(name_is_the_question, kind, _INTERNET, _LIVES_S, len(data)) + data
