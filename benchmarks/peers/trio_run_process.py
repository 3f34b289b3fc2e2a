"""The obvious way with trio, as a peer: a task for every job, a limiter inside, `run_process`.

`trio_run_process.py WORKERS COUNT PROGRAM`
"""

from __future__ import annotations

import sys

import trio


async def main(workers: int, count: int, program: str) -> None:
    """Run `program` so many times."""
    limiter = trio.CapacityLimiter(workers)

    async def job() -> None:
        async with limiter:
            await trio.run_process([program], stdin=b"{}\n", capture_stdout=True, capture_stderr=True)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(job)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
