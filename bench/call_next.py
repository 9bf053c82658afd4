"""What it costs to call the next party of a long line, beside the same in a short one."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench import shop
from bench.result import Result, line
from realtime import app
from realtime.house import House
from realtime.keys import Keys
from realtime.model import Action
from realtime.operations import tickets
from realtime.operations.changes import Rules
from realtime.storage.statement import Storage

SHORT, LONG = 100, 100_000
CALLS = 32
"""Calls that are made at once, and committed together: otherwise the disk's share would hide the line's. They are taken back unmeasured."""


def run(quick: bool) -> list[Result]:
    """The figures, medians of many rounds; the short and the long line take turns."""
    everywhere = shop.cores()
    if everywhere:
        os.sched_setaffinity(0, everywhere[-1:])
    with shop.disk_folder() as folder:
        short, long = shop.on_loop(measure(folder, 40 if quick else 200))
    return [
        Result(f"call next among {SHORT:,} waiting", short, "us"),
        Result(f"call next among {LONG:,} waiting", long, "us", long / short, f"among {SHORT:,}", "<= 1.3 x", long <= short * 1.3),
    ]


async def measure(folder: Path, rounds: int) -> tuple[float, float]:
    """Microseconds for a call, in the short and in the long line: two stores, two files."""
    secret = shop.new_secret()
    settings = shop.settings_in(folder, secret)
    registry = app.load_plugins(settings)
    rules = House(registry, Keys(secret), settings.public_url, "http://127.0.0.1:8000").rules()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(registry.close)
        lines = []
        for waiting in (SHORT, LONG):
            where = folder / str(waiting)
            where.mkdir()
            storage = app.make_storage(shop.settings_in(where, secret))
            await storage.open()
            await shop.open_shop(storage, Keys(secret))
            await storage.close()
            await asyncio.to_thread(shop.fill_line, where, waiting)
            storage = app.make_storage(shop.settings_in(where, secret))
            await storage.open()
            stack.push_async_callback(storage.close)
            lines.append((storage, list[float]()))
        for _ in range(rounds + 3):
            for storage, taken in lines:
                taken.append(await call_and_take_back(storage, rules))
    short, long = (statistics.median(taken[3:]) for _, taken in lines)
    return short, long


async def call_and_take_back(storage: Storage, rules: Rules) -> float:
    """Microseconds for each of a few calls at once."""
    began = time.perf_counter()
    called = await asyncio.gather(
        *(storage.write(tickets.call_next, shop.STORE, shop.QUEUE, "Desk 2", rules, shop.now_ms()) for _ in range(CALLS))
    )
    seconds = time.perf_counter() - began
    await asyncio.gather(
        *(storage.write(tickets.change, shop.STORE, one.value.id, Action.RETURN, "", rules, shop.now_ms()) for one in called)
    )
    return seconds / CALLS * 1e6


if __name__ == "__main__":
    for result in run("--quick" in sys.argv):
        print(line(result))
