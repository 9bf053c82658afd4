"""What the staff do: once per key, in their own store only, and never what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from realtime.errors import (
    Conflict,
    InvalidInput,
    NobodyWaiting,
    NotAllowed,
    NowServingError,
    Refused,
    StoreClosed,
    StoreNotFound,
    TicketNotFound,
)
from realtime.messages import CallNext, ChangeTicket, EditStore, Join, Party, ScanCode, WalkIn
from realtime.model import TicketState
from realtime.operations import codes, snapshots, stores, tickets
from tests.support.evening import BASE, PHONE, Evening, Owned, an_evening

OTHER_PHONE = "key of another phone"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open()


async def _seq(evening: Evening, owned: Owned) -> int:
    return (await evening.storage.read(stores.one, owned.store_id)).seq


async def _scan(evening: Evening, code: str, key: str = PHONE, *held: str) -> Any:
    return await evening.reception.scan(code, ScanCode(key), held, base=BASE)


def _join(code: str, *parties: Party, key: str = PHONE) -> Join:
    return Join(code, key, list(parties or (Party("Ann", "A"),)))


# ---- the staff ----------------------------------------------------------------------------------------------------


async def test_a_key_makes_call_next_and_walk_in_happen_once(evening: Evening, owned: Owned) -> None:
    walk_in = WalkIn("Ann", "A")
    first = await evening.reception.walk_in(owned.account_id, owned.store_id, walk_in, "key-1", base=BASE)
    await evening.reception.walk_in(owned.account_id, owned.store_id, WalkIn("Bo", "A"), "key-2", base=BASE)

    called = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext("Bar"), "key-3")
    called_again = await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext("Bar"), "key-3")
    walked_again = await evening.reception.walk_in(owned.account_id, owned.store_id, walk_in, "key-1", base=BASE)

    assert called_again == called
    assert (walked_again.ticket.id, walked_again.link, walked_again.ticket.state) == (first.ticket.id, first.link, "called")
    assert await evening.storage.read(snapshots.waiting, owned.store_id) == {"A": 1, "B": 0}


@pytest.mark.parametrize("count", [2, 10])
async def test_one_key_that_arrives_several_times_at_once_calls_one_party(evening: Evening, owned: Owned, count: int) -> None:
    await evening.join(owned, *"abcde")
    ask = (owned.account_id, owned.store_id, "A", CallNext("Bar"), "key")

    called = await asyncio.gather(*(evening.reception.call_next(*ask) for _ in range(count)))
    walked = await asyncio.gather(
        *(evening.reception.walk_in(owned.account_id, owned.store_id, WalkIn("Wim", "A"), "other", base=BASE) for _ in range(count))
    )

    assert len({ticket.id for ticket in called}) == 1
    assert len({each.ticket.id for each in walked}) == 1
    assert await evening.storage.read(snapshots.waiting, owned.store_id) == {"A": 5, "B": 0}


async def test_a_key_that_was_used_for_something_else_is_refused(evening: Evening, owned: Owned) -> None:
    await evening.join(owned, "Ann", "Bo")
    call = evening.reception.call_next
    await call(owned.account_id, owned.store_id, "A", CallNext("Bar"), "key")

    for other in (
        call(owned.account_id, owned.store_id, "A", CallNext("Desk 1"), "key"),
        call(owned.account_id, owned.store_id, "B", CallNext("Bar"), "key"),
        evening.reception.walk_in(owned.account_id, owned.store_id, WalkIn("Bar", "A"), "key", base=BASE),
    ):
        with pytest.raises(Conflict, match="Idempotency-Key"):
            await other


async def test_a_request_that_was_refused_leaves_its_key_free(evening: Evening, owned: Owned) -> None:
    call = evening.reception.call_next
    with pytest.raises(NobodyWaiting):
        await call(owned.account_id, owned.store_id, "A", CallNext(), "key")
    await evening.join(owned, "Ann")

    assert (await call(owned.account_id, owned.store_id, "A", CallNext(), "key")).label == "A01"


async def test_keys_of_two_stores_do_not_meet(evening: Evening, owned: Owned) -> None:
    other = await evening.open("other@example.com")

    walked = [
        await evening.reception.walk_in(each.account_id, each.store_id, WalkIn("Ann", "A"), "key", base=BASE) for each in (owned, other)
    ]

    assert walked[0].link != walked[1].link


@pytest.mark.parametrize(
    ("walk_in", "field"),
    [(WalkIn("\0", "A"), "name"), (WalkIn("Ann", "A", phone="1"), "phone"), (WalkIn("Ann", "A", email="x"), "email")],
)
async def test_a_walk_in_is_checked_like_everybody(evening: Evening, owned: Owned, walk_in: WalkIn, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await evening.reception.walk_in(owned.account_id, owned.store_id, walk_in, base=BASE)
    assert refused.value.field == field
    with pytest.raises(Refused):
        await evening.reception.walk_in(owned.account_id, owned.store_id, WalkIn("Mallory", "A"), base=BASE)


async def test_a_desk_is_one_line(evening: Evening, owned: Owned) -> None:
    (ann,) = (await evening.join(owned, "Ann")).tickets
    for ask in (
        evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext("a\nb")),
        evening.reception.change_ticket(owned.account_id, owned.store_id, ann.id, ChangeTicket("call", "a\0b")),
    ):
        with pytest.raises(InvalidInput) as refused:
            await ask
        assert refused.value.field == "desk"


async def test_the_link_of_a_ticket_is_the_one_its_party_has(evening: Evening, owned: Owned) -> None:
    (ann,) = (await evening.join(owned, "Ann")).tickets

    link, svg = await evening.reception.ticket_link(owned.account_id, owned.store_id, ann.id, base=BASE)

    assert link == ann.link
    assert svg.startswith("<svg")
    with pytest.raises(TicketNotFound):
        await evening.reception.ticket_link(owned.account_id, owned.store_id, ann.id + 99, base=BASE)


Ask = Callable[[Evening, str, str, int], Awaitable[Any]]

ASKS: dict[str, Ask] = {
    "look": lambda evening, who, store, ticket: evening.reception.owner_snapshot(who, store, base=BASE),
    "edit": lambda evening, who, store, ticket: evening.reception.edit_store(who, store, EditStore(name="Mine"), base=BASE),
    "edit nothing": lambda evening, who, store, ticket: evening.reception.edit_store(who, store, EditStore(), base=BASE),
    "call next": lambda evening, who, store, ticket: evening.reception.call_next(who, store, "A", CallNext()),
    "call next with a key": lambda evening, who, store, ticket: evening.reception.call_next(who, store, "A", CallNext(), "key"),
    "change": lambda evening, who, store, ticket: evening.reception.change_ticket(who, store, ticket, ChangeTicket("remove")),
    "walk in": lambda evening, who, store, ticket: evening.reception.walk_in(who, store, WalkIn("Ann", "A"), base=BASE),
    "link": lambda evening, who, store, ticket: evening.reception.ticket_link(who, store, ticket, base=BASE),
    "close": lambda evening, who, store, ticket: evening.closing.close(who, store),
    "closing": lambda evening, who, store, ticket: evening.closing.view(who, store),
    "resend": lambda evening, who, store, ticket: evening.closing.resend(who, store),
    "delete": lambda evening, who, store, ticket: evening.closing.delete(who, store),
    "report": lambda evening, who, store, ticket: evening.closing.report(who, store),
}


@pytest.mark.parametrize("ask", ASKS)
async def test_another_owner_can_do_nothing_to_a_store(evening: Evening, owned: Owned, ask: str) -> None:
    (ann,) = (await evening.join(owned, "Ann")).tickets
    stranger = await evening.open("stranger@example.com")
    seq = await _seq(evening, owned)

    with pytest.raises(NotAllowed):
        await ASKS[ask](evening, stranger.account_id, owned.store_id, ann.id)
    with pytest.raises(StoreNotFound):
        await ASKS[ask](evening, stranger.account_id, "nowhere", ann.id)
    with pytest.raises(NotAllowed):
        await ASKS[ask](evening, "", owned.store_id, ann.id)

    assert await _seq(evening, owned) == seq


async def test_a_ticket_is_reached_through_its_own_store_only(evening: Evening, owned: Owned) -> None:
    (ann,) = (await evening.join(owned, "Ann", "Bo", "Cy")).tickets[2:]
    stranger = await evening.open("stranger@example.com")

    for ask in ("change", "link"):
        with pytest.raises(TicketNotFound):
            await ASKS[ask](evening, stranger.account_id, stranger.store_id, ann.id)
    assert (await evening.storage.read(tickets.one, owned.store_id, ann.id)).state is TicketState.WAITING


async def test_a_closed_store_takes_nothing_more(evening: Evening, owned: Owned) -> None:
    (ann,) = (await evening.join(owned, "Ann")).tickets
    code = await evening.code(owned)
    await _scan(evening, code, OTHER_PHONE)
    fresh = await evening.code(owned)
    await evening.closing.close(owned.account_id, owned.store_id)

    asks: list[Awaitable[Any]] = [
        evening.reception.join(_join(code, key=OTHER_PHONE), base=BASE),
        _scan(evening, fresh),
        evening.reception.code_page(fresh),
        evening.reception.leave(ann.token),
        *(ASKS[ask](evening, owned.account_id, owned.store_id, ann.id) for ask in ("edit", "call next", "change", "walk in", "close")),
    ]
    for ask in asks:
        with pytest.raises(StoreClosed):
            await ask
    assert await evening.storage.read(codes.current, owned.store_id) is None


async def test_renewing_a_code_that_is_not_on_show_any_more_is_no_fault(evening: Evening, owned: Owned) -> None:
    await evening.reception.renew_code(owned.store_id, 1)
    await evening.reception.renew_code(owned.store_id, 1)
    await evening.closing.close(owned.account_id, owned.store_id)
    await evening.reception.renew_code(owned.store_id, 2)

    with pytest.raises(NowServingError):
        await evening.reception.renew_code("nowhere", 1)
