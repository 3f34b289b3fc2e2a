"""The last thing a run says: verdict and coverage first, the exit code's reason last.

Pure: tally in, rich renderables out, laid out for the console that prints them (80 columns
in a pipe). In between comes what a person needs: findings by rule, failures with what to do,
the slowest jobs, times by plugin, what was left out, and where everything is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kastrun.facts import JobEnded
from kastrun.protocol.reasons import SKIPS, WARNINGS
from kastrun.tally import Coverage, ExitCode, Finding, Tally, coverage
from kastrun.terminal.failure import details, headline
from kastrun.terminal.layout import facts, grid, more, section
from kastrun.terminal.wording import SEVERITY_STYLE, clean, span

_FINDINGS: Final = 20
_IN_FULL: Final = 5
_IN_LINES: Final = 20
_LEFT_OUT: Final = 10
_WORDS: Final = {"fail": "failed"}
_CONTACTS: Final = {
    "refused": ("refused", "yellow"),
    "audited": ("out of scope", "yellow"),
    "allowed": ("contacted", "dim"),
}
_VERDICTS: Final = {
    0: ("Passed", "bold green"),
    1: ("Failed on findings", "bold red"),
    3: ("Incomplete", "bold yellow"),
    5: ("Stopped", "bold red"),
    70: ("Crashed", "bold red"),
    130: ("Interrupted", "bold yellow"),
}


def summary(
    tally: Tally,
    code: ExitCode,
    *,
    folder: str,
    reports: Sequence[str] = (),
    verbose: bool = False,
    quiet: bool = False,
) -> RenderableType:
    """Everything to print at the end; `folder` and `reports` are as the user would type them.

    `quiet` leaves the verdict and the exit code, `verbose` lists all that was kept.
    """
    cover = coverage(tally)
    first, last = _verdict(tally, code, cover), _exit(code)
    if quiet:
        return Group(first, last)
    parts = [
        _findings(tally, verbose),
        _failures(tally, verbose),
        *_times(tally),
        _network(tally),
        _discovered(tally),
        _asides(tally),
        _left_out(tally, verbose),
    ]
    blocks = [block for part in parts if part is not None for block in (Text(), part)]
    return Group(Text(), first, *blocks, Text(), _where(code, folder, reports, cover), last)


def _verdict(tally: Tally, code: ExitCode, cover: Coverage) -> Text:
    word, style = _VERDICTS[code.code]
    line = Text(f"{word}: ", style=style).append(cover.sentence(), style="not bold default")
    counts = tally.severities()
    line.append("\n" if counts else "\nno findings", style="not bold default")
    for place, (severity, count) in enumerate(counts.items()):
        line.append(", " if place else "", style="not bold default")
        line.append(f"{count:,} {severity}", style=f"not bold default {SEVERITY_STYLE[severity]}")
    if accepted := sum(tally.severities(accepted=True).values()):
        line.append(f" ({accepted:,} of them accepted in the baseline)", style="not bold dim")
    return line.append(f"; took {span(tally.duration_s())}", style="not bold default")


def _exit(code: ExitCode) -> RenderableType:
    return facts([(f"Exit code {code.code}", Text(f"{clean(code.why)}."))])


# Findings


def _findings(tally: Tally, verbose: bool) -> RenderableType | None:
    groups = tally.findings()
    if not groups:
        return None
    shown = groups if verbose else groups[:_FINDINGS]
    rest = sum(group.count for group in groups[len(shown) :])
    table = grid(3)
    for group in shown:
        table.add_row(*_finding(group))
    total = sum(group.count for group in groups)
    body: list[RenderableType] = [table, *more(rest, "more finding")]
    if incomplete := tally.incomplete_findings():
        body.append(
            Text(f"{incomplete:,} of them from jobs that did not end ok: there may be more", style="yellow")
        )
    return section(f"Findings ({total:,})", body)


def _finding(group: Finding) -> tuple[Text, Text, Text]:
    style = "dim" if group.accepted else SEVERITY_STYLE[group.severity]
    what = Text(clean(group.title, 200), style="" if group.rule else "dim")
    if group.accepted:
        what.append(" (accepted in the baseline)", style="dim")
    where = ", ".join(clean(target, 80) for target in group.targets)
    where += " and elsewhere" if group.count > len(group.targets) and len(group.targets) > 2 else ""
    source = f"{clean(group.plugin)} {clean(group.rule, 60)}: " if group.rule else ""
    what.append(f"\n{source}{where}", style="dim")
    return Text(group.severity, style=style), Text(f"{group.count:,}×"), what


# Failures


def _failures(tally: Tally, verbose: bool) -> RenderableType | None:
    if not tally.failures:
        return None
    facts = list(tally.failures.values())
    full = facts if verbose else _one_of_each(facts)[:_IN_FULL]
    brief = [fact for fact in facts if fact not in full][:_IN_LINES]
    cover = coverage(tally)
    total = cover.failed + cover.partial
    body: list[RenderableType] = [_failure(fact, verbose) for fact in full]
    body += [_heading(fact, with_message=True) for fact in brief]
    body += more(total - len(full) - len(brief), "more failure")
    return section(f"Failures ({total:,})", body)


def _one_of_each(facts: list[JobEnded]) -> list[JobEnded]:
    """The first failure of each plugin and reason: what ten thousand of them have to say is said once."""
    first: dict[tuple[str, str | None], JobEnded] = {}
    for fact in facts:
        first.setdefault((fact.plugin, fact.reason), fact)
    return list(first.values())


def _failure(fact: JobEnded, verbose: bool) -> RenderableType:
    message = headline(fact)[2]
    lines = [Text(message)] if message else []
    lines += [Text(line, style=style) for style, line in details(fact, verbose=verbose)]
    return Group(_heading(fact, with_message=False), *(Padding(line, (0, 0, 0, 2)) for line in lines))


def _heading(fact: JobEnded, *, with_message: bool) -> Text:
    what, reason, message = headline(fact)
    line = Text(what, style="bold").append(" ").append(reason, style="not bold red")
    line.append(" (partial)" if fact.status == "partial" else "", style="not bold yellow")
    return line.append(f": {message}" if message and with_message else "", style="not bold")


# Times


def _times(tally: Tally) -> list[RenderableType]:
    """The slowest jobs and the plugins' times; a run of one job says neither."""
    if tally.ran < 2:
        return []
    slow = grid(4, "right")
    for job in tally.slowest()[:5]:
        status = "" if job.status == "ok" else _WORDS.get(job.status, job.status)
        slow.add_row(
            span(job.duration_s), clean(job.plugin), Text(clean(job.target, 200)), Text(status, style="red")
        )
    return [section("Slowest jobs", [slow]), section("Plugins", [_plugins(tally)])]


