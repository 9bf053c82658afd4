"""A store's life as rows, on both databases: opened once, edited whole, closed once, found when its time is over."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from realtime.errors import Conflict, NotAllowed, QueueNotFound, StoreClosed, StoreNotFound, StoreOpen
from realtime.model import StoreState
from realtime.operations import accounts, codes, reports, snapshots, stores
from realtime.operations.changes import Change
from tests.operations.conftest import FAR_MS, Shop

NEW = stores.NewStore("Bar", "", "UTC", "#112233", 0, True, [stores.NewQueue("Counter")])


async def _account(shop: Shop, account_id: str) -> None:
    session = accounts.Session(f"token of {account_id}", "family", FAR_MS)
    await shop.storage.write(accounts.make, account_id, f"{account_id}@example.org", "hash", session, 1)


async def _open(shop: Shop, store_id: str, account_id: str, closes_ms: int = FAR_MS, new: stores.NewStore = NEW) -> Change:
    return await shop.storage.write(stores.open_store, store_id, account_id, "epoch", new, shop.keys.code_hash, 1_000, closes_ms, FAR_MS)


async def _edit(shop: Shop, account_id: str = Shop.account_id, **change: object) -> Change:
    return await shop.storage.write(stores.edit, shop.store_id, account_id, msgspec.convert(change, stores.StoreChange), 2_000)


async def _store(shop: Shop, store_id: str = Shop.store_id) -> object:
    return await shop.storage.read(stores.one, store_id)


async def test_a_store_opens_with_its_queues_a_code_and_its_first_events(shop: Shop) -> None:
    store = await shop.storage.read(stores.one, shop.store_id)
    queues = await shop.storage.read(snapshots.queues, shop.store_id)
    events = await shop.storage.read(snapshots.after, shop.store_id, 0, 10)
    code = await shop.storage.read(codes.current, shop.store_id)

    assert (store.state, store.seq, store.account_id) == (StoreState.OPEN, 2, "owner")
    assert [(queue.id, queue.name) for queue in queues] == [("A", "Table for two"), ("B", "Bar")]
    assert [(event.seq, event.kind) for event in events] == [(1, "store"), (2, "code")]
    assert code is not None
    assert code.number == 1


async def test_of_many_who_open_at_once_one_store_opens(shop: Shop) -> None:
    await _account(shop, "new")
    opened = await asyncio.gather(*(_open(shop, f"store{number}", "new") for number in range(8)), return_exceptions=True)

    assert sum(isinstance(each, Change) for each in opened) == 1
    assert all(isinstance(each, Change | StoreOpen) for each in opened)


async def test_the_next_store_may_open_while_the_last_one_is_being_closed(shop: Shop) -> None:
    with pytest.raises(StoreOpen):
        await _open(shop, "second", shop.account_id)
    await shop.storage.write(stores.close, shop.store_id, 2_000)

    await _open(shop, "second", shop.account_id)

    own = await shop.storage.read(stores.of_account, shop.account_id)
    assert own is not None
    assert own.id == "second"


async def test_a_store_has_26_queues_at_most(shop: Shop) -> None:
    full = msgspec.structs.replace(NEW, queues=[stores.NewQueue(f"Queue {number}") for number in range(26)])
    await _account(shop, "other")
    await _open(shop, "full", "other", new=full)
    more = stores.StoreChange(add_queues=(stores.NewQueue("One more"),))

    with pytest.raises(Conflict, match="26"):
        await shop.storage.write(stores.edit, "full", "other", more, 2_000)

    assert [queue.id for queue in await shop.storage.read(snapshots.queues, "full")] == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


async def test_every_field_can_be_edited_and_what_is_left_out_stays(shop: Shop) -> None:
    await _edit(shop, name="New", accent="#ffffff", board_code=True)
    await _edit(shop, almost_at=0, description="Pasta")
    await _edit(shop, queues=[{"id": "A", "paused": True, "waiting_text": "Soon."}, {"id": "B", "logo": "data:", "logo_version": "v1"}])

    store = await shop.storage.read(stores.one, shop.store_id)
    first, second = await shop.storage.read(snapshots.queues, shop.store_id)
    assert (store.name, store.accent, store.board_code, store.almost_at, store.description) == ("New", "#ffffff", True, 0, "Pasta")
    assert (first.name, first.paused, first.waiting_text, first.logo) == ("Table for two", True, "Soon.", "")
    assert (second.name, second.paused, second.logo) == ("Bar", False, "v1")
    assert await shop.storage.read(stores.logo, shop.store_id, "B") == ("data:", "v1")
    assert await shop.storage.read(stores.logo, shop.store_id, "A") is None


async def test_an_edit_tells_each_thing_it_changed_in_order(shop: Shop) -> None:
    change = await _edit(shop, name="New", queues=[{"id": "B", "name": "Terrace"}], add_queues=[{"name": "Garden"}])

    told = [msgspec.json.decode(event.owner)["change"] for event in change.events]
    assert told == ["store_changed", "queue_changed", "queue_added"]
    assert all(after.seq == before.seq + 1 for before, after in pairwise(change.events))
    assert (await shop.storage.read(stores.one, shop.store_id)).seq == change.events[-1].seq


async def test_an_edit_of_nothing_changes_nothing(shop: Shop) -> None:
    before = await _store(shop)

    assert (await _edit(shop)).events == ()
    assert await _store(shop) == before


async def test_an_edit_that_is_refused_changes_nothing(shop: Shop) -> None:
    before = await _store(shop)
    with pytest.raises(QueueNotFound):
        await _edit(shop, name="New", queues=[{"id": "Z"}])
    with pytest.raises(NotAllowed):
        await _edit(shop, account_id="somebody", name="New")
    with pytest.raises(StoreNotFound):
        await shop.storage.write(stores.edit, "nowhere", shop.account_id, stores.StoreChange(name="New"), 1)

    assert await _store(shop) == before
    await shop.storage.write(stores.close, shop.store_id, 2_000)
    with pytest.raises(StoreClosed):
        await _edit(shop, name="New")


async def test_the_account_remembers_the_store_as_it_was_edited(shop: Shop) -> None:
    await _edit(shop, name="New", queues=[{"id": "A", "name": "Terrace", "paused": True}], add_queues=[{"name": "Garden"}])

    template = await shop.storage.read(stores.template, shop.account_id)

    assert template is not None
    assert (template.name, [queue.name for queue in template.queues]) == ("New", ["Terrace", "Bar", "Garden"])
    assert await shop.storage.read(stores.template, "nobody") is None


async def test_a_store_goes_through_its_states_in_order_and_once(shop: Shop) -> None:
    async def step(before: StoreState, after: StoreState) -> bool:
        return (await shop.storage.write(stores.step, shop.store_id, before, after, 3_000)).value is not None

    assert not await step(StoreState.CLOSING, StoreState.REPORTED)
    closed = await shop.storage.write(stores.close, shop.store_id, 2_000)
    assert closed.value.state is StoreState.CLOSING
    with pytest.raises(StoreClosed):
        await shop.storage.write(stores.close, shop.store_id, 2_000)
    assert await step(StoreState.CLOSING, StoreState.REPORTED)
    assert not await step(StoreState.CLOSING, StoreState.REPORTED)
    assert await step(StoreState.REPORTED, StoreState.SETTLED)
    assert (await shop.storage.read(reports.standing, shop.store_id)).closed_ms == 2_000
    with pytest.raises(StoreNotFound):
        await shop.storage.write(stores.close, "nowhere", 1)


async def test_stores_whose_time_is_over_are_found_the_oldest_first(shop: Shop) -> None:
    await _account(shop, "a")
    await _account(shop, "b")
    await _open(shop, "late", "a", closes_ms=9_000)
    await _open(shop, "early", "b", closes_ms=8_000)

    assert await shop.storage.read(stores.due, 7_999, 10) == []
    assert await shop.storage.read(stores.due, 9_000, 10) == ["early", "late"]
    assert await shop.storage.read(stores.due, 9_000, 1) == ["early"]
    assert await shop.storage.read(stores.next_close_ms) == 8_000
    await shop.storage.write(stores.close, "early", 9_000)
    assert await shop.storage.read(stores.unfinished) == ["early"]
    assert await shop.storage.read(stores.due, 9_000, 10) == ["late"]


@pytest.mark.parametrize("store_id", ["", "nowhere", "\0", "sh\0p", "\ud800", "'; drop table stores; --"])
async def test_a_store_that_is_not_there_is_not_found_whatever_it_is_called(shop: Shop, store_id: str) -> None:
    with pytest.raises(StoreNotFound):
        await shop.storage.read(stores.one, store_id)
