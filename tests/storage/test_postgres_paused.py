"""A process that stands still in the middle of its transactions, as one on a machine that is moved, or is lost without a word."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from blockbuster import BlockBuster

from realtime.storage.postgres import PostgresStorage
from realtime.storage.statement import Operation, Statement, one
from tests.storage.steps import count_up
from tests.support.waiting import until_async

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

LATE = "select $1::bigint + 4"


class StandsStill:
    """Holds a row in one transaction, has others wait for it behind, and stops with all of them until it is let go."""

    statement_seconds = 10.0

    def __init__(self, url: str, others: int) -> None:
        self._storage = PostgresStorage(url, pool=others + 1, statement_seconds=self.statement_seconds, idle_seconds=1.0)
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
            yield from self._stand_still()

    def _stand_still(self) -> Operation[None]:
        """Between two statements."""
        self.stop()
        yield from ()

    def stop(self) -> None:
        self.standing.set()
        assert self.go_on.wait(60)


class StandsStillWithin(StandsStill):
    """It has asked the server what a statement wants, and stops before it says with what to run it."""

    statement_seconds = 2.0

    def _stand_still(self) -> Operation[None]:
        yield Statement("select $1::bigint + 17", (_Stops(self.stop),))


class _Stops:
    """A number that is asked for when it is written to the server."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def __index__(self) -> int:
        self._stop()
        return 0


@pytest.fixture(autouse=True)
def a_process_may_stand_still(blocking_is_an_error: BlockBuster) -> None:
    blocking_is_an_error.deactivate()


@pytest.mark.parametrize(("kind", "others"), [(StandsStill, 2), (StandsStillWithin, 0)])
async def test_it_keeps_nobody_waiting_for_long_and_finishes_when_it_goes_on(
    new_database: Callable[[], str], kind: type[StandsStill], others: int
) -> None:
    url = new_database()
    storage = PostgresStorage(url, pool=3)
    await storage.open()
    assert await storage.write(count_up) == 1
    still = kind(url, others)
    run = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(still.run())))
    await until_async(still.standing.is_set)

    assert await storage.write(count_up) == 2

    still.go_on.set()
    await run
    assert still.runs == 2
    assert await storage.write(count_up) == 4 + others
    await storage.close()


async def test_what_an_operation_will_ask_for_is_known_to_every_connection_before_it_holds_anything(
    new_database: Callable[[], str],
) -> None:
    """So that there is no moment at which the server waits for the rest of a statement while the operation holds rows."""
    storage = PostgresStorage(new_database(), pool=3)
    await storage.open()
    inside = 0

    def work(together: int) -> Operation[tuple[int, int]]:
        nonlocal inside
        (pid,) = (yield from one("select pg_backend_pid()")) or ()
        inside += 1
        while inside < together:
            yield Statement("select 1")
        (known,) = (yield from one("select count(*) from pg_prepared_statements where statement = $1", LATE)) or ()
        yield Statement(LATE, (1,))
        return pid, known

    assert (await storage.write(work, 1))[1] == 0, "nobody can know it the first time"
    inside = 0
    found = await asyncio.gather(*(storage.write(work, 3) for _ in range(3)))

    assert len({pid for pid, _ in found}) == 3
    assert [known for _, known in found] == [1, 1, 1]
    await storage.close()
