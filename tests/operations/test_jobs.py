"""Deliveries as rows, on both databases: leases, attempts, order within a lane."""

from __future__ import annotations

import asyncio

from realtime.model import Delivery, JobState
from realtime.operations import accounts, jobs
from tests.operations.conftest import Shop
from tests.support import deliveries

ALL = 100


async def _owe(shop: Shop, *recipients: str, now_ms: int = 1_000) -> None:
    for number, recipient in enumerate(recipients):
        delivery = Delivery("sms", recipient, "called", {"number": number})
        await shop.storage.write(accounts.tell, shop.account_id, (delivery,), now_ms + number)


async def test_a_job_is_leased_to_one_of_many_who_claim_at_once(shop: Shop) -> None:
    await _owe(shop, *(f"+{number}" for number in range(30)))

    claims = await asyncio.gather(*(shop.storage.write(deliveries.claim, f"lease {worker}", 60_000, 7, 10_000) for worker in range(8)))

    ids = [job.id for claim in claims for job in claim]
    assert len(ids) == len(set(ids)) == 30


async def test_one_lane_has_one_in_flight_and_keeps_its_order(shop: Shop) -> None:
    await _owe(shop, "+1", "+1", "+2", "+1")

    carried = []
    while claimed := await shop.storage.write(deliveries.claim, "lease", 60_000, ALL, 10_000):
        assert len({job.delivery.recipient for job in claimed}) == len(claimed)
        for job in claimed:
            carried.append((job.delivery.recipient, job.delivery.body["number"]))
            await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 10_000)

    assert [number for recipient, number in carried if recipient == "+1"] == [0, 1, 3]


async def test_only_the_holder_of_the_lease_settles(shop: Shop) -> None:
    await _owe(shop, "+1")
    (job,) = await shop.storage.write(deliveries.claim, "lease", 60_000, ALL, 10_000)

    assert not await shop.storage.write(jobs.settle, job.store_id, job.id, "another", JobState.DONE, "sent", 1)
    assert not await shop.storage.write(jobs.retry, job.store_id, job.id, "another", 1, "again", 1)
    assert await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 1)
    assert not await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DEAD, "late", 1)


async def test_a_lease_that_ended_is_claimed_again_and_counts_as_an_attempt(shop: Shop) -> None:
    await _owe(shop, "+1")
    # A lease of no length has ended when the next claim comes, on either database's clock.
    (first,) = await shop.storage.write(deliveries.claim, "lease", 0, ALL, 10_000)

    (second,) = await shop.storage.write(deliveries.claim, "lease 2", 60_000, ALL, 10_001)

    assert (first.attempts, second.attempts) == (1, 2)
    assert not await shop.storage.write(jobs.settle, first.store_id, first.id, "lease", JobState.DONE, "sent", 1)


async def test_what_is_given_back_uncounted_was_never_tried(shop: Shop) -> None:
    await _owe(shop, "+1")
    (job,) = await shop.storage.write(deliveries.claim, "lease", 60_000, ALL, 10_000)
    await shop.storage.write(jobs.retry, job.store_id, job.id, "lease", 1_000, "given back", 1_000, counted=False)

    (again,) = await shop.storage.write(deliveries.claim, "lease 2", 60_000, ALL, 10_000)

    assert again.attempts == 1


async def test_a_job_is_not_claimed_before_it_is_due(shop: Shop) -> None:
    far_ms = 10**13
    await _owe(shop, "+1", now_ms=far_ms)

    assert await shop.storage.write(deliveries.claim, "lease", 60_000, ALL, 10_000) == []
    assert min((await shop.storage.read(jobs.fronts)).values()) == far_ms


async def test_what_was_said_is_forgotten_once_it_is_sent(shop: Shop) -> None:
    await _owe(shop, "+1")
    (job,) = await shop.storage.write(deliveries.claim, "lease", 60_000, ALL, 10_000)
    await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 10_000)

    assert await shop.storage.write(jobs.forget, 20_000, 0, 20_000, ALL) == 1
    assert await shop.storage.write(jobs.forget, 20_000, 0, 20_000, ALL) == 0
