"""How notifications went, on a ticket and as events for its owner, on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime.model import Action, Job, JobState, Notice
from realtime.operations import dead, jobs, notices, snapshots, stores, tickets
from realtime.operations.notices import LeaseLost
from realtime.storage.statement import Storage
from tests.operations.conftest import Shop
from tests.support import deliveries

NOW = 4_000


@pytest.fixture
async def shop(storage: Storage) -> Shop:
    shop = Shop(storage)
    await shop.open()
    return shop


async def claimed(shop: Shop, lease: str = "lease") -> Job:
    (job,) = await shop.storage.write(deliveries.claim, lease, 10**12, 1, 10**12)
    found: Job = job
    return found


async def shown(shop: Shop) -> list[Notice]:
    (ticket,) = (await shop.storage.read(snapshots.owner, shop.store_id)).tickets
    return json.loads(ticket.notices, object_hook=lambda each: Notice(**each)) if ticket.notices else []


async def seq(shop: Shop) -> int:
    return (await shop.storage.read(stores.one, shop.store_id)).seq


async def test_what_went_out_is_on_the_ticket_and_told_to_the_owner_only(shop: Shop) -> None:
    ticket = await shop.add(phone="+391")
    job = await claimed(shop)
    assert job.ticket_id == ticket.id
    before = await seq(shop)
    notice = Notice("sms", "joined", "sent", NOW, "")

    change = await shop.storage.write(notices.settle, job, JobState.DONE, "sent", notice, NOW)

    (event,) = change.events
    assert (event.seq, event.kind, event.public) == (before + 1, "ticket", "{}")
    told: dict[str, Any] = json.loads(event.owner)
    assert told["change"] == "notified"
    assert told["ticket"]["notices"] == [{"by": "sms", "moment": "joined", "state": "sent", "at_ms": NOW, "why": ""}]
    assert await shown(shop) == [notice]
    assert await seq(shop) == before + 1
    assert [each.seq for each in await shop.storage.read(snapshots.after, shop.store_id, before, 9)] == [before + 1]


async def test_a_first_failure_is_told_and_replaced_by_what_came_of_it(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await claimed(shop)
    await shop.storage.write(notices.retry, job, NOW, "no answer", Notice("sms", "joined", "retrying", NOW, "no answer"), NOW)
    assert [each.state for each in await shown(shop)] == ["retrying"]

    again = await claimed(shop, "second")
    await shop.storage.write(notices.settle, again, JobState.DEAD, "refused", Notice("sms", "joined", "failed", NOW, "refused"), NOW)

    assert [(each.state, each.why) for each in await shown(shop)] == [("failed", "refused")]
    (letter,) = await shop.storage.read(dead.letters, "deliveries", 9)
    assert await shop.storage.write(dead.put_back, letter.store_id, letter.id, NOW)
    assert (await claimed(shop, "third")).ticket_id, "a dead letter that is put back still knows its ticket"


async def test_a_lost_lease_changes_nothing(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await claimed(shop)
    await shop.storage.write(jobs.retry, job.store_id, job.id, job.lease, NOW, "given back", NOW)
    before = await seq(shop)

    for late in (
        shop.storage.write(notices.settle, job, JobState.DONE, "sent", Notice("sms", "joined", "sent", NOW, ""), NOW),
        shop.storage.write(notices.retry, job, NOW, "no", Notice("sms", "joined", "retrying", NOW, "no"), NOW),
    ):
        with pytest.raises(LeaseLost):
            await late

    assert await seq(shop) == before
    assert await shown(shop) == []


async def test_in_a_closed_store_a_delivery_ends_and_nobody_is_told(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await claimed(shop)
    await shop.storage.write(stores.close, shop.store_id, NOW)

    change = await shop.storage.write(notices.settle, job, JobState.DONE, "sent", Notice("sms", "joined", "sent", NOW, ""), NOW)

    assert change.events == ()
    assert await shop.storage.write(deliveries.claim, "other", 1000, 9, 10**12) == []


async def test_only_the_latest_are_kept(shop: Shop) -> None:
    ticket = await shop.add(phone="+391")
    for number in range(notices.MOST + 2):
        job = await claimed(shop, f"lease {number}")
        notice = Notice("sms", "called", "sent", number, "")
        await shop.storage.write(notices.settle, job, JobState.DONE, "sent", notice, NOW)
        if number == 0:
            await shop.call_next()
        else:
            await shop.storage.write(tickets.change, shop.store_id, ticket.id, Action.RECALL, "", shop.rules, NOW)
    assert [each.at_ms for each in await shown(shop)] == list(range(2, notices.MOST + 2))
