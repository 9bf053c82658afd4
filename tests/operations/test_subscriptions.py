"""Push subscriptions: which browsers are notified of a ticket, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from realtime.errors import StoreClosed, TicketNotFound, WrongState
from realtime.model import Action, Subscription, Ticket
from realtime.operations import reports, stores, subscriptions, tickets
from realtime.storage.statement import Operation, Row, Statement
from tests.operations.conftest import Shop

NOW = 4_000


def browser(name: str, p256dh: str = "point") -> Subscription:
    return Subscription(name, f"https://push.example.com/{name}", p256dh, "auth")


async def asked(shop: Shop, ticket: Ticket, name: str, now_ms: int = NOW, p256dh: str = "point") -> None:
    await shop.storage.write(subscriptions.subscribe, shop.store_id, [ticket.id], browser(name, p256dh), now_ms)


async def notified(shop: Shop, ticket: Ticket) -> list[str]:
    """The browsers of a ticket, which its row and their own rows must agree on."""
    on_ticket = (await shop.storage.read(tickets.one, shop.store_id, ticket.id)).push.split()
    assert on_ticket == [row[0] for row in await shop.storage.read(_ids, shop.store_id, ticket.id)]
    return on_ticket


def _ids(store_id: str, ticket_id: int) -> Operation[list[Row]]:
    return (yield Statement("select id from push_subscriptions where store_id = $1 and ticket_id = $2 order by id", (store_id, ticket_id)))


def _all() -> Operation[list[Row]]:
    return (yield Statement("select store_id from push_subscriptions", ()))


async def test_a_browser_is_kept_with_its_ticket_and_again_is_the_same(shop: Shop) -> None:
    ann, bo = await shop.add("Ann"), await shop.add("Bo")
    before = (await shop.storage.read(stores.one, shop.store_id)).seq

    await asked(shop, ann, "phone")
    await asked(shop, ann, "phone", NOW + 1, p256dh="other point")

    assert await notified(shop, ann) == ["phone"]
    assert await notified(shop, bo) == []
    assert await shop.storage.read(subscriptions.one, shop.store_id, ann.id, "phone") == browser("phone", "other point")
    assert await shop.storage.read(subscriptions.one, shop.store_id, bo.id, "phone") is None
    assert (await shop.storage.read(stores.one, shop.store_id)).seq == before, "nobody is told, so no event is missing"


async def test_one_browser_is_notified_of_all_parties_that_joined_with_it(shop: Shop) -> None:
    both = [await shop.add("Ann"), await shop.add("Bo")]

    await shop.storage.write(subscriptions.subscribe, shop.store_id, [each.id for each in both], browser("phone"), NOW)

    assert [await notified(shop, each) for each in both] == [["phone"], ["phone"]]
    assert await shop.storage.read(subscriptions.of_tickets, shop.store_id, [each.id for each in both]) == ["phone"]


async def test_a_few_browsers_are_kept_and_the_oldest_gives_way(shop: Shop) -> None:
    ticket = await shop.add()
    for number in range(subscriptions.MOST + 2):
        await asked(shop, ticket, f"phone-{number}", NOW + number)

    assert await notified(shop, ticket) == ["phone-2", "phone-3", "phone-4"]


async def test_of_several_in_one_moment_the_last_one_is_kept(shop: Shop) -> None:
    ticket = await shop.add()
    for name in "dcba":
        await asked(shop, ticket, name)
    await asked(shop, ticket, "e")

    assert "e" in await notified(shop, ticket)
    assert len(await notified(shop, ticket)) == subscriptions.MOST


async def test_many_at_once_are_one_after_another(shop: Shop) -> None:
    ticket = await shop.add()

    await asyncio.gather(*(asked(shop, ticket, f"phone-{number}") for number in range(8)))

    assert len(await notified(shop, ticket)) == subscriptions.MOST


async def test_one_is_forgotten_or_all(shop: Shop) -> None:
    ticket = await shop.add()
    for name in ("one", "two", "three"):
        await asked(shop, ticket, name)

    assert await shop.storage.write(subscriptions.forget, shop.store_id, [ticket.id], "two") == 1
    assert await shop.storage.write(subscriptions.forget, shop.store_id, [ticket.id], "two") == 0
    assert await notified(shop, ticket) == ["one", "three"]

    assert await shop.storage.write(subscriptions.forget, shop.store_id, [ticket.id]) == 2
    assert await notified(shop, ticket) == []
    assert await shop.storage.write(subscriptions.forget, "nowhere", [ticket.id]) == 0


async def test_of_a_ticket_that_has_ended_nobody_is_notified(shop: Shop) -> None:
    gone, here = await shop.add("Ann"), await shop.add("Bo")
    await shop.storage.write(tickets.change, shop.store_id, gone.id, Action.LEAVE, "", None, NOW)

    with pytest.raises(WrongState, match="This ticket has ended"):
        await asked(shop, gone, "phone")
    await shop.storage.write(subscriptions.subscribe, shop.store_id, [gone.id, here.id], browser("phone"), NOW)

    assert await notified(shop, gone) == []
    assert await notified(shop, here) == ["phone"]
    with pytest.raises(TicketNotFound):
        await shop.storage.write(subscriptions.subscribe, shop.store_id, [here.id, 999], browser("other"), NOW)
    assert await notified(shop, here) == ["phone"]


async def test_a_closed_store_takes_none_but_lets_them_go(shop: Shop) -> None:
    ticket = await shop.add()
    await asked(shop, ticket, "phone")
    await shop.storage.write(stores.close, shop.store_id, NOW)

    with pytest.raises(StoreClosed):
        await asked(shop, ticket, "other")
    assert await shop.storage.write(subscriptions.forget, shop.store_id, [ticket.id], "phone") == 1


async def test_they_are_deleted_with_the_store(shop: Shop) -> None:
    ticket = await shop.add()
    for name in ("one", "two"):
        await asked(shop, ticket, name)
    await shop.storage.write(stores.close, shop.store_id, NOW)
    await shop.storage.write(reports.finish, shop.store_id, 1, [], lambda account: [], NOW)
    await shop.storage.write(reports.decide, shop.store_id, NOW)

    while await shop.storage.write(reports.delete_some, shop.store_id, 1):
        continue

    assert await shop.storage.read(_all) == []


async def test_tickets_that_are_not_there_are_not_held(shop: Shop) -> None:
    ticket = await shop.add()

    assert await shop.storage.read(subscriptions.held, shop.store_id, [ticket.id, 999]) == [ticket.id]
    assert await shop.storage.read(subscriptions.held, "nowhere", [ticket.id]) == []
