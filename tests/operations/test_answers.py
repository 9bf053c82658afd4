"""The same answer again, on both databases: a key does its work once, whoever sends it and however often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.errors import Conflict, NobodyWaiting
from realtime.operations import answers, joining, snapshots, tickets
from realtime.operations.changes import Change
from tests.operations.conftest import Shop


async def _call(shop: Shop, key: str = "key", request: str = "request") -> Change:
    make: tuple[Any, ...] = (tickets.call_next, shop.store_id, "A", "Bar", shop.rules, 3_000)
    return await shop.storage.write(answers.once, shop.store_id, key, request, 3_000, *make)


async def _walk_in(shop: Shop, key: str = "key", request: str = "request") -> Change:
    make: tuple[Any, ...] = (joining.join, shop.store_id, (joining.Guest("A", "Ann", "+1", "", 1),), None, shop.rules, 3_000)
    return await shop.storage.write(answers.once, shop.store_id, key, request, 3_000, *make)


async def test_a_key_does_its_work_once_and_tells_of_it_once(shop: Shop) -> None:
    await shop.add("Ann")
    await shop.add("Bo")

    first, again = await _call(shop), await _call(shop)

    assert again.value == first.value
    assert len(first.events) == 1
    assert (again.events, again.owed) == ((), 0)
    assert await shop.storage.read(snapshots.waiting, shop.store_id) == {"A": 1, "B": 0}


async def test_a_walk_in_owes_its_message_once(shop: Shop) -> None:
    first, again = await _walk_in(shop), await _walk_in(shop)

    assert (first.owed, again.owed) == (1, 0)
    assert again.value == first.value[0]


async def test_the_answer_is_the_ticket_as_it_is_by_then(shop: Shop) -> None:
    first = await _walk_in(shop)
    await shop.call_next()

    assert (await _walk_in(shop)).value.state == "called"
    assert first.value[0].state == "waiting"


async def test_of_many_with_one_key_at_once_one_does_the_work(shop: Shop) -> None:
    for _ in range(5):
        await shop.add()

    changes = await asyncio.gather(*(_call(shop) for _ in range(10)))

    assert len({change.value.id for change in changes}) == 1
    assert sum(len(change.events) for change in changes) == 1


async def test_a_key_with_another_request_is_refused(shop: Shop) -> None:
    await shop.add()
    await _call(shop)

    with pytest.raises(Conflict):
        await _call(shop, request="another request")


async def test_work_that_was_refused_leaves_the_key_free(shop: Shop) -> None:
    with pytest.raises(NobodyWaiting):
        await _call(shop)
    await shop.add()

    assert (await _call(shop, request="another request")).value.label == "A01"


async def test_keys_belong_to_their_store(shop: Shop) -> None:
    await shop.open("other", "somebody")
    await shop.add()
    await _call(shop)

    make: tuple[Any, ...] = (tickets.call_next, "other", "A", "Bar", None, 3_000)
    with pytest.raises(NobodyWaiting):
        await shop.storage.write(answers.once, "other", "key", "request", 3_000, *make)
