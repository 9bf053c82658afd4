"""A process that stands still in the middle of its transactions, as one on a machine that is moved, or is lost without a word."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from blockbuster import BlockBuster

from realtime.storage.postgres import PostgresStorage
from realtime.storage.statement import Operation, one
from tests.storage.steps import count_up
from tests.support.waiting import until_async

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


class StandsStill:
    """Holds a row in one transaction, has others wait for it behind, and stops with all of them until it is let go."""

    def __init__(self, url: str, others: int) -> None:
        self._storage = PostgresStorage(url, pool=others + 1, idle_seconds=1.0)
        self._others = others
        self.runs = 0
        self.standing = threading.Event()
        self.go_on = threading.Event()

    async def run(self) -> None:
        self._holds = asyncio.Event()
        await self._storage.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._storage.write(self._hold))
            await self._holds.wait()
            for _ in range(self._others):
                group.create_task(self._storage.write(count_up))
        await self._storage.close()

    def _hold(self) -> Operation[None]:
        self.runs += 1
        yield from count_up()
        self._holds.set()
        if self.runs == 1:
            while (yield from one(WAITING)) != (self._others,):
                pass
            self.standing.set()
            assert self.go_on.wait(60)


@pytest.fixture(autouse=True)
def a_process_may_stand_still(blocking_is_an_error: BlockBuster) -> None:
    blocking_is_an_error.deactivate()


async def test_it_keeps_nobody_waiting_for_long_and_finishes_when_it_goes_on(new_database: Callable[[], str]) -> None:
    url = new_database()
    storage = PostgresStorage(url, pool=3)
    await storage.open()
    assert await storage.write(count_up) == 1
    still = StandsStill(url, others=2)
    run = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(still.run())))
    await until_async(still.standing.is_set)

    assert await storage.write(count_up) == 2

    still.go_on.set()
    await run
    assert still.runs == 2
    assert await storage.write(count_up) == 6
    await storage.close()
