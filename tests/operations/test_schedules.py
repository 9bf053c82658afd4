"""Schedules in the database: each time is taken once, whoever looks, and what was changed meanwhile is not put in."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from realtime.errors import Conflict, NotFound
from realtime.operations import accounts, queue, schedules
from realtime.operations.queue import NewJob
from realtime.operations.schedules import Schedule
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import FAR_MS
from tests.support.desk import Q

NIGHTLY = Schedule("owner", "nightly", "0 3 * * *", "UTC", "once", "{}", False, 1_000, 0, "", "", 1)


@pytest.fixture
async def schedule(storage: Storage) -> Schedule:
    session = accounts.Session("token", "family", FAR_MS)
    await storage.write(accounts.make, "owner", "ann@example.org", "hash", session, 1)
    assert await storage.write(schedules.put, NIGHTLY)
    return NIGHTLY


def job(id_: str) -> Operation[str]:
    yield from queue.enqueue(NewJob("shop", id_, Q, "{}"), 2_000)
    return id_


async def fire(storage: Storage, seen: Schedule, id_: str = "1") -> list[str]:
    return await storage.write(schedules.fire, seen, 2_000, 1_000, [lambda: job(id_)])


async def jobs(storage: Storage) -> list[str]:
    def ask() -> Operation[list[str]]:
        return [row[0] for row in (yield Statement("select id from jobs order by id"))]

    return await storage.read(ask)


async def test_many_who_see_the_same_time_put_in_one(storage: Storage, schedule: Schedule) -> None:
    fired = await asyncio.gather(*(fire(storage, schedule, str(each)) for each in range(8)))

    (ids,) = [each for each in fired if each]
    assert await jobs(storage) == ids
    seen = await storage.read(schedules.one, "owner", "nightly")
    assert (seen.next_ms, seen.last_ms, seen.last_id) == (2_000, 1_000, ids[0])


@pytest.mark.parametrize("change", [{"cron": "0 4 * * *"}, {"body": '{"job":null}'}, {"paused": True}, {"next_ms": 5_000}])
async def test_what_was_changed_since_it_was_seen_is_not_put_in(storage: Storage, schedule: Schedule, change: dict[str, Any]) -> None:
    await storage.write(schedules.put, msgspec.structs.replace(schedule, **change))

    assert await fire(storage, schedule) == []
    assert await jobs(storage) == []


async def test_one_that_was_deleted_puts_nothing_in(storage: Storage, schedule: Schedule) -> None:
    await storage.write(schedules.remove, "owner", "nightly")

    assert await fire(storage, schedule) == []


async def test_a_put_that_fails_leaves_the_time_to_be_taken_again(storage: Storage, schedule: Schedule) -> None:
    await storage.write(job, "1")

    with pytest.raises(Conflict):  # its id is taken
        await fire(storage, schedule)
    assert await storage.read(schedules.due, 1_000, 10) == [schedule]


async def test_what_is_due_comes_the_earliest_first_and_nothing_that_is_paused(storage: Storage, schedule: Schedule) -> None:
    for name, next_ms, paused in (("later", 3_000, False), ("earlier", 500, False), ("paused", 400, True)):
        await storage.write(schedules.put, msgspec.structs.replace(schedule, name=name, next_ms=next_ms, paused=paused))

    assert [each.name for each in await storage.read(schedules.due, 2_000, 10)] == ["earlier", "nightly"]
    assert [each.name for each in await storage.read(schedules.due, 9_000, 2)] == ["earlier", "nightly"]
    assert await storage.read(schedules.first_ms) == 500


async def test_an_account_has_only_so_many(storage: Storage, schedule: Schedule) -> None:
    made = await asyncio.gather(
        *(storage.write(schedules.put, msgspec.structs.replace(schedule, name=f"{each}")) for each in range(schedules.MOST + 5)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, Conflict) for each in made) == 6
    assert len(await storage.read(schedules.every, "owner")) == schedules.MOST
    assert not await storage.write(schedules.put, msgspec.structs.replace(schedule, cron="0 5 * * *"))  # one of them may still be changed


async def test_one_that_is_not_there_is_not_found(storage: Storage, schedule: Schedule) -> None:
    for mine in (("owner", "weekly"), ("another", "nightly")):
        with pytest.raises(NotFound):
            await storage.read(schedules.one, *mine)
        with pytest.raises(NotFound):
            await storage.write(schedules.remove, *mine)
        with pytest.raises(NotFound):
            await storage.write(schedules.pause, *mine, paused=True, next_ms=1)
