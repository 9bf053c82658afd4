"""Calls that are seen, and calls that are not, on both databases: what goes out, what is cancelled, and who hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from realtime import ladder
from realtime.errors import NowServingError, StoreClosed
from realtime.ladder import NOT_REACHED, Step
from realtime.model import Action, Delivery, Job, JobState, Ticket
from realtime.operations import dead, escalation, jobs, notices, stores, tickets
from realtime.operations.changes import Moment
from realtime.operations.escalation import OVER, SEEN, STORE_CLOSED, NotThisCall
from realtime.storage.statement import Operation, Row, Statement, Storage
from tests.operations.conftest import Shop
from tests.support import deliveries

CALLED = 10_000
LATE = CALLED + 3_600_000
STEPS = [Step("sms", 20), Step("email", 40), Step("pager", None), Step(NOT_REACHED, 120)]


class Owes:
    """An SMS, an e-mail and a pager for whoever left a phone number; a word to the kitchen for everybody called."""

    def check(self, moment: Moment) -> str | None:
        return None

    def compose(self, moment: Moment) -> Sequence[Delivery]:
        to = moment.ticket.phone
        own = (
            [Delivery(by, to, moment.kind, {}, not_after_ms=moment.now_ms + 30 * 60_000) for by in ("sms", "email", "pager")] if to else []
        )
        return [*own, Delivery("log", "kitchen", "in_the_kitchen", {})] if moment.kind == "called" else own[:1]


@pytest.fixture
async def shop(storage: Storage) -> Shop:
    shop = Shop(storage)
    await shop.open()
    shop.rules = Owes()  # type: ignore[assignment]  # it is a Rules all the same
    await storage.write(stores.edit, shop.store_id, shop.account_id, stores.StoreChange(almost_at=0, ladder=ladder.text(STEPS)), 1_500)
    return shop


def _rows() -> Operation[Sequence[Row]]:
    return (
        yield Statement(
            "select notifier, state, due_ms, outcome, called_ms, lane from jobs where moment <> 'joined' and notifier <> 'log' order by due_ms, id"
        )
    )


async def waiting(shop: Shop) -> list[tuple[str, int]]:
    """The notifiers of what is still to go out because of a call, and when."""
    return [(row[0], row[2]) for row in await shop.storage.read(_rows) if row[1] == "waiting"]


async def call(shop: Shop, phone: str = "+391", now_ms: int = CALLED) -> Ticket:
    await shop.add(phone=phone)
    change = await shop.call_next(now_ms=now_ms)
    ticket: Ticket = change.value
    return ticket


async def look(shop: Shop, ticket: Ticket) -> Ticket:
    found: Ticket = await shop.storage.read(tickets.one, shop.store_id, ticket.id)
    return found


async def seen(shop: Shop, ticket: Ticket, called_ms: int = 0, now_ms: int = CALLED + 5_000) -> Any:
    return await shop.storage.write(escalation.seen, shop.store_id, ticket.id, called_ms or ticket.called_ms, now_ms)


async def move(shop: Shop, ticket: Ticket, action: Action, now_ms: int = CALLED + 6_000) -> Ticket:
    moved: Ticket = (await shop.storage.write(tickets.change, shop.store_id, ticket.id, action, "", shop.rules, now_ms)).value
    return moved


async def due(shop: Shop, notifier: str, now_ms: int = LATE) -> Job:
    """The job of one step, as the courier holds it at that time."""
    claimed = await shop.storage.write(deliveries.claim, "lease", 10**12, 100, now_ms)
    (job,) = [job for job in claimed if (job.delivery.notifier, job.delivery.moment) == (notifier, "called")]
    found: Job = job
    return found


async def seq(shop: Shop) -> int:
    return (await shop.storage.read(stores.one, shop.store_id)).seq


# ---- what a call owes ---------------------------------------------------------------------------------------------


async def test_a_call_owes_every_step_at_its_time(shop: Shop) -> None:
    ticket = await call(shop)

    assert await waiting(shop) == [("sms", CALLED + 20_000), ("email", CALLED + 40_000), (NOT_REACHED, CALLED + 120_000)]
    assert all(row[4] == ticket.called_ms for row in await shop.storage.read(_rows))
    now = await shop.storage.write(deliveries.claim, "lease", 1000, 100, CALLED)
    assert {job.delivery.notifier for job in now} == {"sms", "log"}, "joined, and what is not on the ladder"
    assert {job.delivery.moment for job in now} == {"joined", "in_the_kitchen"}


async def test_who_left_no_address_has_only_the_step_of_the_staff(shop: Shop) -> None:
    await call(shop, phone="")

    assert await waiting(shop) == [(NOT_REACHED, CALLED + 120_000)]


async def test_a_step_that_waits_holds_up_nothing_else_to_the_same_phone(shop: Shop) -> None:
    await call(shop)
    await shop.storage.write(deliveries.claim, "first", 10**9, 100, CALLED)
    await shop.storage.write(jobs.settle, shop.store_id, (await _joined(shop))[0], "first", JobState.DONE, "sent", CALLED)

    friend = await shop.add("Friend", phone="+391", now_ms=CALLED + 1_000)

    told = await shop.storage.write(deliveries.claim, "second", 1000, 100, CALLED + 1_000)
    assert [(job.delivery.moment, job.ticket_id) for job in told] == [("joined", friend.id)]


def _joined_rows() -> Operation[Sequence[Row]]:
    return (yield Statement("select id from jobs where moment = 'joined' order by id"))


async def _joined(shop: Shop) -> list[str]:
    return [row[0] for row in await shop.storage.read(_joined_rows)]


# ---- seen ---------------------------------------------------------------------------------------------------------


async def test_a_call_that_is_seen_cancels_what_waits_and_is_told_to_the_owner_only(shop: Shop) -> None:
    ticket = await call(shop)
    before = await seq(shop)

    change = await seen(shop, ticket)

    assert change.value is True
    (event,) = change.events
    assert (event.seq, event.kind, event.public) == (before + 1, "ticket", "{}")
    told = json.loads(event.owner)
    assert (told["change"], told["ticket"]["seen_ms"], told["ticket"]["unreached_ms"]) == ("seen", CALLED + 5_000, 0)
    assert await waiting(shop) == []
    assert {(row[1], row[3]) for row in await shop.storage.read(_rows)} == {("cancelled", SEEN)}


async def test_seen_twice_is_seen_once(shop: Shop) -> None:
    ticket = await call(shop)
    await seen(shop, ticket)
    before = await seq(shop)

    again = await seen(shop, ticket, now_ms=CALLED + 9_000)

    assert (again.value, again.events) == (False, ())
    assert await seq(shop) == before
    assert (await look(shop, ticket)).seen_ms == CALLED + 5_000


async def test_two_that_say_it_at_once_make_one_event_and_no_gap(shop: Shop) -> None:
    ticket = await call(shop)
    before = await seq(shop)

    answers = await asyncio.gather(*(seen(shop, ticket, now_ms=CALLED + number) for number in range(8)), return_exceptions=True)

    assert sum(not isinstance(answer, BaseException) and answer.value for answer in answers) == 1
    assert all(isinstance(answer, NotThisCall) for answer in answers if isinstance(answer, BaseException))
    assert await seq(shop) == before + 1


async def test_an_old_word_does_not_silence_a_recall(shop: Shop) -> None:
    first = await call(shop)
    second = await move(shop, first, Action.RECALL)

    late = await seen(shop, second, first.called_ms)

    assert late.value is False
    assert (await look(shop, second)).seen_ms == 0
    assert [each for each in await waiting(shop) if each[1] > CALLED + 120_000] == [(NOT_REACHED, second.called_ms + 120_000)]
    assert (await shop.storage.read(escalation.why_not, await due(shop, "email", second.called_ms + 40_000 - 1))) == OVER, (
        "the first call's"
    )


async def test_a_recall_starts_the_ladder_anew_and_has_a_name_of_its_own(shop: Shop) -> None:
    first = await call(shop)
    await seen(shop, first)

    second = await move(shop, first, Action.RECALL, now_ms=CALLED)  # in the same millisecond, or by a clock that went back

    assert second.called_ms == CALLED + 1
    assert (second.seen_ms, second.unreached_ms) == (0, 0)
    assert [by for by, _ in await waiting(shop)] == ["sms", "email", NOT_REACHED]
    assert (await seen(shop, second)).value is True


@pytest.mark.parametrize("state", ["waiting", "serving", "left"])
async def test_who_is_not_called_can_see_no_call(shop: Shop, state: str) -> None:
    ticket = await call(shop)
    await move(shop, ticket, {"waiting": Action.RETURN, "serving": Action.SERVE, "left": Action.LEAVE}[state])
    before = await seq(shop)

    assert (await seen(shop, ticket)).value is False

    assert await seq(shop) == before


async def test_nothing_is_seen_in_a_closed_store(shop: Shop) -> None:
    ticket = await call(shop)
    await shop.storage.write(stores.close, shop.store_id, CALLED)

    with pytest.raises(StoreClosed):
        await seen(shop, ticket)


# ---- a step whose time has come -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "why"),
    [(None, ""), (Action.SERVE, OVER), (Action.RETURN, OVER), (Action.NO_SHOW, OVER), (Action.LEAVE, OVER), (Action.RECALL, OVER)],
)
async def test_a_step_is_owed_while_the_call_stands(shop: Shop, action: Action | None, why: str) -> None:
    ticket = await call(shop)
    job = await due(shop, "sms", CALLED + 20_000)
    if action:
        await move(shop, ticket, action)

    assert await shop.storage.read(escalation.why_not, job) == why


async def test_a_step_in_flight_when_the_call_is_seen_is_not_taken(shop: Shop) -> None:
    ticket = await call(shop)
    job = await due(shop, "sms", CALLED + 20_000)
    assert await shop.storage.read(escalation.why_not, job) == ""

    await seen(shop, ticket)

    assert await shop.storage.read(escalation.why_not, job) == SEEN
    assert [by for by, _ in await waiting(shop)] == [], "the others were cancelled"


async def test_a_step_is_owed_again_once_a_move_is_undone(shop: Shop) -> None:
    ticket = await call(shop)
    await move(shop, ticket, Action.SERVE)
    job = await due(shop, "sms", CALLED + 20_000)
    assert await shop.storage.read(escalation.why_not, job) == OVER

    await shop.storage.write(tickets.undo, shop.store_id, ticket.id, CALLED + 7_000)

    assert await shop.storage.read(escalation.why_not, job) == ""


async def test_no_step_is_owed_in_a_closed_store(shop: Shop) -> None:
    await call(shop)
    job = await due(shop, "sms", CALLED + 20_000)
    await shop.storage.write(stores.close, shop.store_id, CALLED)

    assert await shop.storage.read(escalation.why_not, job) == STORE_CLOSED


async def test_a_step_still_knows_its_call_when_it_comes_back_from_the_dead(shop: Shop) -> None:
    ticket = await call(shop)
    job = await due(shop, "sms", CALLED + 20_000)
    assert await shop.storage.write(jobs.settle, job.store_id, job.id, job.lease, JobState.DEAD, "refused", CALLED)

    assert await shop.storage.write(dead.put_back, job.store_id, job.id, CALLED + 60_000)

    again = await due(shop, "sms", CALLED + 60_000)
    assert again.called_ms == ticket.called_ms
    await seen(shop, ticket)
    assert await shop.storage.read(escalation.why_not, again) == SEEN


# ---- not reached --------------------------------------------------------------------------------------------------


async def test_the_staff_are_told_of_a_call_that_nobody_saw(shop: Shop) -> None:
    ticket = await call(shop)
    job = await due(shop, NOT_REACHED)
    before = await seq(shop)

    change = await shop.storage.write(escalation.tell_staff, job, LATE)

    (event,) = change.events
    assert (event.seq, event.public) == (before + 1, "{}")
    assert (json.loads(event.owner)["change"], json.loads(event.owner)["ticket"]["unreached_ms"]) == ("not_reached", LATE)
    assert (await look(shop, ticket)).unreached_ms == LATE
    assert ("not_reached", "done") in {(row[0], row[1]) for row in await shop.storage.read(_rows)}


@pytest.mark.parametrize("action", [Action.RECALL, Action.SERVE, Action.DONE, Action.NO_SHOW, Action.RETURN, Action.REMOVE, Action.LEAVE])
async def test_every_move_clears_it(shop: Shop, action: Action) -> None:
    ticket = await call(shop)
    await shop.storage.write(escalation.tell_staff, await due(shop, NOT_REACHED), LATE)

    assert (await move(shop, ticket, action, LATE + 1)).unreached_ms == 0


async def test_who_sees_it_late_was_reached_after_all(shop: Shop) -> None:
    ticket = await call(shop)
    await shop.storage.write(escalation.tell_staff, await due(shop, NOT_REACHED), LATE)

    await seen(shop, ticket, now_ms=LATE + 1)

    now = await look(shop, ticket)
    assert (now.seen_ms, now.unreached_ms) == (LATE + 1, 0)


@pytest.mark.parametrize("what", ["seen", "served", "recalled"])
async def test_the_staff_are_not_told_of_a_call_that_is_done_with(shop: Shop, what: str) -> None:
    ticket = await call(shop)
    job = await due(shop, NOT_REACHED)
    if what == "seen":
        await seen(shop, ticket)
    else:
        await move(shop, ticket, Action.SERVE if what == "served" else Action.RECALL)
    before = await seq(shop)

    with pytest.raises(NotThisCall):
        await shop.storage.write(escalation.tell_staff, job, LATE)

    assert await seq(shop) == before
    assert (await look(shop, ticket)).unreached_ms == 0


async def test_whoever_lost_the_lease_tells_nobody(shop: Shop) -> None:
    ticket = await call(shop)
    job = await due(shop, NOT_REACHED)
    await shop.storage.write(jobs.retry, job.store_id, job.id, job.lease, LATE, "given back", LATE)
    before = await seq(shop)

    with pytest.raises(notices.LeaseLost):
        await shop.storage.write(escalation.tell_staff, job, LATE)

    assert await seq(shop) == before
    assert (await look(shop, ticket)).unreached_ms == 0


async def test_seen_and_not_reached_at_once_end_as_one_of_the_two(shop: Shop) -> None:
    """Whichever comes first; in the end it is seen, and nothing says otherwise."""
    for number in range(6):
        ticket = await call(shop, phone="", now_ms=CALLED + number)
        job = await due(shop, NOT_REACHED, LATE)
        before = await seq(shop)

        answers = await asyncio.gather(
            shop.storage.write(escalation.tell_staff, job, LATE), seen(shop, ticket, now_ms=LATE), return_exceptions=True
        )

        assert all(isinstance(answer, NowServingError) for answer in answers if isinstance(answer, BaseException)), answers
        told = [event for answer in answers if not isinstance(answer, BaseException) for event in answer.events]
        assert sorted(event.seq for event in told) == list(range(before + 1, before + 1 + len(told)))
        now = await look(shop, ticket)
        assert (now.seen_ms, now.unreached_ms) == (LATE, 0)
