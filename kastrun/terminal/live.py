"""The live view as a pure function: a tally and a moment in, lines that fit the terminal out.

No clock, no file, no thread: `writer` puts on the screen what `render` gives. Every line is
a rich Text, never markup, because what a plugin says must not be able to style itself.
"""

from __future__ import annotations

from typing import Final

from rich.console import Group
from rich.text import Text

from kastrun.tally import Running, Tally, moment
from kastrun.terminal.choice import Choice, processes
from kastrun.terminal.pace import left_s
from kastrun.terminal.plain import done_of, troubles
from kastrun.terminal.wording import SEVERITY_STYLE, about, clean, clock

_GAP: Final = 2


def render(
    tally: Tally,
    now: float,
    width: int,
    height: int,
    *,
    ascii_only: bool = False,
    choice: Choice | None = None,
) -> Group:
    """The live view at `now` (seconds since 1970), at most `height` lines of `width` cells.

    Running jobs get what the bar, the findings and the failures leave; the oldest come
    first, because the one that hangs is among them. `ascii_only` avoids characters that the
    terminal's encoding lacks.
    """
    head = [_bar_line(tally, now, width, ascii_only)]
    if height >= 3:
        head.append(_standing(tally))
    foot = [_failure_line(tally)] if tally.failures and height >= 5 else []
    chosen = choice.chosen(processes(tally)) if choice else None
    if choice is not None and chosen is not None and height >= 4:
        foot.append(_question(chosen, asking=choice.asking))
    room = max(0, height - len(head) - len(foot))
    body = _running_lines(tally, now, width, room, ascii_only, chosen)
    lines = [*head, *body, *foot][: max(1, height)]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
        if ascii_only:
            line.plain = line.plain.replace("…", "~").encode("ascii", "replace").decode()
    return Group(*lines)


