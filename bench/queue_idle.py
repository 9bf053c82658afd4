"""How soon an idle consumer has what is published: in the process that publishes, on SQLite and on Postgres, and in another one."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack

from bench import shop
from bench.queue_load import opened
from bench.result import Result, line
from realtime import app
from realtime.broker import Broker, Hears
from realtime.keys import Keys
from realtime.messaging import Messaging
from realtime.queue_messages import Acknowledge, Consume, Publish
from realtime.settings import Settings

ACCOUNT = "bench"


def run(quick: bool) -> list[Result]:
    """The figures, medians of many messages, each published while the consumer waits."""
    count = 20 if quick else 100
    everywhere = shop.cores()
    with shop.disk_folder() as folder, shop.durable_postgres(everywhere) as new_database:
        if everywhere:
            os.sched_setaffinity(0, everywhere[-1:])
        inside = shop.on_loop(measure(f"sqlite:///{folder / 'nowserving.db'}", count))
        results = [_judged("publish to start, idle consumer, SQLite", inside, 5)]
        if new_database:
            results.append(_judged("the same, Postgres", shop.on_loop(measure(new_database(), count)), 20))
            results.append(
                _judged("the same, another process published", shop.on_loop(measure(new_database(), count // 5, another=True)), 20)
            )
    return results


def _judged(name: str, value: float, most: float) -> Result:
    return Result(f"{name}, p50", value, "ms", None, "", f"<= {most} ms", value <= most)


async def measure(url: str, count: int, another: bool = False) -> float:
    """Milliseconds from the call of `publish` to the consumer that has the message.

    Args:
        another: who publishes has storage and a broker of its own, as another process has.
    """
    settings = Settings.defaults(database_url=url, secret_key=shop.new_secret())
    taken = []
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(opened(settings))
        brokers: list[Broker] = []
        consuming = Messaging(settings, storage, shop.now_ms)
        publishing = consuming
        if another:
            keys = Keys(settings.secret_key)
            brokers = [app.make_broker(settings, keys, hears) for hears in (Hears(work=consuming.wake), Hears())]
            publishing = Messaging(settings, await stack.enter_async_context(opened(settings)), shop.now_ms, brokers[1].tell_work)
        running = [asyncio.create_task(broker.run()) for broker in brokers]
        await asyncio.sleep(1.0 if brokers else 0.0)  # until they listen
        for _ in range(count + 3):
            waiting = asyncio.create_task(consuming.consume(ACCOUNT, Consume("worker", 1, "work", wait=20)))
            await asyncio.sleep(0.03)
            began = time.perf_counter()
            await publishing.publish(ACCOUNT, [Publish("now", "work")])
            (message,) = await waiting
            taken.append((time.perf_counter() - began) * 1000)
            await consuming.acknowledge(ACCOUNT, [Acknowledge(message.messageId, "worker", message.receipt)])
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return statistics.median(taken[3:])


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
