"""The end of a store, on both databases: each step once, nothing deleted before its report settled."""

from __future__ import annotations

import asyncio

from realtime.model import Account, Delivery, JobState, MadeFile, StoreState
from realtime.operations import accounts, jobs, reports, stores
from tests.operations.conftest import FAR_MS, Shop
from tests.support import deliveries

FILE = MadeFile("report.csv", "text/csv", 2, 100, "ab" * 32)


def mail(account: Account) -> list[Delivery]:
    return [Delivery("email", account.email, "store_closed", {"store": "Luigi's"}, 0, True)]


async def _closed(shop: Shop) -> None:
    await shop.add("Ann")
    await shop.add("Bo")
    await shop.storage.write(stores.close, shop.store_id, 5_000)


async def _reported(shop: Shop, *, confirmed: bool) -> None:
    if confirmed:
        await _confirm(shop, "owner@example.org")
    await _closed(shop)
    await shop.storage.write(reports.put, shop.store_id, "report.csv", 0, "a,b\r\n")
    await shop.storage.write(reports.finish, shop.store_id, 2, [FILE], mail, 6_000)


async def _confirm(shop: Shop, email: str) -> None:
    await shop.storage.write(accounts.send_link, f"link {email}", shop.account_id, "confirm", email, (), 1, FAR_MS)
    await shop.storage.write(accounts.confirm, f"link {email}", 7_000)


async def _state(shop: Shop) -> StoreState:
    return (await shop.storage.read(stores.one, shop.store_id)).state


async def test_a_report_is_finished_once(shop: Shop) -> None:
    await _closed(shop)
    changes = await asyncio.gather(*(shop.storage.write(reports.finish, shop.store_id, 2, [FILE], mail, 6_000) for _ in range(5)))

    assert sum(change.value is not None for change in changes) == 1
    assert len(await shop.storage.read(jobs.of_report, shop.store_id)) == 1


async def test_a_part_is_the_same_when_it_is_made_again_and_none_comes_late(shop: Shop) -> None:
    await _closed(shop)
    for _ in range(2):
        await shop.storage.write(reports.put, shop.store_id, "report.csv", 0, "one")
    await shop.storage.write(reports.finish, shop.store_id, 2, [FILE], mail, 6_000)
    await shop.storage.write(reports.put, shop.store_id, "report.csv", 1, "late")

    assert await shop.storage.read(reports.part, shop.store_id, "report.csv", 0) == "one"
    assert await shop.storage.read(reports.part, shop.store_id, "report.csv", 1) is None


async def test_an_unconfirmed_owner_gets_the_report_once_the_address_is_confirmed(shop: Shop) -> None:
    await _reported(shop, confirmed=False)
    held = await shop.storage.write(deliveries.claim, "lease", 1_000, 10, 10**12)

    await _confirm(shop, "corrected@example.org")

    released = await shop.storage.write(deliveries.claim, "lease", 1_000, 10, 10**12)
    assert held == []
    assert [job.delivery.recipient for job in released] == ["corrected@example.org"]


async def test_nothing_is_settled_before_the_report_is_delivered(shop: Shop) -> None:
    await _reported(shop, confirmed=True)

    early = await shop.storage.write(reports.settle, shop.store_id, 8_000)
    assert early.value is None
    assert await shop.storage.write(reports.delete_some, shop.store_id, 100) == 0

    (job,) = await shop.storage.write(deliveries.claim, "lease", 10_000, 10, 8_000)
    await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DONE, "sent", 9_000)
    settled = await shop.storage.write(reports.settle, shop.store_id, 9_000)
    assert settled.value.state is StoreState.SETTLED


async def test_a_dead_delivery_waits_for_a_person_and_can_be_sent_again(shop: Shop) -> None:
    await _reported(shop, confirmed=True)
    (job,) = await shop.storage.write(deliveries.claim, "lease", 10_000, 10, 8_000)
    await shop.storage.write(jobs.settle, job.store_id, job.id, "lease", JobState.DEAD, "refused", 9_000)

    assert (await shop.storage.write(reports.settle, shop.store_id, 9_000)).value is None
    assert (await shop.storage.write(reports.send_again, shop.store_id, mail, 9_500)).owed == 1

    (again,) = await shop.storage.write(deliveries.claim, "lease 2", 10_000, 10, 9_600)
    assert again.delivery == job.delivery


async def test_sending_again_owes_the_report_when_nobody_could_carry_it_before(shop: Shop) -> None:
    await _closed(shop)
    await shop.storage.write(reports.finish, shop.store_id, 2, [FILE], lambda account: [], 6_000)

    assert (await shop.storage.write(reports.settle, shop.store_id, 7_000)).value is None
    await shop.storage.write(reports.send_again, shop.store_id, mail, 7_000)

    assert len(await shop.storage.read(jobs.of_report, shop.store_id)) == 1


async def test_a_person_may_decide_to_delete_without_delivery(shop: Shop) -> None:
    await _reported(shop, confirmed=False)

    decided = await shop.storage.write(reports.decide, shop.store_id, 8_000)

    assert decided.value.state is StoreState.SETTLED
    assert (await shop.storage.read(reports.standing, shop.store_id)).delivered is False


async def test_after_the_purge_nothing_is_left_but_the_receipt(shop: Shop) -> None:
    await shop.storage.write(stores.edit, shop.store_id, shop.account_id, stores.StoreChange(quiet_hours="22:00-08:00"), 5)
    await _reported(shop, confirmed=False)
    await shop.storage.write(reports.decide, shop.store_id, 8_000)
    while await shop.storage.write(reports.delete_some, shop.store_id, 2):
        pass

    done = [await shop.storage.write(reports.purge, shop.store_id, shop.account_id, '{"receipt":1}') for _ in range(2)]

    assert done == [True, False]
    assert await _state(shop) is StoreState.PURGED
    assert await shop.storage.read(reports.page, shop.store_id, 0, 10) == []
    assert await shop.storage.read(reports.files, shop.store_id) == []
    assert await shop.storage.read(jobs.of_report, shop.store_id) == []
    assert (await shop.storage.read(stores.one, shop.store_id)).quiet_hours == ""
    assert await shop.storage.read(reports.receipts, shop.account_id) == ['{"receipt":1}']
    assert await shop.storage.read(stores.of_account, shop.account_id) is None
