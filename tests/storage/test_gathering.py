"""What waits while the same is being done: who is let down by what, without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from realtime.errors import NotFound, StorageBusy, StorageFailed, Unavailable
from realtime.storage.gathering import MOST, Gathering
from realtime.storage.statement import Operation, Statement, Together


def _one(store_id: str, name: str) -> Operation[str]:
    yield Statement(name)
    return name


def _many(calls: Sequence[Any]) -> Operation[list[str]]:
    yield Statement(" ".join(name for _, name in calls))
    return [name for _, name in calls]


put = Together(_one, _many)


class Database:
    """Fails what it is told to fail, by the text of the statement; holds everything while it is held."""

    def __init__(self, most: int = 1000, patience_s: float = 60.0) -> None:
        self.done: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.free = asyncio.Event()
        self.free.set()
        self.no_line: Exception | None = None
        self.gathering = Gathering(self.in_line, self.attempt, most, patience_s)

    async def in_line(self, name: str, act: Callable[[], Coroutine[Any, Any, None]], about: str) -> None:
        assert about
        if self.no_line:
            raise self.no_line
        await act()

    async def attempt(self, make: Callable[[], Operation[Any]], name: str) -> Any:
        operation = make()
        said = next(operation).sql
        await self.free.wait()
        self.done.append(said)
        if error := self.fails.get(said):
            raise error
        try:
            operation.send([])
        except StopIteration as stop:
            return stop.value

    async def put(self, *names: str, store_id: str = "shop") -> list[Any]:
        """All at once, while a first one is under way."""
        self.free.clear()
        first = asyncio.ensure_future(self.gathering.run(put, (store_id, "first"), None))
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(self.gathering.run(put, (store_id, name), None)) for name in names]
        await asyncio.sleep(0)
        self.free.set()
        return (await asyncio.gather(first, *rest, return_exceptions=True))[1:]


async def test_what_came_meanwhile_is_done_together() -> None:
    database = Database()

    assert await database.put("a", "b", "c") == ["a", "b", "c"]
    assert database.done == ["first", "a b c"]
    assert await database.gathering.run(put, ("shop", "later"), None) == "later"


async def test_no_more_than_so_many_are_done_together() -> None:
    database = Database()
    wanted = [f"n{number}" for number in range(MOST + 1)]

    assert await database.put(*wanted) == wanted
    assert database.done == ["first", " ".join(wanted[:MOST]), wanted[MOST]]


async def test_other_stores_do_not_wait() -> None:
    database = Database()
    database.free.clear()
    calls = [asyncio.ensure_future(database.gathering.run(put, (store_id, store_id), None)) for store_id in ("shop", "bar")]
    await asyncio.sleep(0)
    database.free.set()

    assert await asyncio.gather(*calls) == ["shop", "bar"]
    assert sorted(database.done) == ["bar", "shop"]


async def test_where_one_cannot_be_each_says_for_itself() -> None:
    database = Database()
    database.fails = {"a b c": NotFound(), "b": NotFound()}

    a, b, c = await database.put("a", "b", "c")

    assert [a, c] == ["a", "c"]
    assert isinstance(b, NotFound)


async def test_what_may_have_happened_is_not_tried_again() -> None:
    database = Database()
    database.fails = {"a b": Unavailable()}

    assert [type(each) for each in await database.put("a", "b")] == [Unavailable, Unavailable]
    assert database.done == ["first", "a b"]


async def test_a_database_that_is_broken_is_asked_once_more_and_not_by_each() -> None:
    database = Database()
    database.fails = {"a b c": StorageFailed(), "a": StorageFailed()}

    assert [type(each) for each in await database.put("a", "b", "c")] == [StorageFailed] * 3
    assert database.done == ["first", "a b c", "a"]


async def test_who_cannot_have_a_connection_is_told_and_the_next_may_try() -> None:
    database = Database()
    database.no_line = StorageBusy(retry_after=1)
    with pytest.raises(StorageBusy):
        await database.gathering.run(put, ("shop", "a"), None)

    database.no_line = None

    assert await database.gathering.run(put, ("shop", "b"), None) == "b"


async def test_too_many_and_too_long_are_refused() -> None:
    database = Database(most=3)
    a, b, c = await database.put("a", "b", "c")
    assert (a, b) == ("a", "b")
    assert isinstance(c, StorageBusy)

    hasty = Database(patience_s=-1.0)
    assert [type(each) for each in await hasty.put("a")] == [StorageBusy]
    assert hasty.done == []


async def test_who_went_away_is_left_out() -> None:
    database = Database()
    database.free.clear()
    first = asyncio.ensure_future(database.gathering.run(put, ("shop", "first"), None))
    await asyncio.sleep(0)
    gone, stays = (asyncio.ensure_future(database.gathering.run(put, ("shop", name), None)) for name in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    database.free.set()

    assert list(await asyncio.gather(first, stays)) == ["first", "stays"]
    assert database.done == ["first", "stays"]
