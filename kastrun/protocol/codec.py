"""Bytes from a plugin's stdout in, messages out: framing, and the first breach. No I/O, no clock.

Here is decided where a line begins and ends; what it says is read in `certain` (fast, whole
blocks) or `exact` (one doubtful line), and what of it is kept is `intake`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from kastrun.model import Counts
from kastrun.protocol import certain, exact, explain
from kastrun.protocol.explain import Refused
from kastrun.protocol.intake import Heard, Intake
from kastrun.protocol.messages import Done
from kastrun.protocol.reasons import FAILURES

MAX_LINE: Final = 1024 * 1024
"""The most bytes of a line, its newline not counted."""

MAX_RECORDS: Final = 100_000
SHOWN_BYTES: Final = 512

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r"


class Breach(Struct, frozen=True, kw_only=True, gc=False):
    """The first rule that the plugin broke; it ended the job.

    `reason` is of protocol section 5. `line` is the start of the offending line (at most 512
    bytes of UTF-8, secrets taken out), `line_number` counts from 1.
    """

    reason: str
    message: str
    hint: str
    line: str
    line_number: int


class Decoder:
    """One job's stdout. Once `breach` is set, whatever else comes is ignored.

    `known_targets` are the values of the job's targets, `output_bytes` the most bytes of
    stdout, `secrets` the values to take out.
    """

    def __init__(
        self,
        *,
        known_targets: frozenset[str],
        output_bytes: int,
        max_records: int = MAX_RECORDS,
        secrets: Sequence[str] = (),
    ) -> None:
        self.breach: Breach | None = None
        self._intake = Intake(known_targets, max_records, secrets)
        self._redactor = self._intake.redactor
        self._room = output_bytes
        self._tail = bytearray()
        self._number = 0

    @property
    def done(self) -> Done | None:
        """The plugin's last word; it is not among the items."""
        return self._intake.done

    @property
    def counts(self) -> Counts:
        """How many items of each type there were, and how many `log` and `progress` were dropped."""
        return self._intake.counts

    @property
    def records(self) -> int:
        """Findings, assets, artifacts and `x-` messages; `log` and `progress` have a limit of their own."""
        return self._intake.records

    @property
    def warnings(self) -> dict[str, int]:
        """Words of section 5 (`utf8_replaced` `unknown_field` `dropped_messages`) to how often."""
        return self._intake.warnings

    @property
    def unknown_fields(self) -> list[str]:
        """The first names (paths) behind the warning `unknown_field`, each once."""
        return self._intake.unknown_fields

    def feed(self, data: bytes, now: float) -> Heard:
        """The messages that `data` completes, up to the first breach. `now`: seconds, monotonic."""
        heard = Heard()
        if self._ended():
            return heard
        too_much = len(data) > self._room
        if too_much:
            data = data[: self._room]
        self._room -= len(data)
        self._frame(data, now, heard)
        if len(self._tail) > MAX_LINE:
            self._line(bytes(self._tail), now, heard)
        if too_much and not self._ended():
            refused = explain.plain("too_much_output", "standard output is longer than the job may print")
            self._stop(refused, bytes(self._tail), self._number + 1)
        return heard

    def close(self, now: float) -> Heard:
        """Standard output has ended: a last line without a newline counts if it is whole."""
        heard = Heard()
        if self._tail:
            line, self._tail = bytes(self._tail), bytearray()
            self._line(line, now, heard, last=True)
        return heard

    def _ended(self) -> bool:
        return self.breach is not None

    def _frame(self, data: bytes, now: float, heard: Heard) -> None:
        cut = data.rfind(b"\n")
        if cut < 0:
            self._tail += data
            return
        block = bytes(self._tail) + data[:cut]
        self._tail = bytearray(data[cut + 1 :])
        lines = block.split(b"\n")
        if self._block(block, lines, now, heard):
            return
        for line in lines:
            self._line(line, now, heard)
            if self._ended():
                return

    def _block(self, block: bytes, lines: list[bytes], now: float, heard: Heard) -> bool:
        """Takes all lines at once where every one is certain. False: none was taken."""
        if len(block) > MAX_LINE and max(map(len, lines)) > MAX_LINE:
            return False
        read = certain.read(block, lines)
        if read is None or self._redactor.occurs(read[1]):
            return False
        taken, refused = self._intake.take_all(*read, now, heard)
        self._number += taken
        if refused is not None:
            self._stop(refused, lines[taken - 1], self._number)
        return True

    def _line(self, line: bytes, now: float, heard: Heard, *, last: bool = False) -> None:
        self._number += 1
        refused = self._judge(line[: MAX_LINE + 1], now, heard)
        if refused is None:
            return
        if last and refused.reason == "bad_json":
            refused = explain.plain("truncated_line", "standard output ended in the middle of this line")
        self._stop(refused, line, self._number)

    def _judge(self, line: bytes, now: float, heard: Heard) -> Refused | None:
        """One line: its frame (rule 1) and place (rule 5), then what it says."""
        text = line.removeprefix(_BOM) if self._number == 1 else line
        blank = not text.strip(_BLANK)
        if self.done is not None and not blank:
            return explain.plain("after_done", "a line came after `done`")
        if len(line) > MAX_LINE:
            return explain.plain("line_too_long", f"this line is longer than {MAX_LINE:,} bytes")
        if blank:
            return None
        read = certain.read(text, [text])
        if read is not None and not self._redactor.occurs(read[1]):
            return self._intake.take(read[0][0], read[1][:-1], now, heard)
        reading = exact.read(text)
        if isinstance(reading, Refused):
            return reading
        return self._intake.take_reading(reading, now, heard)

    def _stop(self, refused: Refused, line: bytes, number: int) -> None:
        self._tail = bytearray()
        shown = self._redactor.data(line)
        message, hint = refused.message, refused.hint
        if shown != line:  # the sentence may quote a piece of the secret that no longer looks like it
            message, hint = FAILURES[refused.reason]
        self.breach = Breach(
            reason=refused.reason,
            message=self._redactor.text(message),
            hint=self._redactor.text(hint),
            line=_shorten(shown),
            line_number=number,
        )


def _shorten(line: bytes) -> str:
    text = line[:SHOWN_BYTES].decode(errors="replace")
    return text.encode()[:SHOWN_BYTES].decode(errors="ignore")
