"""A store as a whole, on both databases: what each reader gets, at one moment, and what happened since another."""

from __future__ import annotations

import pytest

from realtime.errors import StoreNotFound, TicketNotFound
from realtime.model import Action, TicketState
from realtime.operations import codes, joining, snapshots, stores, tickets
from realtime.operations.snapshots import Whole
from tests.operations.conftest import FAR_MS, Shop


async def _do(shop: Shop, ticket_id: int, action: Action, now_ms: int) -> None:
    await shop.storage.write(tickets.change, shop.store_id, ticket_id, action, "", None, now_ms)


async def _evening(shop: Shop) -> dict[str, int]:
    """One ticket in every state."""
    ids = {}
    for number, (name, actions) in enumerate(
        (
            ("waiting", ()),
            ("called", (Action.CALL,)),
            ("serving", (Action.CALL, Action.SERVE)),
            ("done", (Action.CALL, Action.SERVE, Action.DONE)),
            ("no_show", (Action.CALL, Action.NO_SHOW)),
            ("left", (Action.LEAVE,)),
            ("removed", (Action.REMOVE,)),
        )
    ):
        ids[name] = (await shop.add(name)).id
        for action in actions:
            await _do(shop, ids[name], action, 10_000 + number)
    return ids


def _states(whole: Whole) -> list[str]:
    return [ticket.state.value for ticket in whole.tickets]


async def test_the_owner_sees_who_is_at_a_desk_who_waits_and_who_ended_last(shop: Shop) -> None:
    await _evening(shop)

    whole = await shop.storage.read(snapshots.owner, shop.store_id)

    assert _states(whole) == ["called", "serving", "waiting", "removed", "left", "no_show", "done"]
    assert whole.code is not None


async def test_a_line_of_thousands_is_read_in_pages_and_seen_whole_and_in_order(shop: Shop) -> None:
    letters = "AB" * snapshots.PAGE + "A"
    guests = tuple(joining.Guest(letter, f"Guest {number}", "", "", 1) for number, letter in enumerate(letters))
    await shop.storage.write(joining.join, shop.store_id, guests, None, shop.rules, 2_500)

    whole = await shop.storage.read(snapshots.owner, shop.store_id)

    assert [(ticket.queue, ticket.number) for ticket in whole.tickets] == [
        (letter, number) for letter in "AB" for number in range(1, letters.count(letter) + 1)
    ]


async def test_the_public_sees_who_is_live_and_who_was_called_last(shop: Shop) -> None:
    await _evening(shop)

    whole = (await shop.storage.read(snapshots.everything, shop.store_id)).public()

    assert _states(whole) == ["called", "serving", "waiting", "no_show", "done"]


async def test_of_those_who_ended_the_last_thirty_are_shown_and_of_those_called_the_last_five(shop: Shop) -> None:
    for number in range(40):
        ticket = await shop.add(f"Party {number}")
        await _do(shop, ticket.id, Action.CALL, 10_000 + number)
        await _do(shop, ticket.id, Action.NO_SHOW, 20_000 + number)

    owner = await shop.storage.read(snapshots.owner, shop.store_id)
    public = (await shop.storage.read(snapshots.everything, shop.store_id)).public()

    assert [ticket.number for ticket in owner.tickets] == list(range(40, 10, -1))
    assert [ticket.number for ticket in public.tickets] == [40, 39, 38, 37, 36]


async def test_those_called_last_are_shown_however_many_are_at_desks(shop: Shop) -> None:
    for number in range(8):
        ticket = await shop.add(f"Party {number}")
        await _do(shop, ticket.id, Action.CALL, 10_000 + number)
        if number < 2:
            await _do(shop, ticket.id, Action.NO_SHOW, 20_000 + number)

    public = (await shop.storage.read(snapshots.everything, shop.store_id)).public()

    assert [ticket.number for ticket in public.tickets] == [3, 4, 5, 6, 7, 8, 2, 1]


