"""The courier hands a notifier the browser that its delivery goes to, and forgets those that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.hookspecs import Gone, Outcome, Permanent, Retry
from realtime.keys import Keys
from realtime.model import Delivery, JobState, Subscription
from realtime.operations import subscriptions, tickets
from realtime.operations.changes import Change, owe
from realtime.storage.statement import Operation
from tests.plugins.office import Brings, load
from tests.support.carrying import MakeWork, Work, a_shop, couriers, opened
from tests.support.evening import Office, Post
from tests.support.waiting import until_async

PHONE = Subscription("phone", "https://push.example.com/secret", "point", "auth")


class Browsers(Post):
    """A notifier that carries to browsers."""

    push_key = "its public key"


@pytest.fixture
async def at_work(database_url: str) -> AsyncIterator[MakeWork]:
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        yield make
    await storage.close()


def office(notifier: Post) -> Office:
    made = Office()
    made.text = notifier
    return made


async def called(work: Work) -> int:
    """A ticket whose phone is owed a notification; the ticket's id."""
    ticket = await work.shop.add()
    await work.shop.call_next()
    await work.storage.write(subscriptions.subscribe, work.shop.store_id, [ticket.id], PHONE, 1)
    await work.storage.write(_owe, work.shop.store_id, ticket.id, Delivery("text", PHONE.id, "called", {}), work.clock() - 60_000)
    work.courier.wake()
    return ticket.id


def _owe(store_id: str, ticket_id: int, delivery: Delivery, now_ms: int) -> Operation[Change]:
    return Change(None, (), (yield from owe(store_id, "call", [delivery], now_ms, tickets=[ticket_id])))


async def notified(work: Work, ticket_id: int) -> str:
    return (await work.storage.read(tickets.one, work.shop.store_id, ticket_id)).push


async def test_a_notifier_of_browsers_is_given_the_browser(at_work: MakeWork) -> None:
    work = await at_work(office(Browsers("text")))

    ticket_id = await called(work)
    await work.until(JobState.DONE)

    assert [each.subscription for each in work.text.given] == [PHONE]
    assert await notified(work, ticket_id) == "phone"


async def test_no_other_notifier_is(at_work: MakeWork) -> None:
    work = await at_work()

    await called(work)
    await work.until(JobState.DONE)

    assert [each.subscription for each in work.text.given] == [None]


async def test_a_browser_that_is_gone_is_forgotten_and_the_staff_see_that_nobody_was_reached(at_work: MakeWork) -> None:
    work = await at_work(office(Browsers("text")))
    work.text.answers.append(Gone("The browser's subscription has ended."))

    ticket_id = await called(work)
    await work.until(JobState.DEAD)

    ticket = await work.storage.read(tickets.one, work.shop.store_id, ticket_id)
    assert ticket.push == ""
    assert '"state":"failed","at_ms"' in ticket.notices
    assert await work.storage.read(subscriptions.one, work.shop.store_id, ticket_id, PHONE.id) is None


@pytest.mark.parametrize("outcome", [Permanent("too long"), Retry("busy")], ids=["permanent", "retry"])
async def test_one_that_was_not_reached_for_another_reason_stays(at_work: MakeWork, outcome: Outcome) -> None:
    work = await at_work(office(Browsers("text")))
    work.text.answers.append(outcome)

    ticket_id = await called(work)
    await until_async(lambda: work.text.given, what="the delivery")
    await work.until(JobState.DEAD if isinstance(outcome, Permanent) else JobState.WAITING)

    assert await notified(work, ticket_id) == "phone"


async def test_one_that_took_it_back_meanwhile_is_not_named(at_work: MakeWork) -> None:
    work = await at_work(office(Browsers("text")))
    ticket = await work.shop.add()
    await work.storage.write(_owe, work.shop.store_id, ticket.id, Delivery("text", PHONE.id, "called", {}), work.clock() - 60_000)
    work.courier.wake()

    await work.until(JobState.DONE)

    assert [each.subscription for each in work.text.given] == [None]


# ---- secrets of notifiers


class Keeper(Post):
    def __init__(self, name: str, push_key: object = "") -> None:
        super().__init__(name)
        self.push_key = push_key
        self.secret = b""

    def use_secret(self, secret: bytes) -> None:
        if self.name == "broken":
            raise RuntimeError
        self.secret = secret


async def test_each_notifier_has_a_secret_of_its_own_that_stays_the_same() -> None:
    one, two, broken = Keeper("one"), Keeper("two"), Keeper("broken")
    registry = await asyncio.to_thread(load, ("a", Brings(broken)), ("b", Brings(one)), ("c", Brings(two)), ("d", Brings(Post("plain"))))

    registry.begin(Keys("k" * 40).plugin_secret)
    first = one.secret
    registry.begin(Keys("k" * 40).plugin_secret)

    assert len(first) == 32
    assert one.secret == first != two.secret
    assert {info.name: info.failures for info in registry.plugins()} == {"a": 2, "b": 0, "c": 0, "d": 0}
    registry.begin(Keys("o" * 40).plugin_secret)
    assert one.secret != first
    await registry.close()


async def test_a_key_that_is_none_offers_nothing() -> None:
    found = [
        ("a", Brings(Keeper("one", "a key"))),
        ("b", Brings(Keeper("two", 7))),
        ("c", Brings(Keeper("three"))),
        ("d", Brings(Post("p"))),
    ]
    registry = await asyncio.to_thread(load, *found)

    assert registry.push_keys() == {"one": "a key"}
    await registry.close()
