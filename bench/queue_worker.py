"""The worker itself, with jobs that do nothing: claimed, handed to a handler, settled, until none is left. Imported by `queue_postgres`."""

from __future__ import annotations

import asyncio
import time

from bench import shop
from bench.queue_load import opened
from realtime import app
from realtime.operations import queue, services
from realtime.operations.queue import NewJob
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement
from realtime.worker import Worker

OWNER = "account-bench-jobs"
BODY = '{"payload": {"order": 4711}, "url": ""}'


async def processed(url: str, count: int) -> float:
    """Jobs per second that one worker gets done, each in no lane."""
    settings = Settings.defaults(database_url=url, secret_key=shop.new_secret(), log_level="error")
    registry = app.load_plugins(settings)
    async with opened(settings) as storage:
        worker = Worker(settings, storage, registry, shop.now_ms)
        await storage.write(_fill, count)
        began = time.perf_counter()
        running = asyncio.create_task(worker.run())
        while await storage.read(_left):
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        await worker.stop(5)
        await running
        done = await storage.read(_done)
    await registry.close()
    if done != count:
        raise ValueError(f"{count} jobs were put in, {done} were done")
    return count / seconds


def _fill(count: int) -> Operation[None]:
    now = shop.now_ms()
    for number in range(count):
        yield from queue.enqueue(NewJob(OWNER, f"{number:08}", services.QUEUE, BODY, notifier="echo"), now)


def _left() -> Operation[bool]:
    return bool((yield Statement("select 1 from jobs where state in ('waiting', 'leased') limit 1")))


def _done() -> Operation[int]:
    return int((yield Statement("select count(*) from jobs where state = 'done'"))[0][0])
