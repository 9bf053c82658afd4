"""A party's way through a queue, on both databases."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from realtime.errors import NobodyWaiting, QueueNotFound, QueuePaused, Refused, StoreClosed, StoreNotFound, TicketNotFound, WrongState
from realtime.model import MOVES, Action, JobState, TicketState
from realtime.operations import jobs, joining, snapshots, stores, tickets
from realtime.operations.changes import Change
from tests.operations.conftest import Shop
from tests.support import deliveries


async def _do(shop: Shop, ticket_id: int, action: Action, desk: str = "", now_ms: int = 4_000) -> Change:
    return await shop.storage.write(tickets.change, shop.store_id, ticket_id, action, desk, shop.rules, now_ms)


async def test_numbers_count_up_by_queue_and_begin_with_its_letter(shop: Shop) -> None:
    labels = [(await shop.add(queue=queue)).label for queue in ("A", "A", "B", "A")]

    assert labels == ["A01", "A02", "B01", "A03"]


async def test_every_change_appends_one_event_with_the_next_seq(shop: Shop) -> None:
    first = await shop.add("Ann")
    await shop.add("Bo")
    await shop.call_next()
    await _do(shop, first.id, Action.SERVE)

    whole = await shop.storage.read(snapshots.since, shop.store_id, "epoch", 0, 100)

    assert whole.events is not None
    assert all(after.seq == before.seq + 1 for before, after in pairwise(whole.events))
    assert [event.kind for event in whole.events] == ["store", "code", "ticket", "ticket", "ticket", "ticket"]


async def test_the_public_side_of_an_event_has_no_name_and_no_phone(shop: Shop) -> None:
    await shop.add("Xaverius", phone="+4915112345678")

    whole = await shop.storage.read(snapshots.since, shop.store_id, "epoch", 2, 100)

    assert whole.events is not None
    assert "Xaverius" in whole.events[0].owner
    assert "Xaverius" not in whole.events[0].public
    assert "+49151" not in whole.events[0].public


async def test_call_next_takes_whoever_stands_first(shop: Shop) -> None:
    first, second = await shop.add("Ann"), await shop.add("Bo")

    called = [(await shop.call_next()).value.id, (await shop.call_next()).value.id]

    assert called == [first.id, second.id]


async def test_many_staff_calling_at_once_call_one_party_each(shop: Shop) -> None:
    parties = [await shop.add(f"Party {number}") for number in range(20)]

    changes = await asyncio.gather(*(shop.call_next(f"Desk {desk}") for desk in range(20)))

    assert sorted(change.value.id for change in changes) == [party.id for party in parties]


async def test_calling_an_empty_line_changes_nothing(shop: Shop) -> None:
    before = await shop.storage.read(stores.one, shop.store_id)

    with pytest.raises(NobodyWaiting):
        await shop.call_next()

    assert (await shop.storage.read(stores.one, shop.store_id)).seq == before.seq


async def test_a_queue_that_is_not_there_is_named_as_such(shop: Shop) -> None:
    with pytest.raises(QueueNotFound):
        await shop.call_next(queue="Z")
    with pytest.raises(QueueNotFound):
        await shop.add(queue="Z")


async def test_a_paused_queue_takes_nobody_and_still_calls(shop: Shop) -> None:
    party = await shop.add()
    change = stores.StoreChange(queues=(stores.QueueChange("A", paused=True),))
    await shop.storage.write(stores.edit, shop.store_id, shop.account_id, change, 2_500)

    with pytest.raises(QueuePaused):
        await shop.add()

    assert (await shop.call_next()).value.id == party.id


async def _in_state(shop: Shop, state: TicketState) -> int:
    ways = {
        TicketState.WAITING: (),
        TicketState.CALLED: (Action.CALL,),
        TicketState.SERVING: (Action.CALL, Action.SERVE),
        TicketState.DONE: (Action.CALL, Action.SERVE, Action.DONE),
        TicketState.NO_SHOW: (Action.CALL, Action.NO_SHOW),
        TicketState.LEFT: (Action.LEAVE,),
        TicketState.REMOVED: (Action.REMOVE,),
    }
    party = await shop.add()
    for action in ways[state]:
        await _do(shop, party.id, action)
    return party.id


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", TicketState)
async def test_only_the_moves_of_the_table_are_possible(shop: Shop, state: TicketState, action: Action) -> None:
    ticket_id = await _in_state(shop, state)
    allowed, after = MOVES[action]
    before = await shop.storage.read(stores.one, shop.store_id)

    if state in allowed:
        change = await _do(shop, ticket_id, action)
        assert change.value.state is after
    else:
        with pytest.raises(WrongState):
            await _do(shop, ticket_id, action)
        assert (await shop.storage.read(tickets.one, shop.store_id, ticket_id)).state is state
        assert (await shop.storage.read(stores.one, shop.store_id)).seq == before.seq


@pytest.mark.parametrize("state", [state for state in TicketState if state is not TicketState.WAITING])
async def test_back_to_waiting_gives_the_old_place_back(shop: Shop, state: TicketState) -> None:
    ticket_id = await _in_state(shop, state)
    later = await shop.add("Later")

    await _do(shop, ticket_id, Action.RETURN)

    own = await shop.storage.read(snapshots.own, shop.store_id, later.id)
    assert own.ahead == 1
    assert (await shop.call_next()).value.id == ticket_id


async def test_the_count_of_the_waiting_follows_every_move(shop: Shop) -> None:
    ids = [(await shop.add()).id for _ in range(5)]
    for ticket_id, actions in zip(
        ids,
        ((Action.CALL, Action.SERVE, Action.RETURN), (Action.LEAVE,), (Action.REMOVE,), (Action.CALL, Action.NO_SHOW), (Action.SERVE,)),
        strict=True,
    ):
        for action in actions:
            await _do(shop, ticket_id, action)

    assert await shop.storage.read(snapshots.waiting, shop.store_id) == {"A": 1, "B": 0}


async def test_parties_being_called_or_served_are_not_ahead(shop: Shop) -> None:
    called, served, waiting = [await shop.add() for _ in range(3)]
    await _do(shop, called.id, Action.CALL)
    await _do(shop, served.id, Action.SERVE)
    last = await shop.add()

    assert (await shop.storage.read(snapshots.own, shop.store_id, waiting.id)).ahead == 0
    assert (await shop.storage.read(snapshots.own, shop.store_id, last.id)).ahead == 1


async def test_a_recall_keeps_the_desk_unless_another_is_given(shop: Shop) -> None:
    party = await shop.add()
    await _do(shop, party.id, Action.CALL, "Desk 1")

    same = await _do(shop, party.id, Action.RECALL)
    other = await _do(shop, party.id, Action.RECALL, "Bar")

    assert (same.value.desk, other.value.desk) == ("Desk 1", "Bar")
    assert other.value.calls == 3


async def test_a_ticket_of_another_store_is_not_found(shop: Shop) -> None:
    await shop.open("other", "somebody")
    party = await shop.add()

    with pytest.raises(TicketNotFound):
        await shop.storage.write(tickets.change, "other", party.id, Action.CALL, "", None, 1)


async def test_a_store_that_is_not_open_takes_nothing(shop: Shop) -> None:
    party = await shop.add()
    await shop.storage.write(stores.close, shop.store_id, 3_000)

    for refused in (shop.add(), shop.call_next(), _do(shop, party.id, Action.LEAVE)):
        with pytest.raises(StoreClosed):
            await refused
    with pytest.raises(StoreNotFound):
        await shop.storage.write(tickets.call_next, "nowhere", "A", "", None, 1)


async def test_joined_called_and_almost_are_owed_once_each(shop: Shop) -> None:
    await shop.add("Ann")
    for number in range(4):
        await shop.add(f"Party {number}", phone=f"+{number}")
    await shop.call_next()
    await shop.call_next()

    owed = await shop.storage.write(deliveries.claim, "lease", 60_000, 100, 10_000)
    more = await shop.storage.write(deliveries.claim, "other lease", 60_000, 100, 10_000)
    told = sorted((job.delivery.recipient, job.delivery.moment) for job in owed)

    # Party 0 and 1 joined at the second and third place: near enough to be told once only.
    assert told == [("+0", "joined"), ("+1", "joined"), ("+2", "joined"), ("+3", "joined")]
    assert more == []
    for job in owed:
        await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 10_000)
    later = await shop.storage.write(deliveries.claim, "third lease", 60_000, 100, 10_000)
    assert sorted((job.delivery.recipient, job.delivery.moment) for job in later) == [("+0", "called"), ("+2", "almost"), ("+3", "almost")]


async def test_a_rule_that_refuses_undoes_the_whole_join(shop: Shop) -> None:
    before = await shop.storage.read(stores.one, shop.store_id)
    guests = tuple(joining.Guest("A", name, "", "", 1) for name in ("Ann", "Mallory"))

    with pytest.raises(Refused, match="Not you again"):
        await shop.storage.write(joining.join, shop.store_id, guests, None, shop.rules, 2_000)

    assert (await shop.storage.read(stores.one, shop.store_id)).seq == before.seq
    assert await shop.storage.read(snapshots.waiting, shop.store_id) == {"A": 0, "B": 0}


async def test_two_calls_at_the_same_moment_are_no_fast_line(shop: Shop) -> None:
    for _ in range(3):
        await shop.add()
    paces = []
    for now_ms in (100_000, 101_000, 341_000):
        body = msgspec.json.decode((await shop.call_next(now_ms=now_ms)).events[0].public)
        paces.append(body["pace_ms"])

    assert paces == [0, 60_000, 114_000]


async def test_the_pace_is_smoothed_and_ignores_long_pauses(shop: Shop) -> None:
    for _ in range(5):
        await shop.add()
    paces = []
    for now_ms in (100_000, 200_000, 400_000, 400_000 + 31 * 60_000):
        body = msgspec.json.decode((await shop.call_next(now_ms=now_ms)).events[0].public)
        paces.append(body["pace_ms"])

    assert paces == [0, 100_000, 130_000, 130_000]
