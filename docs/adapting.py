"""Adaptive workers simulated, and drawn: `python docs/adapting.py` writes the plots of scheduling.md.

The controller is kastrun's own (`kastrun/adapt.py`); machine, jobs and clock are made up. A
machine takes so many jobs before they wait for each other; what the kernel says of that lags
behind, as its averages over ten seconds do. tests/test_adapt.py holds what the plots show.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import NamedTuple

from kastrun.adapt import LOOK_S, Pauses, Signs, Workers

DOCS = Path(__file__).resolve().parent


class Point(NamedTuple):
    """A moment: how many workers there are, how many the machine takes, and what it says of that."""

    at: float
    workers: int
    room: float
    pressure: float


def machine(
    room: Callable[[float], float], *, least: int = 2, most: int = 64, seconds: int = 600
) -> list[Point]:
    """A machine that takes `room(at)` jobs: beyond that, a share of the time they wait."""
    workers, pressure, points = Workers(least, most), 0.0, []
    lag = 1 - exp(-LOOK_S / 10)
    for look in range(int(seconds / LOOK_S)):
        at = look * LOOK_S
        waiting = max(0.0, 1 - room(at) / workers.count)
        pressure += (waiting - pressure) * lag
        workers.look(at, Signs(cpu=pressure))
        points.append(Point(at, workers.count, room(at), pressure))
    return points


def fragile(limit: int, *, least: int = 2, most: int = 64, seconds: int = 1800) -> list[Point]:
    """A service behind which jobs time out as soon as there are more than `limit` of them."""
    workers, points = Workers(least, most), []
    for look in range(int(seconds / LOOK_S)):
        at = look * LOOK_S
        workers.look(at, Signs(timeouts=max(0, workers.count - limit)))
        points.append(Point(at, workers.count, limit, 0.0))
    return points


def host(allowed_s: float, jobs: int = 200) -> list[tuple[float, float]]:
    """A host that complains of every start that comes sooner than `allowed_s` after the one before."""
    pauses, at, points, before = Pauses(), 0.0, [], -1e9
    for _ in range(jobs):
        if at - before < allowed_s:
            pauses.complains("h")
        else:
            pauses.answers("h")
        before = at
        points.append((at, pauses.of("h")))
        at += max(0.1, pauses.of("h"))
    return points


def svg(title: str, curves: dict[str, list[tuple[float, float]]], *, x: str, y: str) -> str:
    """Lines over time as SVG, by hand: a box, four grid lines, a curve each."""
    width, height, left, top = 720, 260, 46, 30
    colours = ("#1f6feb", "#d1242f", "#1a7f37")
    far = max(at for points in curves.values() for at, _ in points)
    high = max(value for points in curves.values() for _, value in points) * 1.1
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="white"/>'
        f'<text x="{left}" y="18" font-size="13">{title}</text>'
    )
    parts = [frame]
    wide, tall = width - left - 16, height - top - 36
    for step in range(5):
        line, beside = top + tall - tall * step / 4, left + wide * step / 4
        parts.append(
            f'<path d="M{left} {line:.1f}h{wide}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{line + 4:.1f}" text-anchor="end">{high * step / 4:.3g}</text>'
            f'<text x="{beside:.1f}" y="{height - 20}" text-anchor="middle">{far * step / 4:.0f}</text>'
        )
    for place, (name, points) in enumerate(curves.items()):
        path = " ".join(
            f"{left + wide * at / far:.1f},{top + tall - tall * value / high:.1f}" for at, value in points
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colours[place]}" stroke-width="1.5"/>'
            f'<text x="{left + wide - 150}" y="{top + 14 + 14 * place}" fill="{colours[place]}">{name}</text>'
        )
    parts.append(f'<text x="{width - 16}" y="{height - 6}" text-anchor="end">{x}; {y}</text></svg>\n')
    return "\n".join(parts)


def plots() -> dict[str, str]:
    """Each file's name and what is in it."""
    falls = machine(lambda at: 24.0 if at < 300 else 8.0)
    breaks = fragile(20)
    return {
        "adapt-machine.svg": svg(
            "A machine that takes 24 jobs, and from second 300 on only 8",
            {
                "workers": [(p.at, p.workers) for p in falls],
                "what it takes": [(p.at, p.room) for p in falls],
            },
            x="seconds",
            y="jobs at once",
        ),
        "adapt-timeouts.svg": svg(
            "Jobs time out where more than 20 run",
            {"workers": [(p.at, p.workers) for p in breaks], "limit": [(p.at, p.room) for p in breaks]},
            x="seconds",
            y="jobs at once",
        ),
        "adapt-host.svg": svg(
            "A host that complains of more than one start in 5 s",
            {"pause": host(5.0), "what it allows": [(at, 5.0) for at, _ in host(5.0)]},
            x="seconds",
            y="seconds between two starts",
        ),
    }


if __name__ == "__main__":
    for name, text in plots().items():
        (DOCS / name).write_text(text, encoding="utf-8")
