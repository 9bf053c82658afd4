"""Jobs that end at about the same time are settled in one transaction, and each hears what became of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from realtime.errors import StorageFailed
from realtime.operations.queue import Done, Settled
from realtime.settling import MOST, Settling
from realtime.storage.statement import Storage


class Slow:
    """Storage whose writes end when the test says so."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = asyncio.Event()
        self.broken = False

    async def write(self, make: Callable[..., Any], jobs: Sequence[Done], now_ms: int) -> list[Settled]:
        self.batches.append([job.id for job in jobs])
        await self.free.wait()
        if self.broken:
            raise StorageFailed
        return [Settled.LEASE_LOST if job.id == "lost" else Settled.DONE for job in jobs]


async def test_what_ends_meanwhile_goes_together() -> None:
    storage = Slow()
    settling = Settling(cast(Storage, storage), lambda: 1)
    first = [asyncio.create_task(settling.done(Done("s", id_, "l"))) for id_ in ("a", "lost")]
    while not storage.batches:
        await asyncio.sleep(0)
    later = [asyncio.create_task(settling.done(Done("s", str(number), "l"))) for number in range(MOST + 1)]
    await asyncio.sleep(0)
    later[0].cancel()
    storage.free.set()

    assert [await each for each in first] == [Settled.DONE, Settled.LEASE_LOST]
    assert [await each for each in later[1:]] == [Settled.DONE] * MOST
    assert [len(batch) for batch in storage.batches] == [2, MOST, 1], "also for whoever went away, for the job is done"


async def test_a_failure_is_told_to_those_it_belongs_to_and_the_next_goes_on() -> None:
    storage = Slow()
    storage.free.set()
    storage.broken = True
    settling = Settling(cast(Storage, storage), lambda: 1)
    with pytest.raises(StorageFailed):
        await settling.done(Done("s", "a", "l"))
    storage.broken = False
    assert await settling.done(Done("s", "b", "l")) is Settled.DONE