async def test_who_came_back_stands_in_its_old_place_and_nowhere_else(shop: Shop) -> None:
    first, second = await shop.add("Ann"), await shop.add("Bo")
    await _do(shop, first.id, Action.CALL, 10_000)
    await _do(shop, first.id, Action.NO_SHOW, 11_000)
    await _do(shop, first.id, Action.RETURN, 12_000)

    everything = await shop.storage.read(snapshots.everything, shop.store_id)
    for whole in (await shop.storage.read(snapshots.owner, shop.store_id), everything.owner(), everything.public()):
        assert [(ticket.id, ticket.state) for ticket in whole.tickets] == [
            (first.id, TicketState.WAITING),
            (second.id, TicketState.WAITING),
        ]


async def test_a_party_sees_those_before_it_in_its_own_queue(shop: Shop) -> None:
    other = await shop.add("Bar", queue="B")
    first, second, third = [await shop.add(name) for name in "abc"]

    ahead = {
        ticket.id: (await shop.storage.read(snapshots.own, shop.store_id, ticket.id)).ahead for ticket in (other, first, second, third)
    }
    assert ahead == {other.id: 0, first.id: 0, second.id: 1, third.id: 2}

    await _do(shop, second.id, Action.CALL, 10_000)
    called = await shop.storage.read(snapshots.own, shop.store_id, second.id)
    assert (called.ahead, called.queue.id) == (0, "A")
    with pytest.raises(TicketNotFound):
        await shop.storage.read(snapshots.own, shop.store_id, 10**15)


async def test_since_gives_all_or_nothing(shop: Shop) -> None:
    for name in "abc":
        await shop.add(name)
    seq = (await shop.storage.read(stores.one, shop.store_id)).seq

    async def given(epoch: str, since: int, limit: int) -> list[int] | None:
        found = await shop.storage.read(snapshots.since, shop.store_id, epoch, since, limit)
        assert (found.epoch, found.seq) == ("epoch", seq)
        return None if found.events is None else [event.seq for event in found.events]

    assert await given("epoch", seq - 2, 2) == [seq - 1, seq]
    assert await given("epoch", seq, 0) == []
    assert await given("epoch", 0, 1000) == list(range(1, seq + 1))
    for epoch, since, limit in (
        ("epoch", seq - 2, 1),
        ("other", seq, 10),
        ("epoch", seq + 1, 10),
        ("epoch", -1, 1000),
        ("epoch", -(10**30), 9),
    ):
        assert await given(epoch, since, limit) is None
    with pytest.raises(StoreNotFound):
        await shop.storage.read(snapshots.since, "nowhere", "epoch", 0, 10)


async def test_a_closed_store_is_seen_without_a_code(shop: Shop) -> None:
    await _evening(shop)
    await shop.storage.write(stores.close, shop.store_id, 30_000)

    whole = await shop.storage.read(snapshots.owner, shop.store_id)

    assert whole.code is None
    assert len(whole.tickets) == 7
    assert (await shop.storage.read(snapshots.since, shop.store_id, "epoch", 0, 1000)).events is not None


async def test_a_snapshot_is_of_one_moment(shop: Shop) -> None:
    """Its seq is that of its tickets, however much is changed while it is read."""
    import asyncio

    async def join() -> None:
        for _ in range(40):
            await shop.add()

    joining = asyncio.create_task(join())
    while not joining.done():
        whole = await shop.storage.read(snapshots.owner, shop.store_id)
        assert whole.store.seq == max((ticket.id for ticket in whole.tickets), default=2)
    await joining


async def test_the_code_on_show_is_the_newest(shop: Shop) -> None:
    await shop.storage.write(codes.renew, shop.store_id, 1, shop.keys.code_hash, 2_000, FAR_MS)

    whole = (await shop.storage.read(snapshots.everything, shop.store_id)).public()

    assert whole.code is not None
    assert whole.code.number == 2
