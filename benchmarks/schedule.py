"""Scheduling: its cost for each job at 10^3 to 10^6 queued ones, and makespans against what is possible.

Nothing is started here: the queue is asked as the engine asks it, and jobs "take" what was recorded.
Costs are CPU time, so that a busy machine does not show in them; makespans are simulated and exact.
`--jobs N` measures one size, in this process.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from heapq import heappop, heappush

import rounds
import stage

from kastrun.model import Job, Rate, Target
from kastrun.ready import Caps, ReadyQueue, Taken

SIZES = (1000, 100_000, 1_000_000)
CAPS = Caps(per_host=2, rate=Rate(per_s=1e9, burst=1000), plugins={"p1": 4})
WORKERS = 5

Mix = tuple[tuple[str, float], ...]
"""The jobs of one host: plugin and seconds, as they were recorded."""

KAST: Mix = (
    *(("wafw00f", 4.3), ("org_discovery", 6.92), ("subfinder", 14.02), ("whatweb", 14.79)),
    *(("script_detection", 0.58), ("katana", 13.79), ("ai_chatbot_detection", 0.06), ("ftap", 44.85)),
    *(("related_sites", 71.86), ("testssl", 86.91)),
)
"""KAST's published sample, 5 workers, of which KAST 2.14 made 94.47 s (mercutioviz/kast,
docs/baseline-v3.0-phase-a/kast_info.json); what waited for what there is not known, so here nothing does."""
DEMO: Mix = (
    *(("http-headers", each) for each in (0.61, 0.96, 0.87, 0.98)),
    *(("nmap", 19.64), ("tls", 0.54), ("tls", 1.01)),
    *(("scripts", each) for each in (0.6, 0.91, 0.88, 0.85)),
    *(("whatweb", each) for each in (8.13, 7.97, 9.75, 7.98)),
    *(("waf", each) for each in (5.59, 6.98, 5.83, 8.14)),
)
"""A `kastrun demo` on a machine that was busy."""


def job(number: int, plugin: str, host: str, expected_s: float = 1.0) -> Job:
    """One that waits for nobody."""
    target = Target(kind="host", value=host, host=host)
    return Job(
        id=f"{plugin} {host}", plugin=plugin, target=target, declared=host, options={}, priority=50,
        order=number, expected_s=expected_s,
    )  # fmt: skip


def stream(count: int) -> Iterator[Job]:
    """Ten plugins on a tenth as many hosts, host by host."""
    return (job(number, f"p{number % 10}", f"h{number // 10}") for number in range(count))


def cost(count: int) -> dict[str, float]:
    """CPU µs a job beside making it, and the peak of this process in MB."""
    began = time.process_time()
    for _ in stream(count):
        pass
    making = time.process_time() - began
    queue, going = ReadyQueue(stream(count), caps=CAPS, clock=time.monotonic), list[Taken]()
    began = time.process_time()
    while (taken := queue.take()) is not None or going:
        if taken is not None:
            going.append(taken)
        if taken is None or len(going) == WORKERS:
            ended = going.pop(0)
            queue.freed(ended)
            queue.ended(ended.jobs[0].job, succeeded=True)
    spent = time.process_time() - began - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"us": spent / count * 1e6, "mb": peak}


def makespan(mix: Mix, hosts: int, *, known: bool, caps: Caps) -> float:
    """Seconds of a run of the mix against every host, where its plugins were `known` before or not."""
    usual = {name: statistics.mean(s for other, s in mix if other == name) for name, _ in mix}
    took = [(name, seconds, f"h{host}") for host in range(hosts) for name, seconds in sorted(mix)]
    jobs = (
        job(number, name, host, usual[name] if known else 1.0) for number, (name, _, host) in enumerate(took)
    )
    now = 0.0
    queue = ReadyQueue(jobs, caps=caps, clock=lambda: now)
    going: list[tuple[float, int, Taken]] = []
    while True:
        while len(going) < WORKERS and (taken := queue.take()) is not None:
            number = taken.jobs[0].job.order
            heappush(going, (now + took[number][1], number, taken))
        if not going:
            return now
        now, _, ended = heappop(going)
        queue.freed(ended)


def _ratio(mix: Mix, hosts: int, *, known: bool, caps: Caps) -> float:
    """To what no order can beat: the longest job, or all the work evenly shared; a host's own work too."""
    work = sum(seconds for _, seconds in mix)
    alone = work / caps.per_host if caps.per_host else 0.0
    least = max(*(seconds for _, seconds in mix), work * hosts / WORKERS, alone)
    return makespan(mix, hosts, known=known, caps=caps) / least


def _row(name: str, figure: float, base: float) -> rounds.Row:
    return rounds.Row(name=name, median=figure, least=figure, most=figure, ratio=figure / base)


def main() -> None:
    """Sizes in processes of their own, for their peaks."""
    parser = rounds.parser(__doc__, rounds=1)
    parser.add_argument("--jobs", type=int, help="measure this size here, and print it as JSON")
    options = parser.parse_args()
    if options.jobs:
        print(json.dumps(cost(options.jobs)))
        return
    found = {
        size: json.loads(stage.output([sys.executable, __file__, "--jobs", str(size)])) for size in SIZES
    }
    first = found[SIZES[0]]
    tables = [
        rounds.Table(
            title=title,
            unit=unit,
            rounds=1,
            rows=[_row(f"{size:,} jobs", each[key], first[key]) for size, each in found.items()],
            goals=[goal],
        )
        for title, unit, key, goal in (
            ("cost of scheduling, per_host, rate and max_workers set", "CPU µs a job", "us", "flat"),
            ("peak memory", "MB", "mb", "flat"),
        )
    ]
    mixes = {
        "KAST's sample, 1 host": (KAST, 1, Caps()),
        "KAST's sample, 12 hosts, per_host 2": (KAST, 12, Caps(per_host=2)),
        "kastrun demo, its one host": (DEMO, 1, Caps()),
    }
    rows = [
        _row(f"{name}, {'the next run' if known else 'the first run'}", figure, 1.0)
        for name, (mix, hosts, caps) in mixes.items()
        for known in (False, True)
        for figure in [_ratio(mix, hosts, known=known, caps=caps)]
    ]
    title = f"makespan at {WORKERS} workers, simulated"
    tables.append(rounds.Table(title=title, unit="× the lower bound", rounds=1, rows=rows, goals=["1.00"]))
    rounds.show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
