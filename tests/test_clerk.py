"""Commit, then tell: in this order, whatever becomes of the caller, and never one without the other."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from realtime.app import make_storage
from realtime.clerk import Clerk, Tasks
from realtime.errors import NobodyWaiting, Restarting, StorageFailed
from realtime.model import Event
from realtime.operations import joining, stores, tickets
from realtime.operations.changes import Change
from realtime.settings import Settings
from realtime.storage.statement import Operation, Storage
from tests.operations.conftest import Shop


class Ear:
    """Somebody who is told, and remembers in which order with the others."""

    def __init__(self, name: str, heard: list[tuple[str, int]]) -> None:
        self._name = name
        self._heard = heard

    def tell(self, events: tuple[Event, ...]) -> None:
        self._heard += [(self._name, event.seq) for event in events]


class Office:
    """A clerk on a shop, with two ears and a courier that counts how often it is woken."""

    def __init__(self, storage: Storage) -> None:
        self.heard: list[tuple[str, int]] = []
        self.clerk = Clerk(storage, (Ear("first", self.heard), Ear("second", self.heard)), self._wake)

    def _wake(self) -> None:
        self.heard.append(("courier", 0))


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    settings = await asyncio.to_thread(partial(Settings.defaults, database_url=database_url))
    shop = Shop(await asyncio.to_thread(make_storage, settings))
    await shop.storage.open()
    await shop.open()
    yield shop
    await shop.storage.close()


def _join(shop: Shop, phone: str = "") -> tuple[Any, ...]:
    return joining.join, shop.store_id, (joining.Guest("A", "Ann", phone, "", 1),), None, shop.rules, 2_000


async def _seq(shop: Shop) -> int:
    return (await shop.storage.read(stores.one, shop.store_id)).seq


async def test_what_is_committed_is_told_to_everybody_in_turn_and_then_carried(shop: Shop) -> None:
    office = Office(shop.storage)

    made = await office.clerk.change(*_join(shop, "+1"))

    assert made[0].id == await _seq(shop)
    assert office.heard == [("first", made[0].id), ("second", made[0].id), ("courier", 0)]


async def test_the_courier_sleeps_on_when_nothing_is_owed(shop: Shop) -> None:
    office = Office(shop.storage)
    await office.clerk.change(*_join(shop))

    assert ("courier", 0) not in office.heard


async def test_nobody_is_told_of_a_change_that_was_refused(shop: Shop) -> None:
    before = await _seq(shop)
    office = Office(shop.storage)
    with pytest.raises(NobodyWaiting):
        await office.clerk.change(tickets.call_next, shop.store_id, "A", "", shop.rules, 2_000)

    assert office.heard == []
    assert await _seq(shop) == before


async def test_nobody_is_told_of_a_change_that_could_not_be_committed(shop: Shop) -> None:
    class Failing:
        async def write_and_tell(self, tell: Callable[..., None], make: Callable[..., Operation[Any]], /, *args: Any, **kwargs: Any) -> Any:
            raise StorageFailed

    office = Office(Failing())  # type: ignore[arg-type]  # the clerk only writes
    with pytest.raises(StorageFailed):
        await office.clerk.change(*_join(shop))

    assert office.heard == []


@pytest.mark.parametrize("turns", range(12))
async def test_a_caller_that_goes_away_at_any_moment_leaves_both_or_neither(shop: Shop, turns: int) -> None:
    before = await _seq(shop)
    office = Office(shop.storage)
    caller = asyncio.create_task(office.clerk.change(*_join(shop, "+1")))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})
    await shop.storage.close()  # finishes what was accepted
    await shop.storage.open()

    after = await _seq(shop)
    told = [seq for name, seq in office.heard if name == "first"]
    assert told == list(range(before + 1, after + 1))
    assert office.heard.count(("courier", 0)) == len(told)


async def test_a_listener_that_fails_takes_nobody_elses_answer_away(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    class Deaf:
        def tell(self, events: tuple[Event, ...]) -> None:
            raise ValueError("broken")

    clerk = Clerk(shop.storage, (Deaf(),), lambda: None)

    made = await asyncio.gather(*(clerk.change(*_join(shop)) for _ in range(3)))

    assert len({ticket.id for (ticket,) in made}) == 3
    assert caplog.messages.count("A committed change could not be told") == 3


async def test_many_changes_of_one_store_are_each_told_once(shop: Shop) -> None:
    office = Office(shop.storage)
    before = await _seq(shop)
    await asyncio.gather(*(office.clerk.change(*_join(shop)) for _ in range(30)))

    told = [seq for name, seq in office.heard if name == "first"]
    assert sorted(told) == list(range(before + 1, before + 31))


async def test_a_change_without_events_tells_nothing_and_gives_its_value(shop: Shop) -> None:
    def nothing() -> Operation[Change]:
        yield from stores.one(shop.store_id)
        return Change("value")

    office = Office(shop.storage)

    assert await office.clerk.change(nothing) == "value"
    assert office.heard == []


# ---- tasks --------------------------------------------------------------------------------------------------------


async def _fail() -> None:
    raise ValueError("broken")


async def test_one_failure_is_its_own_callers_and_ends_nothing_else() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        gate = asyncio.Event()
        other = tasks.run(gate.wait())
        with pytest.raises(ValueError, match="broken"):
            await tasks.run(_fail())
        gate.set()

        assert await other is True


async def test_work_that_nobody_waits_for_is_named_in_the_log_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.TaskGroup() as group:
        Tasks(group).start("sweeping", _fail())

    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == ["sweeping failed"]


async def test_what_has_to_go_on_is_begun_anew_after_a_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("realtime.clerk._ANEW_S", 0.001)
    begun = asyncio.Queue[int]()

    async def twice() -> None:
        begun.put_nowait(1)
        if begun.qsize() < 2:
            raise ValueError

    async with asyncio.TaskGroup() as group:
        Tasks(group).keep("sweep", twice)

    assert begun.qsize() == 2
    assert "sweep failed and is begun anew" in caplog.text


async def test_after_the_end_no_work_is_begun_and_no_caller_is_left_waiting() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.end()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()

    tasks.start("late", work())
    with pytest.raises(Restarting):
        await tasks.run(work())

    assert not begun.is_set()


async def test_a_change_that_outlives_those_it_tells_is_committed_and_answered(shop: Shop) -> None:
    """At the end of a process the sockets' work ends first; what was accepted is still finished."""

    class Starts:
        def __init__(self, tasks: Tasks) -> None:
            self.tasks = tasks

        def tell(self, events: tuple[Event, ...]) -> None:
            self.tasks.start("telling", asyncio.sleep(0))

    async with asyncio.TaskGroup() as background:
        beside = Tasks(background)
        beside.end()
    clerk = Clerk(shop.storage, (Starts(beside),), lambda: None)

    made = await clerk.change(*_join(shop))

    assert made[0].id == await _seq(shop)


async def test_work_that_is_cancelled_before_it_began_is_closed() -> None:
    async def work() -> None:
        """Does nothing."""

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        told, awaited = work(), work()
        tasks.start("work", told)
        tasks.run(awaited)
        tasks.end()
    await asyncio.sleep(0)

    assert [inspect.getcoroutinestate(each) for each in (told, awaited)] == [inspect.CORO_CLOSED] * 2
