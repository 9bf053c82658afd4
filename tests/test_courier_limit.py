"""However often the staff press, one phone or mailbox of a guest gets so many messages within a time and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from realtime import courier
from realtime.hookspecs import Permanent
from realtime.ladder import Step
from realtime.messages import CallNext, ChangeTicket
from realtime.model import Delivery
from realtime.operations import accounts, dead
from realtime.operations.changes import Change, owe
from realtime.storage.statement import Operation, Row, Statement
from tests.support.carrying import MakeWork, Work, a_shop, couriers, opened
from tests.support.evening import BASE, Evening, Owned, an_evening
from tests.support.waiting import until_async

PHONE, EMAIL = "+4915123456789", "ann@example.com"


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url, guest_messages_most=3, guest_messages_minutes=60) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open(ladder=[Step("text", 0), Step("mail", 0)], almost_at=0)


@pytest.fixture
async def work(database_url: str) -> AsyncIterator[Work]:
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        begin: MakeWork = make
        yield await begin(guest_messages_most=1)
    await storage.close()


def _told() -> Operation[list[Row]]:
    return list((yield Statement("select state, outcome from jobs where notifier = 'text' order by created_ms, length(id), id")))


async def press(evening: Evening, owned: Owned, ticket: int, times: int) -> None:
    """The staff call again and again, each time once the message before has ended."""
    for _ in range(times):
        await evening.reception.change_ticket(owned.account_id, owned.store_id, ticket, ChangeTicket("recall"))
        await ended(evening)


async def ended(evening: Evening) -> None:
    async def are() -> bool:
        found = await evening.storage.read(_told)
        return bool(found) and all(row[0] not in ("waiting", "leased") for row in found)

    await until_async(are, what="the end of every message")


async def called(evening: Evening, owned: Owned, *, phone: str = PHONE, email: str = "") -> int:
    """A party that was told that it joined, and is called."""
    await evening.join(owned, "Ann", phone=phone, email=email)
    await ended(evening)
    ticket = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())
    await ended(evening)
    return ticket.id


async def test_a_phone_gets_no_more_than_the_limit_and_the_staff_see_why(evening: Evening, owned: Owned) -> None:
    ticket = await called(evening, owned)

    await press(evening, owned, ticket, 3)

    assert [tuple(row) for row in await evening.storage.read(_told)] == [
        *[("done", "sent")] * 3,
        *[("cancelled", "This guest got 3 messages within the hour.")] * 2,
    ]
    assert len(evening.office.text.to(PHONE)) == 3
    (seen,) = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).tickets
    last = seen.notices[-1]
    assert (last.by, last.moment, last.state, last.why) == ("text", "called", "suppressed", "This guest got 3 messages within the hour.")
    assert await evening.storage.read(dead.letters, "deliveries", 9) == []


async def test_it_holds_after_a_restart_and_for_another_ticket_of_the_same_phone(database_url: str) -> None:
    async with an_evening(database_url, guest_messages_most=3) as before:
        owned = await before.open(ladder=[Step("text", 0)], almost_at=0)
        await press(before, owned, await called(before, owned), 1)

    async with an_evening(database_url, guest_messages_most=3) as after:
        await after.join(owned, "Ann", phone=PHONE, key="key of another browser")
        await ended(after)

        assert after.office.text.given == []


async def test_the_first_call_of_a_party_goes_however_many_went_before(evening: Evening, owned: Owned) -> None:
    await press(evening, owned, await called(evening, owned), 3)
    assert len(evening.office.text.to(PHONE)) == 3

    await evening.join(owned, "Ann's mother", phone=PHONE, key="key of another browser")
    await ended(evening)
    assert len(evening.office.text.to(PHONE)) == 3  # that she joined is one too many
    ticket = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())
    await ended(evening)
    assert len(evening.office.text.to(PHONE)) == 4

    await press(evening, owned, ticket.id, 1)
    assert len(evening.office.text.to(PHONE)) == 4


async def test_time_lets_messages_through_again(evening: Evening, owned: Owned) -> None:
    ticket = await called(evening, owned)
    await press(evening, owned, ticket, 2)
    assert len(evening.office.text.to(PHONE)) == 3

    evening.clock.ahead_ms += 61 * 60_000
    await press(evening, owned, ticket, 1)

    assert len(evening.office.text.to(PHONE)) == 4


async def test_a_mailbox_has_a_count_of_its_own(evening: Evening, owned: Owned) -> None:
    ticket = await called(evening, owned, email=EMAIL)
    await press(evening, owned, ticket, 2)
    await until_async(lambda: len(evening.office.mail.to(EMAIL)) == 3, what="the mails")

    assert len(evening.office.text.to(PHONE)) == 3


async def test_what_was_not_sent_does_not_count(evening: Evening, owned: Owned) -> None:
    ticket = await called(evening, owned)
    evening.office.text.answers += [Permanent("no credit")] * 2

    await press(evening, owned, ticket, 3)

    assert len(evening.office.text.to(PHONE)) == 5
    assert [row[0] for row in await evening.storage.read(_told)] == ["done"] * 3


async def test_what_is_only_kept_does_not_count(database_url: str) -> None:
    async with an_evening(database_url, guest_messages_most=1, capture_messages=True) as evening:
        owned = await evening.open(ladder=[Step("text", 0)], almost_at=0)

        await press(evening, owned, await called(evening, owned), 2)

        assert [row[1] for row in await evening.storage.read(_told)] == ["captured"] * 4


async def test_an_owner_gets_every_mail_and_a_plugin_tells_whom_it_likes(work: Work) -> None:
    owner, ticket = "owner@example.com", await work.shop.add("Ann", phone=PHONE)
    for number in range(3):
        mail = (Delivery("mail", owner, f"about {number}", {}),)
        await work.storage.write(accounts.tell, work.shop.account_id, mail, work.clock() + number)
        kitchen = Delivery("text", "kitchen", "called", {})
        await work.storage.write(_about, work.shop.store_id, f"{ticket.id}-{number}", ticket.id, kitchen, work.clock())
    work.courier.wake()

    await until_async(lambda: len(work.office.mail.to(owner)) == 3, what="the owner's mails")
    await until_async(lambda: len(work.text.to("kitchen")) == 3, what="what a plugin tells the kitchen")


def _about(store_id: str, cause: str, ticket: int, delivery: Delivery, now_ms: int) -> Operation[Change]:
    return Change(None, (), (yield from owe(store_id, cause, [delivery], now_ms, tickets=[ticket])))


@pytest.mark.parametrize(
    ("most", "minutes", "said"),
    [
        (10, 60, "This guest got 10 messages within the hour."),
        (1, 1, "This guest got 1 message within the minute."),
        (5, 90, "This guest got 5 messages within 90 minutes."),
    ],
)
def test_the_limit_is_said_as_people_say_it(most: int, minutes: int, said: str) -> None:
    assert courier.too_many(most, minutes) == said
