"""Jobs to measure with: put in by many publishers, claimed and acknowledged by many consumers, or filled in by the hundred thousand."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

from bench import shop
from realtime import app
from realtime.operations import queue, receives
from realtime.operations.queue import NewJob
from realtime.settings import Settings
from realtime.storage.statement import NOTHING, Operation, Statement, Storage

OWNER = "account-bench"
QUEUE = "messages/bench/work"
BODY = '{"order": 4711, "table": "A12", "note": "no onions"}'
LEASE_MS = 60_000
FIRST_ID = 10**18
"""Ids are numbers of one width that grow with time, as those of messages."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Storage]:
    """The storage that the settings name, for as long as the block lasts."""
    storage = app.make_storage(settings)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


def jobs(count: int, lanes: int = 0) -> Iterator[NewJob]:
    """So many new jobs, in as many lanes; none without."""
    for number in range(count):
        yield NewJob(OWNER, str(FIRST_ID + number), QUEUE, BODY, f"lane {number % lanes}" if lanes else "")


async def seconds_of(work: Callable[[], Coroutine[Any, Any, None]], workers: int) -> float:
    """Until so many at once have nothing left to do."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return time.perf_counter() - began


async def publish(storage: Storage, count: int, publishers: int, lanes: int = 0) -> float:
    """Jobs per second: each is a `storage.write(queue.enqueue)` of its own, durable before its publisher goes on."""
    left = jobs(count, lanes)

    async def publisher() -> None:
        for job in left:
            await storage.write(queue.enqueue, job, shop.now_ms())

    return count / await seconds_of(publisher, publishers)


async def consume(storage: Storage, count: int, consumers: int, batch: int) -> float:
    """Jobs per second that are claimed under a lease, then acknowledged under it: `receives.receive`, then `queue.end_all`."""
    done = 0

    async def consumer() -> None:
        nonlocal done
        while held := await storage.write(
            receives.receive, QUEUE, "consumer", secrets.token_urlsafe(18), LEASE_MS, batch, 5, shop.now_ms()
        ):
            settled = await storage.write(queue.end_all, [queue.Done(job.store_id, job.id, job.lease) for job in held], shop.now_ms())
            done += settled.count(queue.Settled.DONE)

    seconds = await seconds_of(consumer, consumers)
    if done != count:
        raise ValueError(f"{count} jobs were put in, {done} were acknowledged")
    return count / seconds


def fill_done(first: int, count: int) -> Operation[None]:
    """So many jobs that were done, each at its first attempt."""
    yield from _fill(
        "insert into jobs (store_id, id, queue, lane, place, head, state, attempts, worker, due_ms, ready_ms, created_ms, ended_ms, body)"
        f" select $1, cast({FIRST_ID} + i as text), $2, 'lane ' || (i % 10000), i, 0, 'done', 1, 'consumer', $3, $3, $3, $3 + i, '{{}}' from n",
        (OWNER, QUEUE, shop.now_ms() - shop.DAY_MS),
        first,
        count,
    )
    yield from _fill(
        "insert into attempts (store_id, job_id, number, worker, started_ms, ended_ms, outcome)"
        f" select $1, cast({FIRST_ID} + i as text), 1, 'consumer', $2, $2, 'done' from n",
        (OWNER, shop.now_ms() - shop.DAY_MS),
        first,
        count,
    )


def fill_pending(first: int, count: int, lanes: int) -> Operation[None]:
    """So many jobs that wait, dealt out to so many lanes; the first of each is its head."""
    yield from _fill(
        "insert into jobs (store_id, id, queue, lane, place, head, state, due_ms, ready_ms, created_ms, body)"
        f" select $1, cast({FIRST_ID} + i as text), $2, 'lane ' || (i % {lanes}), i, case when i < {first + lanes} then 1 else 0 end, 'waiting',"
        " $3, $3, $3, $4 from n",
        (OWNER, QUEUE, shop.now_ms() - 1000, BODY),
        first,
        count,
    )


def _fill(insert: str, args: tuple[Any, ...], first: int, count: int) -> Operation[None]:
    numbers = f"with recursive n (i) as (select {first} union all select i + 1 from n where i < {first + count - 1}) "
    head, select = insert.split(" select ", 1)
    yield Statement(
        f"{head} {numbers}select {select}",
        args,
        f"{head} select {select.replace('from n', f'from generate_series({first}::bigint, {first + count - 1}) as n (i)')}",
    )


def analyze() -> Operation[None]:
    """On Postgres, what its own housekeeping does now and then: it must know how large the tables are."""
    yield Statement(NOTHING, (), "analyze jobs, attempts")
