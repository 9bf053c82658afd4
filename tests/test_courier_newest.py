"""Of what waits for a party only the newest is sent: nobody hears that it is almost their turn once they are called, or of one call twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from realtime.hookspecs import Retry
from realtime.messages import CallNext, ChangeTicket
from realtime.operations.escalation import OVER
from realtime.operations.guest_messages import NEWER, NO_PLACE
from realtime.storage.statement import Operation, Row, Statement
from tests.support.evening import Evening, Owned, an_evening
from tests.support.waiting import until_async

PHONE, OTHER = "+4915123456789", "+4915187654321"


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


def _told(recipient: str) -> Operation[list[Row]]:
    return list(
        (yield Statement("select moment, state, outcome from jobs where recipient = $1 order by created_ms, length(id), id", (recipient,)))
    )


async def refuse(evening: Evening, owned: Owned, *names: str, phone: str = PHONE) -> None:
    """A party joins, and what it is told of that cannot be sent for now."""
    evening.office.text.answers.append(Retry("busy"))
    await evening.join(owned, *names, phone=phone, key=f"key of {phone}")
    await until_async(lambda: evening.office.text.to(phone), what="the attempt")

    async def given_back() -> bool:
        return "busy" in [row[2] for row in await evening.storage.read(_told, phone)]

    await until_async(given_back, what="the retry")


async def ended(evening: Evening, phone: str = PHONE) -> list[tuple[str, str, str]]:
    """How everything ends that a phone is owed, some time later."""
    evening.clock.ahead_ms += 600_000
    evening.parts.courier.wake()

    async def are() -> bool:
        return all(row[1] in ("done", "cancelled") for row in await evening.storage.read(_told, phone))

    await until_async(are, what="the end of all")
    return [(row[0], row[1], row[2]) for row in await evening.storage.read(_told, phone)]


def moments(evening: Evening, phone: str = PHONE) -> list[str]:
    return [each.delivery.moment for each in evening.office.text.to(phone)]


async def test_almost_takes_the_place_of_joined(evening: Evening) -> None:
    owned = await evening.open(ladder=[], almost_at=1)
    await evening.join(owned, "Bo", phone=OTHER, key="key of Bo")
    await until_async(lambda: evening.office.text.to(OTHER), what="what goes to Bo")
    await refuse(evening, owned, "Ann")

    await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())

    assert await ended(evening) == [("joined", "cancelled", NEWER), ("almost", "done", "sent")]
    assert moments(evening) == ["joined", "almost"], "the attempt that failed, and the newest"


async def test_a_recall_takes_the_place_of_the_call_also_without_a_ladder(evening: Evening) -> None:
    owned = await evening.open(ladder=[], almost_at=0)
    await evening.join(owned, "Ann", phone=PHONE)
    await until_async(lambda: moments(evening) == ["joined"], what="the first message")
    evening.office.text.answers.append(Retry("busy"))
    ticket = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())
    await until_async(lambda: moments(evening) == ["joined", "called"], what="the attempt")

    for _ in range(3):
        await evening.reception.change_ticket(owned.account_id, owned.store_id, ticket.id, ChangeTicket("recall"))

    calls = (await ended(evening))[1:]
    assert calls == [*[("called", "cancelled", NEWER)] * 3, ("called", "done", "sent")]
    assert moments(evening) == ["joined", "called", "called"]


@pytest.mark.parametrize("action", ["serve", "done", "no_show", "return", "remove", "undo"])
async def test_a_call_that_is_over_is_told_nobody_also_without_a_ladder(evening: Evening, action: str) -> None:
    owned = await evening.open(ladder=[], almost_at=0)
    await evening.join(owned, "Ann", phone=PHONE)
    await until_async(lambda: moments(evening) == ["joined"], what="the first message")
    evening.office.text.answers.append(Retry("busy"))
    ticket = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())
    await until_async(lambda: moments(evening) == ["joined", "called"], what="the attempt")

    await evening.reception.change_ticket(owned.account_id, owned.store_id, ticket.id, ChangeTicket(action))  # type: ignore[arg-type]  # one of them

    assert (await ended(evening))[1:] == [("called", "cancelled", OVER)]


async def test_who_left_is_not_told_of_their_place(evening: Evening) -> None:
    owned = await evening.open(ladder=[], almost_at=0)
    await refuse(evening, owned, "Ann")
    (row,) = await evening.storage.read(_tickets)

    await evening.reception.leave_ticket(owned.store_id, row[0])

    assert await ended(evening) == [("joined", "cancelled", NO_PLACE)]


async def test_the_message_of_several_parties_is_owed_while_one_of_them_waits(evening: Evening) -> None:
    owned = await evening.open(ladder=[], almost_at=0)
    await refuse(evening, owned, "Ann", "Bo")

    await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())

    assert (await ended(evening))[0] == ("joined", "done", "sent"), "the second number stands in the first one's message"


def _tickets() -> Operation[list[Row]]:
    return list((yield Statement("select id from tickets order by id")))
