"""`findings.csv`: for spreadsheets (RFC 4180); no cell is one that they run as a formula (CWE-1236)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from kastrun.report.view import View

COLUMNS: Final = (
    "severity",
    "title",
    "where",
    "target",
    "plugin",
    "rule",
    "incomplete",
    "accepted",
    "evidence",
    "remediation",
    "refs",
    "fingerprint",
    "at",
)
_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_LONG: Final = 1000
"""Of evidence: the rest is in `findings.jsonl`, and a spreadsheet's cell has an end."""


def chunks(view: View) -> Iterator[bytes]:
    """A header, then a row a finding."""
    yield _row(COLUMNS)
    for finding in view.findings():
        yield _row(
            (
                finding.severity,
                finding.title,
                finding.where,
                finding.target,
                finding.plugin,
                finding.rule,
                "yes" if finding.incomplete else "",
                finding.acceptance.reason if finding.acceptance and finding.accepted else "",
                finding.evidence[:_LONG],
                finding.remediation,
                " ".join(finding.refs),
                finding.fingerprint,
                finding.at,
            )
        )


class _Line:
    """What csv writes into: one row's text."""

    text = ""

    def write(self, text: str) -> None:
        self.text += text


def _row(cells: tuple[str, ...]) -> bytes:
    line = _Line()
    csv.writer(line, lineterminator="\r\n").writerow([defused(cell) for cell in cells])
    return line.text.encode(errors="replace")


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: a quote in front, as they do it themselves."""
    cell = cell.replace("\0", "\ufffd")
    return f"'{cell}" if cell.lstrip(" ").startswith(_STARTS) else cell
