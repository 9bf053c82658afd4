"""The courier and the ladder: what was seen in time goes nowhere, what was not goes out at its step, and the staff hear of the rest."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime import ladder
from realtime.hookspecs import Retry
from realtime.ladder import NOT_REACHED, Step
from realtime.messages import CallNext, ChangeTicket, EditStore, OpenStore, OwnerTicket, QueueDraft
from realtime.operations import dead, snapshots
from realtime.storage.statement import Operation, Row, Statement
from tests.support.evening import BASE, Clock, Evening, Owned, an_evening
from tests.support.waiting import until_async

PHONE = "+4915123456789"
STEPS = [Step("text", 20), Step("mail", 40), Step(NOT_REACHED, 120)]


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    owned = await evening.open(ladder=STEPS)
    await evening.join(owned, "Ann", phone=PHONE, email="ann@example.com")
    return owned


async def call(evening: Evening, owned: Owned) -> OwnerTicket:
    return await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())


async def look(evening: Evening, owned: Owned) -> OwnerTicket:
    (ticket,) = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).tickets
    return ticket


def _steps() -> Operation[list[Row]]:
    return list((yield Statement("select notifier, state, outcome from jobs where called_ms > 0 order by due_ms, id")))


async def until_steps(evening: Evening, *wanted: tuple[str, str]) -> None:
    async def are() -> bool:
        return [(row[0], row[1]) for row in await evening.storage.read(_steps)] == list(wanted)

    await until_async(are, what=f"{wanted}")


def later(evening: Evening, seconds: float) -> None:
    """The clock goes on, and the courier looks at it."""
    evening.clock.ahead_ms += int(seconds * 1000)
    evening.parts.courier.wake()


def called(evening: Evening) -> list[str]:
    return [
        each.delivery.recipient
        for post in (evening.office.text, evening.office.mail)
        for each in post.given
        if each.delivery.moment == "called"
    ]


async def test_a_call_that_nobody_sees_climbs_the_ladder_to_the_staff(evening: Evening, owned: Owned) -> None:
    await call(evening, owned)
    await until_steps(evening, ("text", "waiting"), ("mail", "waiting"), (NOT_REACHED, "waiting"))
    assert called(evening) == []

    later(evening, 20)
    await until_steps(evening, ("text", "done"), ("mail", "waiting"), (NOT_REACHED, "waiting"))
    assert called(evening) == [PHONE]

    later(evening, 20)
    await until_steps(evening, ("text", "done"), ("mail", "done"), (NOT_REACHED, "waiting"))
    assert called(evening) == [PHONE, "ann@example.com"]
    assert (await look(evening, owned)).unreached_ms == 0

    later(evening, 80)
    await until_steps(evening, ("text", "done"), ("mail", "done"), (NOT_REACHED, "done"))
    assert (await look(evening, owned)).unreached_ms > 0


async def test_a_call_that_is_seen_costs_no_message(evening: Evening, owned: Owned) -> None:
    ticket = await call(evening, owned)

    await evening.reception.seen_ticket(owned.store_id, ticket.id, ticket.called_ms)
    later(evening, 300)

    await until_steps(evening, ("text", "cancelled"), ("mail", "cancelled"), (NOT_REACHED, "cancelled"))
    assert called(evening) == []
    assert (await look(evening, owned)).seen_ms > 0


async def test_a_step_of_a_call_that_is_over_ends_without_a_warning_a_notice_or_a_dead_letter(
    evening: Evening, owned: Owned, caplog: pytest.LogCaptureFixture
) -> None:
    ticket = await call(evening, owned)
    await evening.reception.change_ticket(owned.account_id, owned.store_id, ticket.id, ChangeTicket("serve"))

    later(evening, 300)

    await until_steps(evening, ("text", "cancelled"), ("mail", "cancelled"), (NOT_REACHED, "cancelled"))
    assert called(evening) == []
    assert [row[2] for row in await evening.storage.read(_steps)] == ["not called any more"] * 3
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert {notice.moment for notice in (await look(evening, owned)).notices} <= {"joined"}
    assert await evening.storage.read(dead.letters, "deliveries", 9) == []


async def test_a_message_that_could_not_be_sent_is_not_tried_again_once_the_call_is_seen(evening: Evening, owned: Owned) -> None:
    await until_async(lambda: evening.office.text.to(PHONE), what="the first message, that they joined")
    ticket = await call(evening, owned)
    evening.office.text.answers.append(Retry("busy"))
    later(evening, 20)
    await until_async(lambda: called(evening), what="the attempt")

    async def given_back() -> bool:
        return (await evening.storage.read(_steps))[0][2] == "busy"

    await until_async(given_back, what="the retry")
    await evening.reception.seen_ticket(owned.store_id, ticket.id, ticket.called_ms)
    later(evening, 3600)

    await until_steps(evening, ("text", "cancelled"), ("mail", "cancelled"), (NOT_REACHED, "cancelled"))
    assert called(evening) == [PHONE]


async def test_a_ladder_goes_on_after_a_restart(database_url: str) -> None:
    clock = Clock()
    async with an_evening(database_url, clock=clock) as before:
        owned = await before.open(ladder=STEPS)
        await before.join(owned, "Ann", phone=PHONE)
        await call(before, owned)
    clock.ahead_ms += 120_000

    async with an_evening(database_url, clock=clock) as after:
        await until_steps(after, ("text", "done"), (NOT_REACHED, "done"))
        assert called(after) == [PHONE]
        assert (await look(after, owned)).unreached_ms > 0


async def test_the_owner_hears_that_it_was_seen_and_the_public_a_tick(evening: Evening, owned: Owned) -> None:
    ticket = await call(evening, owned)
    owner = await evening.listen(await evening.granted(owned), f"store/{owned.store_id}/owner")
    own = await evening.live.authenticate(evening.keys.live_token(owned.store_id, ticket.id, evening.clock(), 10))
    public = await evening.listen(own, f"store/{owned.store_id}/public")

    await evening.reception.seen_ticket(owned.store_id, ticket.id, ticket.called_ms)

    # How the message of their joining went may be told in between.
    told = await until_async(lambda: [push for push in owner.pushes if push["change"] == "seen"], what="the counter to hear of it")
    assert [push["ticket"]["seen_ms"] > 0 for push in told] == [True]
    ticks = await until_async(lambda: [push for push in public.pushes if push["seq"] == told[0]["seq"]], what="the tick")
    assert set(ticks[0]) == {"topic", "seq", "at_ms"}


# ---- the owner's ladder -------------------------------------------------------------------------------------------


async def test_a_first_store_has_the_ladder_of_the_settings_and_the_next_one_the_owners(database_url: str) -> None:
    async with an_evening(database_url, call_ladder=["text:5", "not_reached:60"]) as evening:
        owned = await evening.open()
        assert await _ladder(evening, owned) == [("text", 5), (NOT_REACHED, 60)]
        edit = EditStore(ladder=[Step(NOT_REACHED, 30), Step("text", 0), Step("mail", None)])

        await evening.reception.edit_store(owned.account_id, owned.store_id, edit, base=BASE)

        assert await _ladder(evening, owned) == [("text", 0), (NOT_REACHED, 30), ("mail", None)]
        await evening.closing.close(owned.account_id, owned.store_id)
        again = await evening.reception.open_again(owned.account_id, base=BASE)
        whole = await evening.storage.read(snapshots.owner, again)
        assert ladder.kept(whole.store.ladder) == (Step("text", 0), Step(NOT_REACHED, 30), Step("mail", None))


async def _ladder(evening: Evening, owned: Owned) -> list[tuple[str, Any]]:
    snapshot = await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)
    return [(step.channel, step.after_s) for step in snapshot.store.ladder]


async def test_a_store_without_a_ladder_sends_everything_at_once(evening: Evening) -> None:
    owned = await evening.open("bo@example.com", ladder=[])
    await evening.join(owned, "Ann", phone=PHONE)

    await call(evening, owned)

    await until_async(lambda: called(evening) == [PHONE], what="the message")
    assert await evening.storage.read(_steps) == []


def test_a_request_may_leave_the_ladder_out() -> None:
    assert not isinstance(OpenStore("Luigi's", [QueueDraft("A")]).ladder, list)


def _told() -> Operation[list[Row]]:
    return list((yield Statement("select moment, state, outcome from jobs where notifier = 'text' order by created_ms, length(id), id")))


async def test_a_party_that_was_called_is_not_told_of_its_place_any_more(evening: Evening) -> None:
    owned = await evening.open(ladder=[Step("text", 20)])
    evening.office.text.answers.append(Retry("busy"))
    await evening.join(owned, "Ann", phone=PHONE)
    await until_async(lambda: evening.office.text.to(PHONE), what="the attempt to say that they joined")
    await call(evening, owned)

    later(evening, 600)

    async def told() -> bool:
        return all(row[1] in ("done", "cancelled") for row in await evening.storage.read(_told))

    await until_async(told, what="the end of both")
    assert [each.delivery.moment for each in evening.office.text.given] == ["joined", "called"]
    assert [tuple(row) for row in await evening.storage.read(_told)] == [
        ("joined", "cancelled", "it does not wait any more"),
        ("called", "done", "sent"),
    ]
