"""A stand-in for KAST 3, which no registry has: not its code, the shape of its executor.

`kast_shape.py WORKERS COUNT PROGRAM [ARGUMENT…]`

Of a job, as KAST has it: a future in a pool of threads, `subprocess.run` that captures text, a result
read and one written whole, six lines through Rich's log handler and a log file, and
`next(as_completed(every future))` for each that ends. Left out: plugin classes, settings, dependencies,
the report. So it is KAST at its quickest.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from rich.logging import RichHandler

LOG = logging.getLogger("kast-shape")


def main(workers: int, count: int, argv: list[str]) -> None:
    """Run `program` so many times."""
    with tempfile.TemporaryDirectory(prefix="kast-shape-") as name:
        folder = Path(name)
        logging.basicConfig(
            level=logging.INFO,
            format="%(message)s",
            datefmt="[%X]",
            handlers=[RichHandler(rich_tracebacks=True), logging.FileHandler(folder / "log")],
        )
        with ThreadPoolExecutor(workers) as pool:
            _work(pool, [f"job-{number}" for number in range(count)], argv, folder)


def _work(pool: ThreadPoolExecutor, jobs: list[str], argv: list[str], folder: Path) -> None:
    running: dict[Future[int], str] = {}
    for job in jobs:
        LOG.info("%s: handed to the pool", job)
        running[pool.submit(_job, job, argv, folder)] = job
    while running:
        ended = next(as_completed(running))
        LOG.info("%s: exit code %s", running.pop(ended), ended.result())


def _job(job: str, argv: list[str], folder: Path) -> int:
    LOG.info("%s: is %s there?", job, argv[0])
    if shutil.which(argv[0]) is None:
        raise FileNotFoundError(argv[0])
    LOG.info("%s: runs", job)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=True)
    LOG.info("%s: ended", job)
    result = {"job": job, "at": datetime.now(UTC).isoformat(), "said": done.stdout.splitlines()}
    part = folder / f"{job}.part"
    part.write_text(json.dumps(result, indent=2), encoding="utf-8")
    os.replace(part, folder / f"{job}.json")
    LOG.info("%s: its result is %s", job, folder / f"{job}.json")
    return done.returncode


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
