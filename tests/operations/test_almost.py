"""Almost your turn, on both databases: everybody is told once, and how many stand before them."""

from __future__ import annotations

from realtime.model import JobState
from realtime.operations import jobs, stores
from tests.operations.conftest import Shop
from tests.support import deliveries


async def test_who_is_told_that_it_is_almost_their_turn_is_told_how_many_are_before_them(shop: Shop) -> None:
    await _almost_at(shop, 0)
    for number in range(5):
        await shop.add(f"Party {number}", phone=f"+{number}")
    await _almost_at(shop, 3)

    await shop.call_next()

    assert await _told(shop) == {"+1": 0, "+2": 1, "+3": 2}


async def test_who_moves_up_by_one_is_told_of_those_still_before_them(shop: Shop) -> None:
    for number in range(5):
        await shop.add(f"Party {number}", phone=f"+{number}")

    await shop.call_next()

    assert await _told(shop) == {"+3": 2}


async def _almost_at(shop: Shop, almost_at: int) -> None:
    await shop.storage.write(stores.edit, shop.store_id, shop.account_id, stores.StoreChange(almost_at=almost_at), 1_500)


async def _told(shop: Shop) -> dict[str, object]:
    """By recipient, how many were said to be before them."""
    told: dict[str, object] = {}
    while claimed := await shop.storage.write(deliveries.claim, "lease", 60_000, 100, 10_000):
        for job in claimed:
            if job.delivery.moment == "almost":
                told[job.delivery.recipient] = job.delivery.body["ahead"]
            await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 10_000)
    return told
