"""`kastrun baseline RUN`: accept what a run has found, each finding with a reason, in a file for git."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from kastrun import baseline, files, record
from kastrun.baseline import Acceptance, Baseline
from kastrun.cli import common
from kastrun.errors import ProfileError, UsageError
from kastrun.record.view import view
from kastrun.report.view import View
from kastrun.terminal.wording import clean, counted

FILE = "baseline.toml"
_LONG = 200
"""Of a title, which is there for people; a plugin may say a megabyte."""


def serve(options: argparse.Namespace) -> int:
    """Add what the baseline does not have yet; what it has stays as it is."""
    seen = view(common.run_folder(options.run))
    reason = _reason(options.reason, seen)
    until = _until(options.until)
    path = Path(options.output or _own(seen) or FILE)
    before = _read(path)
    found = list(_found(seen, options.only, reason, until))
    after = before.with_more(found)
    _write(path, after)
    shown = common.shown(path)
    _warn(seen, shown, after)
    _tell(options, shown, before, after, {each.fingerprint for each in found})
    return 0


def _reason(given: str | None, seen: View) -> str:
    if given is None:
        return f"was there in run {seen.run.run} already; nobody has looked into it yet"
    if given.strip():
        return given
    raise UsageError("--reason is empty", hint="say why it is accepted: the report shows it")


def _until(given: str | None) -> date | None:
    """The day of `--until`. Raises UsageError where that is none, or is over."""
    if given is None:
        return None
    hint = "a day such as 2026-12-31, the last on which it is accepted"
    try:
        day = date.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"--until {given}: this is no day", hint=hint) from error
    if day < datetime.now(UTC).date():
        raise UsageError(f"--until {given}: this day is over", hint=hint)
    return day


def _own(seen: View) -> str | None:
    """The baseline of the run's own profile, where its folder is on this machine."""
    path = seen.run.baseline or None
    return path if path is not None and Path(path).parent.is_dir() else None


def _read(path: Path) -> Baseline:
    if not path.exists():
        return Baseline()
    found, problems = files.read_baseline(str(path))
    if found is None:
        raise ProfileError(problems)
    return found


def _found(seen: View, only: list[str], reason: str, until: date | None) -> Iterator[Acceptance]:
    """What the run has found of what is meant. Raises UsageError where `--only` means nothing of it."""
    wanted = [name for each in only for name in each.split(",") if name]
    unseen = set(wanted)
    for finding in seen.findings():
        names = {finding.plugin, finding.name, finding.fingerprint}
        unseen -= names
        if not wanted or not names.isdisjoint(wanted):
            yield Acceptance(
                fingerprint=finding.fingerprint,
                plugin=finding.plugin,
                rule=finding.rule,
                target=finding.target,
                title=finding.title[:_LONG],
                severity=finding.severity,
                reason=reason,
                until=until,
            )
    if unseen:
        raise UsageError(
            f"--only {clean(', '.join(sorted(unseen)))}: the run has found nothing of that name",
            hint="a plugin, PLUGIN.RULE or a fingerprint; `kastrun report RUN --format jsonl -o -` has them",
        )


def _write(path: Path, after: Baseline) -> None:
    """Raises UsageError where nobody could read it again, and JournalError where it cannot be written."""
    text = baseline.dump(after).encode(errors="replace")
    if len(text) > files.LIMIT_BYTES:
        raise UsageError(
            f"a baseline of {len(after.accepted):,} findings would be larger than "
            f"{files.LIMIT_BYTES // 2**20} MiB, which is not read",
            hint="narrow it with --only, or mend a rule that is found everywhere",
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be made: its folder is not there", hint="name another with -o FILE")
    record.write(path.resolve(), [text])  # not over a link: what it leads to is meant


def _warn(seen: View, shown: str, after: Baseline) -> None:
    if not seen.coverage.complete:
        sys.stderr.write(
            f"warning: the run is incomplete ({seen.coverage.sentence()}): there may be more to accept\n"
        )
    if ended := len(after.ended(datetime.now(UTC).date())):
        sys.stderr.write(
            f"warning: {counted(ended, 'acceptance')} in {shown} ended and stayed as before: move `until`\n"
        )
    if not seen.run.baseline:
        sys.stderr.write(f'note: a profile uses it with `baseline = "{shown}"` under [output]\n')


def _tell(
    options: argparse.Namespace, shown: str, before: Baseline, after: Baseline, found: set[str]
) -> None:
    added = len(after.accepted) - len(before.accepted)
    absent = sum(fingerprint not in found for fingerprint in before.accepted)
    if options.json:
        numbers = {"added": added, "kept": len(before.accepted), "kept_not_found": absent}
        common.print_json({"file": shown, **numbers})
        return
    kept = f"{len(before.accepted):,} kept"
    kept += f", {absent:,} of which this run has not found" if absent and not options.only else ""
    sys.stdout.write(f"{shown}: {added:,} added, {kept}\n")
