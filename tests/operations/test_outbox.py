"""Messages that are kept instead of sent, on both databases."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from realtime.model import Delivery, Job
from realtime.operations import changes, jobs, outbox, reports, tickets
from realtime.operations.notices import LeaseLost
from realtime.operations.outbox import Kept
from tests.operations.conftest import Shop
from tests.support import deliveries

PHONE = "+4915112345678"


async def claim(shop: Shop, now_ms: int = 4_000) -> Job:
    (job,) = await shop.storage.write(deliveries.claim, "lease", 60_000, 1, now_ms)
    held: Job = job
    return held


def kept(job: Job, **changes: Any) -> Kept:
    message = Kept(
        job.store_id, job.id, 4_000, job.delivery.notifier, job.delivery.recipient, job.delivery.moment, "", "It is your turn.", ""
    )
    return msgspec.structs.replace(message, **changes)


async def test_a_guests_message_is_kept_and_the_staff_see_that(shop: Shop) -> None:
    ticket = await shop.add(phone=PHONE)
    job = await claim(shop)

    change = await shop.storage.write(outbox.keep, job, kept(job), 4_000)

    assert await shop.storage.read(outbox.of_account, shop.account_id, 10) == [kept(job)]
    assert '"captured"' in change.events[0].owner
    assert '"captured"' in (await shop.storage.read(tickets.one, shop.store_id, ticket.id)).notices
    assert await shop.storage.write(deliveries.claim, "again", 60_000, 5, 200_000) == []


async def test_what_somebody_else_has_is_not_kept(shop: Shop) -> None:
    await shop.add(phone=PHONE)
    job = await claim(shop)
    stolen = msgspec.structs.replace(job, lease="another")

    with pytest.raises(LeaseLost):
        await shop.storage.write(outbox.keep, stolen, kept(job), 4_000)
    with pytest.raises(LeaseLost):
        await shop.storage.write(outbox.keep, msgspec.structs.replace(stolen, ticket_id=0), kept(job), 4_000)

    assert await shop.storage.read(outbox.of_account, shop.account_id, 10) == []


async def test_a_report_does_not_count_as_delivered_and_can_be_sent_again(shop: Shop) -> None:
    mail = Delivery("email", "owner@example.org", "store_closed", {}, needs_report=True)
    await shop.storage.write(changes.owe, shop.store_id, "closing", [mail], 3_000)
    job = await claim(shop)

    await shop.storage.write(outbox.keep, job, kept(job), 4_000)

    (standing,) = await shop.storage.read(jobs.of_report, shop.store_id)
    assert (standing.state, standing.outcome) == ("dead", outbox.NOT_SENT)
    assert await shop.storage.write(jobs.send_again, shop.store_id, 5_000) == 1
    again = await claim(shop, 5_000)
    await shop.storage.write(outbox.keep, again, kept(again, text="Again."), 5_000)
    assert [each.text for each in await shop.storage.read(outbox.of_account, shop.account_id, 10)] == ["Again."]


async def test_everybody_sees_their_own_only(shop: Shop) -> None:
    await shop.open("theirs", "stranger")
    note = Delivery("email", "x@example.org", "reset_password", {"link": "secret"})
    for owner in ("account-owner", "account-stranger", "account-operator", "account-owner-webhooks"):
        await shop.storage.write(changes.owe, owner, "note", [note], 3_000)
        job = await claim(shop)
        await shop.storage.write(outbox.keep, job, kept(job), 4_000)
    await shop.add(phone=PHONE)
    job = await claim(shop)
    await shop.storage.write(outbox.keep, job, kept(job), 4_000)

    seen = {who: {each.store_id for each in await shop.storage.read(outbox.of_account, who, 10)} for who in ("owner", "stranger")}

    assert seen == {"owner": {"account-owner", "account-owner-webhooks", "shop"}, "stranger": {"account-stranger"}}
    assert {each.store_id for each in await shop.storage.read(outbox.of_no_store, 10)} == {
        "account-owner", "account-stranger", "account-operator", "account-owner-webhooks",
    }  # fmt: skip
    assert len(await shop.storage.read(outbox.of_account, "owner", 1)) == 1


async def test_a_stores_messages_go_with_its_data_and_others_after_a_day(shop: Shop) -> None:
    await shop.storage.write(changes.owe, "account-owner", "note", [Delivery("email", "x@example.org", "email_changed", {})], 3_000)
    await shop.add(phone=PHONE)
    for job in await shop.storage.write(deliveries.claim, "lease", 60_000, 1, 4_000):
        await shop.storage.write(outbox.keep, job, kept(job), 4_000)

    assert await shop.storage.write(outbox.forget, 4_000, 10) == 0
    assert await shop.storage.write(outbox.forget, 4_001, 10) == 1
    assert {each.store_id for each in await shop.storage.read(outbox.of_account, shop.account_id, 10)} == {shop.store_id}
    assert "delete from outbox" in " ".join(reports._DELETE.values())
