"""What the queue is compared with: huey on SQLite with fsync, and procrastinate on Postgres, each as its makers document it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg_pool
from huey import SqliteHuey
from procrastinate import App, PsycopgConnector

from bench.queue_load import BODY, seconds_of

POOL = 8
"""Connections, as many as storage has."""


def huey_enqueue(file: Path, count: int, publishers: int) -> float:
    """Tasks per second that so many threads put in; huey has one connection, and a transaction for each task."""
    huey = SqliteHuey(filename=str(file), fsync=True, results=False, timeout=60)

    @huey.task()
    def work(body: str) -> None:
        pass

    def publisher() -> None:
        for _ in range(count // publishers):
            work(BODY)

    threads = [threading.Thread(target=publisher) for _ in range(publishers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    found = len(huey)
    huey.storage.close()
    if found != count:
        raise ValueError(f"{count} tasks were put in, huey has {found}")
    return count / seconds


async def procrastinate(url: str, count: int, publishers: int, concurrency: int) -> tuple[float, float]:
    """Jobs deferred per second by so many at once, then no-op jobs per second that one worker gets done with so many at once."""
    connector = PsycopgConnector(conninfo=url, min_size=POOL, max_size=POOL, pool_factory=psycopg_pool.AsyncConnectionPool)
    app = App(connector=connector)

    @app.task(name="work", pass_context=False)
    async def work(body: str) -> None:
        pass

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        left = iter(range(count))

        async def publisher() -> None:
            for _ in left:
                await work.defer_async(body=BODY)

        deferred = await seconds_of(publisher, publishers)
        began = time.perf_counter()
        await app.run_worker_async(concurrency=concurrency, wait=False, install_signal_handlers=False)
        worked = time.perf_counter() - began
        rows = await connector.execute_query_all_async("select count(*) as count from procrastinate_jobs where status = 'succeeded'")
    if rows[0]["count"] != count:
        raise ValueError(f"{count} jobs were deferred, {rows[0]['count']} were done")
    return count / deferred, count / worked
