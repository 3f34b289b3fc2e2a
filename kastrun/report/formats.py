"""The formats that a run can be written in: for each its file, its maker, and what it is for.

Makers are imported when they are asked for: some bring a library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Final, NamedTuple

from kastrun.report.view import View


class Format(NamedTuple):
    """One of them. `module` is below `kastrun.report`, and has `chunks(view)`."""

    file: str
    module: str
    purpose: str

    def chunks(self, view: View) -> Iterator[bytes]:
        """The file's content, in pieces; the same to the byte for the same journal."""
        make: Callable[[View], Iterator[bytes]] = import_module(f"kastrun.report.{self.module}").chunks
        return make(view)


FORMATS: Final = {
    "html": Format("report.html", "page", "one page for people, readable from a mail attachment"),
    "markdown": Format("report.md", "markdown", "pull-request comments, tickets, a CI's job summary"),
    "jsonl": Format("findings.jsonl", "jsonl", "one finding a line: pipes, jq, DuckDB"),
    "csv": Format("findings.csv", "csv_table", "spreadsheets"),
    "junit": Format("junit.xml", "junit", "the test tabs of GitLab, Jenkins and others"),
    "sarif": Format("findings.sarif", "sarif", "code-scanning pages, editors"),
    "defectdojo": Format("defectdojo.json", "defectdojo", "DefectDojo's Generic Findings Import"),
    "trace": Format("trace.json", "trace", "Perfetto, chrome://tracing: when each job ran"),
}
