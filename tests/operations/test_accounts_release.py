"""An address proved by a mail that sets a password releases a held report too; what ended is forgotten."""

from __future__ import annotations

import pytest

from realtime.errors import StoreClosed
from realtime.operations import accounts, jobs, reports, stores
from tests.operations.conftest import FAR_MS, Shop
from tests.operations.test_reports import FILE, mail


async def test_a_reset_by_mail_releases_the_report_that_waited_for_the_address(shop: Shop) -> None:
    await shop.storage.write(stores.close, shop.store_id, 5_000)
    await shop.storage.write(reports.finish, shop.store_id, 0, [FILE], mail, 6_000)
    await shop.storage.write(accounts.send_link, "link", shop.account_id, "reset", "owner@example.org", (), 1, FAR_MS)

    change = await shop.storage.write(accounts.reset, "link", "new hash", 7_000)

    (delivery,) = await shop.storage.read(jobs.of_report, shop.store_id)
    assert change.owed == 1
    assert not delivery.held


async def test_links_and_sessions_that_ended_are_forgotten(shop: Shop) -> None:
    await shop.storage.write(accounts.send_link, "link", shop.account_id, "reset", "owner@example.org", (), 1, 1_000)
    await shop.storage.write(accounts.sign_in, shop.account_id, accounts.Session("old", "family", 1_000), 1)

    assert await shop.storage.write(accounts.forget, 2_000, 100) == 2
    assert await shop.storage.write(accounts.forget, 2_000, 100) == 0


async def test_a_store_whose_time_is_over_takes_nobody_before_it_is_closed(shop: Shop) -> None:
    with pytest.raises(StoreClosed):
        await shop.add(now_ms=FAR_MS)
    with pytest.raises(StoreClosed):
        await shop.scan(1, "phone", now_ms=FAR_MS)
