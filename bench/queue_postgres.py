"""The durable queue on Postgres: jobs published, and no-op jobs processed, each second; beside procrastinate on the same server."""

from __future__ import annotations

import os
import statistics
import sys

from bench import queue_load, queue_peers, queue_worker, shop
from bench.queue_load import opened
from bench.result import Result, line
from realtime.settings import Settings

PUBLISHERS = 64
CONCURRENCY = 16
"""Jobs in flight at once: procrastinate's worker fetches them one by one, ours leases as many as may be in flight."""


def run(quick: bool) -> list[Result]:
    """The figures, medians of several runs, each in an empty database; the two take turns. None where there is no Postgres to run."""
    runs, count = (3, 500) if quick else (5, 2_000)
    everywhere = shop.cores()
    with shop.durable_postgres(everywhere) as new_database:
        if new_database is None:
            return []
        if everywhere:
            os.sched_setaffinity(0, everywhere[-1:])
        ours, theirs, workers = [], [], []
        for _ in range(runs):
            ours.append(shop.on_loop(measure(new_database(), count)))
            workers.append(shop.on_loop(queue_worker.processed(new_database(), count)))
            theirs.append(shop.on_loop(queue_peers.procrastinate(new_database(), count, PUBLISHERS, CONCURRENCY)))
    published, batches, single = zip(*ours, strict=True)
    deferred, worked = zip(*theirs, strict=True)
    publishing, processing = shop.ratio(published, deferred), shop.ratio(workers, worked)
    return [
        Result(f"procrastinate, defer, {PUBLISHERS} at once", statistics.median(deferred), "/s"),
        Result(f"publish, {PUBLISHERS} publishers", statistics.median(published), "/s", publishing, "defer", ">= 1.5 x", publishing >= 1.5),
        Result(f"procrastinate, worker, {CONCURRENCY} at once", statistics.median(worked), "/s"),
        Result(
            f"no-op jobs through our worker, {CONCURRENCY} at once",
            statistics.median(workers),
            "/s",
            processing,
            "worker",
            ">= 5 x",
            processing >= 5,
        ),
        Result(f"claim and acknowledge, batches of {CONCURRENCY}", statistics.median(batches), "/s"),
        Result(f"the same singly, {CONCURRENCY} consumers", statistics.median(single), "/s"),
    ]


async def measure(url: str, count: int) -> tuple[float, float, float]:
    """Jobs per second: published each on its own, consumed so many at a time, and singly."""
    async with opened(Settings.defaults(database_url=url, secret_key=shop.new_secret())) as storage:
        published = await queue_load.publish(storage, count, PUBLISHERS)
        batches = await queue_load.consume(storage, count, 1, CONCURRENCY)
        await storage.write(queue_load.fill_pending, count, count // 4, count)
        single = await queue_load.consume(storage, count // 4, CONCURRENCY, 1)
    return published, batches, single


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
