"""Every broker under the same expectations: what is told to one is heard by the others, and after a cut everybody catches up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from blockbuster import BlockBuster

from realtime import broker as broker_module
from realtime.broker import Broker, NoBroker, PostgresBroker, ValkeyBroker
from realtime.model import Event
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async


def event(store_id: str, seq: int) -> tuple[Event, ...]:
    return (Event(store_id, seq, 0, "ticket", "{}", "{}"),)


class Ear:
    """One process's broker, and what it heard."""

    def __init__(self, make: Callable[..., Broker]) -> None:
        self.heard: list[tuple[str, int]] = []
        self.caught_up = 0
        self.broker = make(self._reached, self._catch_up)
        self.task = asyncio.create_task(self.broker.run())

    def _reached(self, store_id: str, seq: int) -> None:
        self.heard.append((store_id, seq))

    def _catch_up(self) -> None:
        self.caught_up += 1

    async def connected(self, times: int = 1) -> None:
        await until_async(lambda: self.caught_up >= times, what="the connection")

    async def hears(self, store_id: str, seq: int) -> None:
        await until_async(lambda: (store_id, seq) in self.heard, what=f"{store_id} {seq}")


class Cable:
    """What joins the brokers of one test, and how it is cut."""

    def __init__(self, make: Callable[..., Broker], cut: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.make = make
        self.cut = cut
        self.ears: list[Ear] = []

    async def ear(self) -> Ear:
        ear = Ear(self.make)
        self.ears.append(ear)
        await ear.connected()
        return ear


@pytest.fixture(params=["postgres", "valkey"])
async def cable(request: pytest.FixtureRequest, blocking_is_an_error: BlockBuster) -> AsyncIterator[Cable]:
    for blocking in blocking_is_an_error.functions.values():
        # For every new connection redis-py looks up which version it is.
        blocking.can_block_in("redis/utils.py", {"get_lib_version"})
    if request.param == "postgres":
        cable = _postgres(request.getfixturevalue("postgres_server"), request.getfixturevalue("new_database")())
    else:
        cable = _valkey(request.getfixturevalue("valkey_server"))
    yield cable
    for ear in cable.ears:
        ear.task.cancel()
    await asyncio.gather(*(ear.task for ear in cable.ears), return_exceptions=True)


def _postgres(server: PostgresServer, url: str) -> Cable:
    async def cut() -> None:
        kill = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike '%listen%' and pid <> pg_backend_pid()"
        await asyncio.to_thread(server.sql, kill)

    return Cable(lambda *told: PostgresBroker(url, *told), cut)


def _valkey(server: ValkeyServer) -> Cable:
    async def cut() -> None:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)

    return Cable(lambda *told: ValkeyBroker(server.url, *told), cut)


async def test_what_is_told_to_one_is_heard_by_the_others(cable: Cable) -> None:
    ears = [await cable.ear() for _ in range(3)]

    ears[0].broker.tell(event("shop", 7))
    ears[1].broker.tell((*event("shop", 8), *event("bar", 1)))

    for ear in ears:
        await ear.hears("shop", 8)
        await ear.hears("bar", 1)


async def test_of_many_changes_in_a_row_the_newest_is_enough(cable: Cable) -> None:
    one, other = await cable.ear(), await cable.ear()

    for seq in range(1, 501):
        one.broker.tell(event("shop", seq))

    await other.hears("shop", 500)
    assert len(other.heard) <= 2


async def test_a_change_that_is_told_late_does_not_take_the_news_back(cable: Cable) -> None:
    one, other = await cable.ear(), await cable.ear()

    one.broker.tell((*event("shop", 9), *event("shop", 8)))

    await other.hears("shop", 9)


async def test_nothing_to_tell_is_nothing_told(cable: Cable) -> None:
    one, other = await cable.ear(), await cable.ear()

    one.broker.tell(())
    one.broker.tell(event("shop", 1))

    await other.hears("shop", 1)
    assert other.heard == [("shop", 1)]


async def test_after_a_cut_everybody_is_joined_again_and_catches_up(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "WATCH_S", 60.0)  # the cut is noticed by itself, not at the next look
    one, other = await cable.ear(), await cable.ear()

    await cable.cut()

    await one.connected(2)
    await other.connected(2)
    one.broker.tell(event("shop", 3))
    await other.hears("shop", 3)


async def test_what_is_told_while_the_connection_is_cut_is_sent_afterwards(cable: Cable) -> None:
    one, other = await cable.ear(), await cable.ear()

    cutting = asyncio.create_task(cable.cut())
    for seq in range(1, 200):
        one.broker.tell((*event("shop", seq), *event("bar", seq)))
        await asyncio.sleep(0.001)
    await cutting

    await other.hears("shop", 199)
    await other.hears("bar", 199)


async def test_who_hears_nothing_for_a_while_looks_for_itself(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that died between its commit and its announcement told nobody."""
    monkeypatch.setattr(broker_module, "WATCH_S", 0.05)
    ear = await cable.ear()

    await ear.connected(4)


async def test_telling_waits_for_nothing_and_never_raises_though_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = [PostgresBroker("postgresql://x:y@127.0.0.1:1/z", _nobody, _nothing), ValkeyBroker("redis://127.0.0.1:1", _nobody, _nothing)]
    for broker in nowhere:
        running = asyncio.create_task(broker.run())
        for seq in range(10):
            broker.tell(event("shop", seq))
            await asyncio.sleep(0.01)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_words_that_are_no_announcement_are_passed_over(cable: Cable) -> None:
    one, other = await cable.ear(), await cable.ear()
    assert isinstance(one.broker, PostgresBroker | ValkeyBroker)

    for odd in ("", " ", "shop", "shop ", "shop x", "shop ²", " 1", "shop -1"):
        one.broker._heard(odd)
    one.broker.tell(event("shop", 1))

    await other.hears("shop", 1)
    assert one.heard in ([], [("shop", 1)])


async def test_alone_there_is_nobody_to_tell() -> None:
    broker = NoBroker()
    running = asyncio.create_task(broker.run())
    broker.tell(event("shop", 1))
    await asyncio.sleep(0)

    assert not running.done()
    running.cancel()


def _nobody(store_id: str, seq: int) -> None:
    raise AssertionError("nobody is there to be heard")


def _nothing() -> None:
    raise AssertionError("nobody is there to catch up with")