def _plugins(tally: Tally) -> Table:
    ended: dict[str, dict[str, int]] = {}
    for outcome in tally.outcomes():
        of = ended.setdefault(outcome.plugin, {})
        of[outcome.status] = of.get(outcome.status, 0) + outcome.count
    table = grid(3, "right")
    by_time = sorted(ended, key=lambda name: -tally.plugins[name].busy_s if name in tally.plugins else 0.0)
    for name in by_time:
        times = tally.plugins.get(name)
        busy = span(times.busy_s) if times is not None else "–"
        table.add_row(*map(Text, (busy, clean(name), _statuses(ended[name]))))
    return table


def _statuses(counts: dict[str, int]) -> str:
    order = ("ok", "fail", "partial", "skipped", "cancelled")
    return ", ".join(
        f"{counts[status]:,} {_WORDS.get(status, status)}" for status in order if status in counts
    )


# Network


def _network(tally: Tally) -> RenderableType | None:
    """What each plugin contacted, and first what it was refused."""
    contacts = tally.network.contacts()
    if not contacts:
        return None
    table = grid(4, "right")
    for each in contacts:
        word, style = _CONTACTS[each.verdict]
        where = ", ".join(clean(text, 80) for text in each.destinations)
        more = f" and {each.more:,} more" if each.more else ""
        table.add_row(
            Text(f"{each.count:,}×"), Text(word, style=style), clean(each.plugin), Text(where + more)
        )
    return section("Network", [table])


# What was skipped or left out, and where to go from here


def _asides(tally: Tally) -> RenderableType | None:
    """Skipped jobs by reason and warnings by kind, each with what it means."""
    skipped: dict[str, int] = {}
    for outcome in tally.outcomes():
        if outcome.status == "skipped":
            reason = outcome.reason or "plugin_skipped"
            skipped[reason] = skipped.get(reason, 0) + outcome.count
    table = grid(3, "right")
    for counts, meanings in ((skipped, SKIPS), (tally.warnings, WARNINGS)):
        for reason, count in counts.items():
            what = meanings[reason].what if reason in meanings else ""
            table.add_row(Text(f"{count:,}×"), Text(clean(reason)), Text(what, style="dim"))
    return section("Skipped jobs and warnings", [table]) if table.row_count else None


def _discovered(tally: Tally) -> RenderableType | None:
    """What became of what was found: targets, or why not."""
    if not (followed := tally.followed):
        return None
    table = grid(3, "right")
    for count, reason, meaning, example in followed.rest():
        what = Text(meaning, style="dim").append(f", such as {clean(example, 120)}")
        table.add_row(Text(f"{count:,}×"), Text(reason), what)
    return section("Discovered", [Text(followed.sentence()), *([table] if table.row_count else [])])


def _left_out(tally: Tally, verbose: bool) -> RenderableType | None:
    if tally.run is None or not tally.run.left_out:
        return None
    left_out = tally.run.left_out
    shown = left_out if verbose else left_out[:_LEFT_OUT]
    table = grid(3)
    for entry in shown:
        whom = " ".join(clean(part, 80) for part in (entry.plugin, entry.target) if part)
        table.add_row(Text(whom), Text(clean(entry.reason)), Text(clean(entry.message)))
    rest = len(left_out) - len(shown)
    more = [Text(f"and {rest:,} more", style="dim")] if rest else []
    return section(f"Left out ({len(left_out):,})", [table, *more])


def _where(code: ExitCode, folder: str, reports: Sequence[str], cover: Coverage) -> Table:
    rows = [("Run folder", Text(clean(folder, 4096)))]
    rows += [("Report", Text(clean(path, 4096))) for path in reports]
    rows.append(("See more", _command("show", folder)))
    if code.code in (5, 130) or cover.not_run or cover.cancelled:
        rows.append(("Go on", _command("resume", folder)))
    elif cover.failed or cover.partial or cover.upstream_failed:
        rows.append(("Try again", _command("resume", folder, "--retry-failed")))
    return facts(rows)


def _command(verb: str, folder: str, *flags: str) -> Text:
    return Text(" ".join(["kastrun", verb, clean(folder, 4096), *flags]), style="cyan")
