"""A baseline: the findings that people have accepted, each with a reason and perhaps a last day.

Floor 2, pure: a document to a Baseline or to everything that is wrong with it, and back to TOML.
Which file it is, and which day today is, others know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from kastrun.model import JsonObject, Problem, Severity
from kastrun.places import Notes, Nowhere, Source, in_order
from kastrun.schema import check

FORMAT: Final = 1
_HEAD: Final = """\
# Findings that are accepted, each with its reason. Edit `reason` and `until` (the last day on which it
# holds). `kastrun baseline RUN` adds what is new, keeps what is here, and drops comments: reasons stay.

"""


class Acceptance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding that is accepted. Only `fingerprint` and `until` decide; the rest is for people.

    `until` is the last day on which it holds.
    """

    fingerprint: str
    plugin: str = ""
    rule: str = ""
    target: str = ""
    title: str = ""
    severity: Severity | None = None
    reason: str
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it is accepted on that day."""
        return self.until is None or day <= self.until


class Baseline(Struct, frozen=True, kw_only=True):
    """What is accepted, by fingerprint, in the order of the file."""

    accepted: Mapping[str, Acceptance] = {}

    def ended(self, day: date) -> list[Acceptance]:
        """Those that do not hold any more."""
        return [each for each in self.accepted.values() if not each.holds(day)]

    def with_more(self, found: Iterable[Acceptance]) -> Baseline:
        """The same with those of `found` that it does not have; what it has stays as it is."""
        accepted = dict(self.accepted)
        for each in found:
            accepted.setdefault(each.fingerprint, each)
        return replace(self, accepted=accepted)


def parse(
    document: JsonObject, positions: Source | None = None, today: date | None = None
) -> tuple[Baseline | None, list[Problem]]:
    """The baseline that a document (of tomllib) holds; None where one of the problems is an error.

    With `today`, what has ended by then is a warning.
    """
    notes = Notes(positions or Nowhere())
    plain = {**document}
    if isinstance(accepted := plain.get("accepted"), list):
        plain["accepted"] = [_with_text(each) for each in accepted]
    if misfits := check("baseline", plain):
        notes.add_misfits(misfits)
        return None, in_order(notes.problems)
    found: dict[str, Acceptance] = {}
    for index, table in enumerate(plain.get("accepted", ())):
        until = _day(table.get("until"), index, notes)
        if table["fingerprint"] in found:
            message, hint = "this finding is accepted twice", "keep one of the two"
            notes.add(("accepted", index, "fingerprint"), "accepted_twice", message, hint=hint)
        found[table["fingerprint"]] = Acceptance(**{**table, "until": until})
    if today is not None:
        _note_ended(list(found.values()), today, notes)
    return None if notes.failed else Baseline(accepted=found), in_order(notes.problems)


def _note_ended(accepted: list[Acceptance], today: date, notes: Notes) -> None:
    ended = [index for index, each in enumerate(accepted) if not each.holds(today)]
    if ended:
        more = f", as do {len(ended) - 1:,} more" if len(ended) > 1 else ""
        message = f"this day is over: the finding counts again{more}"
        hint = "mend what was found, or move `until` to a later day"
        notes.add(("accepted", ended[0], "until"), "acceptance_ended", message, hint=hint, level="warning")


def _with_text(table: object) -> object:
    """A day of TOML's as the text that the schema speaks of; a moment is too long a text for it."""
    if isinstance(table, dict) and isinstance(until := table.get("until"), date):
        return {**table, "until": until.isoformat()}
    return table


def _day(text: str | None, index: int, notes: Notes) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        notes.add(("accepted", index, "until"), "bad_format", f"there is no day {text}")
        return None


def dump(baseline: Baseline) -> str:
    """Its TOML text, in the order in which it was accepted."""
    import tomli_w

    tables = [
        {name: value for name in each.__struct_fields__ if (value := getattr(each, name))}
        for each in baseline.accepted.values()
    ]
    return _HEAD + tomli_w.dumps({"schema": FORMAT, "accepted": tables})
