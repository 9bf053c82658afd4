"""One read for all who asked before it began, and never an older one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.clerk import Tasks
from realtime.errors import StorageFailed
from realtime.lookup import Lookup


class Shelf:
    """What is looked up. Each read takes until it is let go, and finds what was there when it began."""

    def __init__(self) -> None:
        self.there = 0
        self.reads = 0
        self.fails = False
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Semaphore(0)

    async def read(self, key: str) -> str:
        self.reads += 1
        found = f"{key} {self.there}"
        self.begun.release()
        await self.may_end.acquire()
        if self.fails:
            raise StorageFailed
        return found


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        yield tasks
        tasks.end()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def lookup(shelf: Shelf, tasks: Tasks) -> Lookup[str, str]:
    return Lookup(tasks, shelf.read)


async def test_all_who_ask_at_once_are_answered_by_one_read(shelf: Shelf, lookup: Lookup[str, str]) -> None:
    shelf.may_end.release()

    assert await asyncio.gather(*(lookup.of("a") for _ in range(100))) == ["a 0"] * 100
    assert shelf.reads == 1


async def test_who_asks_while_a_read_is_under_way_has_the_next_one(shelf: Shelf, lookup: Lookup[str, str]) -> None:
    first = asyncio.ensure_future(lookup.of("a"))
    await shelf.begun.acquire()
    shelf.there = 1
    later = [asyncio.ensure_future(lookup.of("a")) for _ in range(10)]
    await asyncio.sleep(0)
    shelf.may_end.release()
    shelf.may_end.release()

    assert await first == "a 0"
    assert await asyncio.gather(*later) == ["a 1"] * 10
    assert shelf.reads == 2


async def test_each_key_is_read_by_itself(shelf: Shelf, lookup: Lookup[str, str]) -> None:
    both = asyncio.gather(lookup.of("a"), lookup.of("b"))
    await shelf.begun.acquire()
    await shelf.begun.acquire()  # neither waits for the other
    shelf.may_end.release()
    shelf.may_end.release()

    assert tuple(await both) == ("a 0", "b 0")


async def test_a_read_that_fails_fails_for_all_who_wait_for_it_and_the_next_one_is_made(shelf: Shelf, lookup: Lookup[str, str]) -> None:
    shelf.fails = True
    waiting = [asyncio.ensure_future(lookup.of("a")) for _ in range(3)]
    await shelf.begun.acquire()
    next_one = asyncio.ensure_future(lookup.of("a"))
    await asyncio.sleep(0)
    shelf.may_end.release()
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    shelf.fails = False
    shelf.may_end.release()

    assert [type(each) for each in failed] == [StorageFailed] * 3
    assert await next_one == "a 0"


async def test_who_goes_away_takes_nobody_elses_read_along(shelf: Shelf, lookup: Lookup[str, str]) -> None:
    leaves, stays = asyncio.ensure_future(lookup.of("a")), asyncio.ensure_future(lookup.of("a"))
    await shelf.begun.acquire()
    leaves.cancel()
    await asyncio.wait((leaves,))
    shelf.may_end.release()

    assert await stays == "a 0"