def _bar_line(tally: Tally, now: float, width: int, ascii_only: bool) -> Text:
    """``shop ━━━━━━━━──────── 120/400 30 % 1:32 about 4 min left``: the bar takes what is left."""
    planned = tally.planned()
    left = None if tally.held else left_s(tally, now)
    after = [done_of(tally), f"{100 * tally.ended() // planned} %" if planned else "jobs"]
    after.append(clock(tally.duration_s(now)))
    after += [about(left)] if left is not None and width >= 60 else []
    tail = "  ".join(after)
    name = clean(tally.run.name, max(8, width // 4)) if tally.run is not None else ""
    room = width - len(tail) - len(name) - 2 * _GAP
    line = Text(name, style="bold")
    if planned and room >= 8:
        line.append("  ").append_text(_bar(tally.ended(), planned, min(room, 60), ascii_only))
    return line.append("  " + tail, style="not bold")


def _bar(done: int, total: int, cells: int, ascii_only: bool) -> Text:
    filled = cells * min(max(done, 0), total) // total
    full, empty = ("#", "-") if ascii_only else ("━", "─")
    return Text(full * filled, style="not bold green").append(
        empty * (cells - filled), style="not bold bright_black"
    )


def _standing(tally: Tally) -> Text:
    line = Text("findings ", style="")
    counts = tally.severities()
    for place, (severity, count) in enumerate(counts.items()):
        line.append("  " if place else "").append(f"{count:,} {severity}", style=SEVERITY_STYLE[severity])
    if not counts:
        line.append("none yet", style="dim")
    for trouble in troubles(tally):
        bad = not trouble.endswith(" skipped")
        line.append("   ").append(trouble, style="red" if bad else "dim")
    line.append(f"   {len(tally.running):,} running", style="dim")
    if tally.again:
        line.append(f"   {len(tally.again):,} to be tried again", style="dim")
    return line.append(f"   {tally.held}", style="yellow") if tally.held else line


def _failure_line(tally: Tally) -> Text:
    """How jobs failed, by reason, and the latest of them; each was printed above when it came."""
    reasons: dict[str, int] = {}
    for outcome in tally.outcomes():
        if outcome.status in ("fail", "partial"):
            reason = outcome.reason or outcome.status
            reasons[reason] = reasons.get(reason, 0) + outcome.count
    often = sorted(reasons.items(), key=lambda item: -item[1])
    line = Text("failed ", style="red")
    line.append(", ".join(f"{count:,} {clean(reason)}" for reason, count in often[:3]))
    latest = next(reversed(tally.failures.values()))
    return line.append(f"; last {clean(latest.plugin)} {clean(latest.target)}", style="dim")


def _question(chosen: Running, *, asking: bool) -> Text:
    whom = f"{clean(chosen.plugin)} {_whom(chosen)}"
    if asking:
        return Text(f"give up {whom}? y: yes, any other key: no", style="bold yellow")
    return Text("arrows: another, k: give this one up, Esc: none", style="dim")


def _running_lines(
    tally: Tally, now: float, width: int, room: int, ascii_only: bool, chosen: Running | None
) -> list[Text]:
    running = processes(tally)
    many = max(0, room - 1) if len(running) > room else len(running)
    first = max(0, running.index(chosen) - many + 1) if chosen is not None and many else 0
    shown = running[first : first + many]
    columns = _Columns(shown, now, width)
    lines = [columns.line(job, now, ascii_only, chosen=job is chosen) for job in shown]
    if len(running) > len(shown) and room:
        more = sum(job.batch for job in running) - sum(job.batch for job in shown)
        lines.append(Text(f"  and {more:,} more running", style="dim"))
    return lines


def _whom(job: Running) -> str:
    """The target, and how many others share the process."""
    return clean(job.target) + (f" +{job.batch - 1:,}" if job.batch > 1 else "")


class _Columns:
    """How the width is shared among plugin, target, elapsed, own progress and last message."""

    def __init__(self, jobs: list[Running], now: float, width: int) -> None:
        self.plugin = min(max((len(job.plugin) for job in jobs), default=0), 16, max(8, width // 6))
        self.progress = 22 if width >= 100 else 11 if width >= 60 else 0
        self.elapsed = max((len(clock(now - moment(job.at))) for job in jobs), default=0)
        rest = width - 2 - self.plugin - _GAP - self.elapsed - _GAP
        rest -= self.progress + _GAP if self.progress else 0
        longest = max((len(_whom(job)) for job in jobs), default=0)
        self.target = max(8, min(longest, rest if width < 70 else rest * 3 // 4))
        self.message = max(0, rest - self.target)

    def line(self, job: Running, now: float, ascii_only: bool, *, chosen: bool = False) -> Text:
        """One running job: ``  nmap  https://a.example  0:32  ━━━━──── 45/100  scanning``."""
        elapsed = now - moment(job.at)
        late = elapsed > 0.8 * job.deadline_s
        line = Text("> " if chosen else "  ").append_text(_fit(clean(job.plugin), self.plugin, "bold"))
        line.append("  ").append_text(_fit(_middle(_whom(job), self.target), self.target))
        line.append("  ").append(clock(elapsed).rjust(self.elapsed), style="yellow" if late else "dim")
        if self.progress:
            line.append("  ").append_text(_progress(job, self.progress, ascii_only))
        if self.message > 8:
            line.append("  ").append(clean(job.message, self.message - _GAP), style="dim")
        line.rstrip()
        if chosen:
            line.stylize("reverse")
        return line


def _fit(text: str, cells: int, style: str = "") -> Text:
    fitted = Text(text, style=style)
    fitted.truncate(cells, overflow="ellipsis", pad=True)
    return fitted


def _middle(text: str, cells: int) -> str:
    """Cut in the middle: targets of one run begin alike, and differ in the path."""
    if len(text) <= cells:
        return text
    tail = cells * 3 // 5
    return f"{text[: cells - tail - 1]}…{text[len(text) - tail :]}"


def _progress(job: Running, cells: int, ascii_only: bool) -> Text:
    """A plugin's own progress: bar and count where there is room; its numbers may be any."""
    if job.done is None:
        return Text(" " * cells)
    if not job.total or job.total < 0:
        return _fit(f"{job.done:,} done", cells)
    done = min(max(job.done, 0), job.total)
    count = f"{done}/{job.total}"
    if len(count) > 11:
        count = f"{100 * done // job.total} %"
    bar = cells - 12
    if bar < 6:
        return _fit(count, cells)
    return _bar(done, job.total, bar, ascii_only).append(" ").append_text(_fit(count, 11, "not bold"))
