"""The durable queue on SQLite: jobs published, and claimed and acknowledged, each second; beside huey's SQLite queue with fsync."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import queue_bare, queue_load, queue_peers, shop
from bench.queue_load import opened
from bench.result import Result, line
from realtime.messaging import Messaging
from realtime.queue_messages import Publish

PUBLISHERS = 64
BATCH = 64
CONSUMERS = 16


def run(quick: bool) -> list[Result]:
    """The figures, medians of several runs, each on a fresh file. The compared ways take turns, so that a busy machine is busy for all."""
    runs, count, slow_count = (3, 4_000, 256) if quick else (5, 16_000, 1_024)
    everywhere = shop.cores()
    if everywhere:
        os.sched_setaffinity(0, everywhere[-1:])
    found: list[tuple[float, ...]] = []
    theirs: list[float] = []
    bare: list[float] = []
    for turn in range(runs):
        with shop.disk_folder() as folder:
            found.append(shop.on_loop(measure(folder, count)))
            _fresh(folder)
            bare.append(shop.on_loop(queue_bare.consume(folder, count, BATCH)))
            # Threads of huey wait for each other; one alone may be faster.
            theirs.append(max(queue_peers.huey_enqueue(folder / f"{turn}-{many}.huey", slow_count, many) for many in (1, PUBLISHERS)))
    published, messages, hundreds, batches, single = zip(*found, strict=True)
    mine, to_huey = statistics.median(published), shop.ratio(published, theirs)
    return [
        Result("huey's SqliteHuey(fsync=True), enqueue", statistics.median(theirs), "/s"),
        Result(f"publish, {PUBLISHERS} publishers, `queue.enqueue`", mine, "/s", to_huey, "huey", ">= 4 x", to_huey >= 4),
        Result(f"publish, {PUBLISHERS} publishers, `queue.enqueue`", mine, "/s", None, "", ">= 20,000", mine >= 20_000),
        Result(f"publish, {PUBLISHERS} publishers, `Messaging.publish`", statistics.median(messages), "/s"),
        Result("the same, 100 messages to a request", statistics.median(hundreds), "/s"),
        Result(f"claim and acknowledge, bare sqlite3, batches of {BATCH}", statistics.median(bare), "/s"),
        _judged(f"claim and acknowledge, batches of {BATCH}", batches, 20_000, shop.ratio(batches, bare)),
        _judged(f"claim and acknowledge singly, {CONSUMERS} consumers", single, 3_000),
    ]


def _judged(name: str, values: Sequence[float], least: int, to_bare: float | None = None) -> Result:
    value = statistics.median(values)
    return Result(name, value, "/s", to_bare, "bare sqlite3" if to_bare else "", f">= {least:,}", value >= least)


async def measure(folder: Path, count: int) -> tuple[float, float, float, float, float]:
    """Jobs per second: published each on its own, as messages, as messages by the hundred; consumed in batches, and singly."""
    settings = shop.settings_in(folder, shop.new_secret())
    async with opened(settings) as storage:
        published = await queue_load.publish(storage, count, PUBLISHERS)
        batches = await queue_load.consume(storage, count, 1, BATCH)
    _fresh(folder)
    async with opened(settings) as storage:
        await queue_load.publish(storage, count // 4, PUBLISHERS)
        single = await queue_load.consume(storage, count // 4, CONSUMERS, 1)
    _fresh(folder)
    async with opened(settings) as storage:
        messages = await _messages(Messaging(settings, storage, shop.now_ms), count // 2, 1)
        hundreds = await _messages(Messaging(settings, storage, shop.now_ms), count, 100)
    return published, messages, hundreds, batches, single


async def _messages(messaging: Messaging, count: int, at_once: int) -> float:
    left = iter(range(count // at_once))
    some = [Publish({"order": 4711, "table": "A12", "note": "no onions"}, "work")] * at_once

    async def publisher() -> None:
        for _ in left:
            await messaging.publish("bench", some)

    return count // at_once * at_once / await queue_load.seconds_of(publisher, PUBLISHERS)


def _fresh(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
