"""One step back, on both databases: a ticket is what it was before its last move, and nobody is notified."""

from __future__ import annotations

import pytest

from realtime.errors import WrongState
from realtime.model import Action, TicketState
from realtime.operations import snapshots, tickets
from tests.operations.conftest import Shop
from tests.support import deliveries

CALL, SERVE, DONE, NO_SHOW, LEAVE, REMOVE = Action.CALL, Action.SERVE, Action.DONE, Action.NO_SHOW, Action.LEAVE, Action.REMOVE


@pytest.mark.parametrize(
    ("moves", "back"),
    [
        ((CALL,), TicketState.WAITING),
        ((CALL, SERVE), TicketState.CALLED),
        ((SERVE,), TicketState.WAITING),
        ((CALL, SERVE, DONE), TicketState.SERVING),
        ((CALL, DONE), TicketState.CALLED),
        ((CALL, NO_SHOW), TicketState.CALLED),
        ((LEAVE,), TicketState.WAITING),
        ((REMOVE,), TicketState.WAITING),
        ((CALL, LEAVE), TicketState.CALLED),
        ((CALL, SERVE, REMOVE), TicketState.SERVING),
    ],
)
async def test_undo_takes_the_last_move_back(shop: Shop, moves: tuple[Action, ...], back: TicketState) -> None:
    party = await shop.add()
    for at, action in enumerate(moves):
        await shop.storage.write(tickets.change, shop.store_id, party.id, action, "Desk 2", None, 5_000 + at)

    change = await shop.storage.write(tickets.undo, shop.store_id, party.id, 9_000)

    assert change.value.state is back
    assert change.value.ended_ms == 0
    assert (change.value.desk == "Desk 2") is (back is not TicketState.WAITING)
    assert (await shop.storage.read(snapshots.waiting, shop.store_id))["A"] == int(back is TicketState.WAITING)


async def test_a_ticket_goes_back_to_the_desk_and_the_number_of_calls_it_had(shop: Shop) -> None:
    party = await shop.add()

    async def move(action: Action, desk: str, at: int) -> None:
        await shop.storage.write(tickets.change, shop.store_id, party.id, action, desk, None, at)

    async def back(at: int) -> tuple[TicketState, str, int]:
        ticket = (await shop.storage.write(tickets.undo, shop.store_id, party.id, at)).value
        return ticket.state, ticket.desk, ticket.calls

    await shop.call_next(now_ms=5_000, desk="Bar")
    await move(Action.RECALL, "", 5_100)
    await move(SERVE, "Desk 2", 5_200)
    await move(DONE, "Desk 3", 5_300)
    assert await back(6_000) == (TicketState.SERVING, "Desk 2", 2)
    assert await back(6_100) == (TicketState.CALLED, "Bar", 2)
    await move(NO_SHOW, "Desk 2", 6_200)
    assert await back(6_300) == (TicketState.CALLED, "Bar", 2)
    assert await back(6_400) == (TicketState.WAITING, "", 0)
    await move(CALL, "Bar", 7_000)
    await move(Action.RETURN, "", 7_100)
    await move(CALL, "Desk 2", 7_200)
    assert await back(7_300) == (TicketState.WAITING, "", 1)


@pytest.mark.parametrize("moves", [(CALL,), (CALL, SERVE), (CALL, SERVE, DONE), (CALL, NO_SHOW), (LEAVE,), (CALL, REMOVE)])
async def test_a_ticket_that_came_back_to_the_line_is_undone_to_all_that_it_was(shop: Shop, moves: tuple[Action, ...]) -> None:
    party = await shop.add()
    for at, action in enumerate(moves):
        await shop.storage.write(tickets.change, shop.store_id, party.id, action, "Desk 2", None, 5_000 + at)
    before = await shop.storage.read(tickets.one, shop.store_id, party.id)
    await shop.storage.write(tickets.change, shop.store_id, party.id, Action.RETURN, "", None, 6_000)

    change = await shop.storage.write(tickets.undo, shop.store_id, party.id, 7_000)

    assert change.value == before
    assert (await shop.storage.read(snapshots.waiting, shop.store_id))["A"] == 0
    assert (await shop.storage.write(tickets.undo, shop.store_id, party.id, 8_000)).value.ended_ms == 0


async def test_undo_notifies_nobody(shop: Shop) -> None:
    party = await shop.add(phone="+1")
    for action in (CALL, NO_SHOW):
        await shop.storage.write(tickets.change, shop.store_id, party.id, action, "", shop.rules, 5_000)

    change = await shop.storage.write(tickets.undo, shop.store_id, party.id, 6_000)

    owed = await shop.storage.write(deliveries.claim, "lease", 60_000, 100, 10_000)
    assert change.owed == 0
    assert [job.delivery.moment for job in owed] == ["joined"]


async def test_who_never_moved_cannot_be_undone(shop: Shop) -> None:
    party = await shop.add()

    with pytest.raises(WrongState, match="nothing to undo"):
        await shop.storage.write(tickets.undo, shop.store_id, party.id, 6_000)
