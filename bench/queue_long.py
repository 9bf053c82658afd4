"""What a claim costs in a table with a long history and many lanes, beside the same in one that holds nothing else; on SQLite and on Postgres."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack

from bench import queue_load, shop
from bench.queue_load import LEASE_MS, QUEUE
from bench.result import Result, line
from realtime import app
from realtime.operations import queue
from realtime.settings import Settings
from realtime.storage.statement import Storage

DONE, PENDING, LANES = 1_000_000, 100_000, 10_000
CLAIMS = 32
"""Claims that are made at once, and on SQLite committed together: otherwise the disk's share would hide the table's. They are given back
unmeasured. The small table has as many lanes with one job each, and nothing else."""
AT_ONCE = {"SQLite": CLAIMS, "Postgres": 1}


def run(quick: bool) -> list[Result]:
    """The figures, medians of many rounds; the two tables take turns."""
    results = []
    everywhere = shop.cores()
    with shop.disk_folder() as folder, shop.durable_postgres(everywhere) as new_database:
        if everywhere:
            os.sched_setaffinity(0, everywhere[-1:])
        addresses = {"SQLite": [f"sqlite:///{folder / name}" for name in ("small.db", "large.db")]}
        if new_database:
            addresses["Postgres"] = [new_database(), new_database()]
        for name, (small, large) in addresses.items():
            rounds, done = (40, DONE // 10) if quick else (200, DONE)
            few, many = shop.on_loop(measure(small, large, done, rounds, AT_ONCE[name]))
            results += [
                Result(f"a claim, {name}, nothing else in the table", few, "us"),
                Result(
                    f"the same, {done:,} done, {PENDING:,} pending, {LANES:,} lanes",
                    many,
                    "us",
                    many / few,
                    "empty",
                    "<= 1.5 x",
                    many <= few * 1.5,
                ),
            ]
    return results


async def measure(small: str, large: str, done: int, rounds: int, at_once: int) -> tuple[float, float]:
    """Microseconds for a claim of one job, in the small and in the large table."""
    async with AsyncExitStack() as stack:
        tables = []
        for url, ended, pending in ((small, 0, CLAIMS), (large, done, PENDING)):
            storage = app.make_storage(Settings.defaults(database_url=url, secret_key=shop.new_secret()))
            await storage.open()
            stack.push_async_callback(storage.close)
            step = 50_000
            for first in range(0, ended, step):
                await storage.write(queue_load.fill_done, first, min(step, ended - first))
            await storage.write(queue_load.fill_pending, ended, pending, min(LANES, pending))
            await storage.write(queue_load.analyze)
            tables.append((storage, list[float]()))
        for number in range(rounds + 5):
            for storage, taken in tables:
                taken.append(await claim_and_give_back(storage, number, at_once))
    few, many = (statistics.median(taken[5:]) for _, taken in tables)
    return few, many


async def claim_and_give_back(storage: Storage, number: int, at_once: int) -> float:
    """Microseconds for each of a few claims at once."""
    now = shop.now_ms()
    began = time.perf_counter()
    held = await asyncio.gather(*(storage.write(queue.claim, QUEUE, f"lease {number} {each}", LEASE_MS, 1, now) for each in range(at_once)))
    seconds = time.perf_counter() - began
    await asyncio.gather(
        *(storage.write(queue.retry, job.store_id, job.id, job.lease, now, "", now, counted=False) for claim in held for job in claim)
    )
    return seconds / at_once * 1e6


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
