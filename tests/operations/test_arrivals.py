"""What providers tell of deliveries they accepted: forward only, once, and told to the owner, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import Any

import pytest

from realtime.errors import StoreClosed
from realtime.model import Action, Job, JobState, Notice
from realtime.operations import arrivals, notices, reports, snapshots, stores, tickets
from realtime.operations.arrivals import NothingNew
from realtime.operations.changes import Change
from realtime.storage.statement import Operation, Statement
from tests.operations.conftest import Shop
from tests.support import deliveries

NOW, LATER = 4_000, 9_000


async def carried(shop: Shop, at_ms: int = NOW, hashed: str = "hash of +391") -> Job:
    """A delivery that a provider accepted."""
    job = await claimed(shop)
    await accept(shop, job, at_ms, hashed)
    return job


async def claimed(shop: Shop) -> Job:
    (job,) = await shop.storage.write(deliveries.claim, "lease", 10**12, 1, 10**12)
    found: Job = job
    return found


async def accept(shop: Shop, job: Job, at_ms: int = NOW, hashed: str = "hash of +391") -> None:
    notice = Notice("sms", job.delivery.moment, "accepted", at_ms, "")
    await shop.storage.write(notices.settle, job, JobState.DONE, "accepted", notice, at_ms, hashed)


async def tell(
    shop: Shop,
    delivery_id: str = "",
    hashed: str = "",
    *,
    delivered: bool = True,
    why: str = "",
    since_ms: int = 0,
    now_ms: int = LATER,
    message: str = "",
    outranks: bool = False,
) -> Change:
    how: dict[str, Any] = {"delivered": delivered, "why": why, "since_ms": since_ms, "now_ms": now_ms}
    how |= {"message_hash": message, "outranks": outranks}
    change: Change = await shop.storage.write(notices.arrived, "sms", delivery_id, hashed, **how)
    return change


async def shown(shop: Shop) -> list[tuple[str, str, int, str]]:
    (ticket,) = (await shop.storage.read(snapshots.owner, shop.store_id)).tickets
    return [(each["moment"], each["state"], each["at_ms"], each["why"]) for each in json.loads(ticket.notices or "[]")]


async def test_what_arrived_is_told_to_the_owner_with_its_time(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)
    before = (await shop.storage.read(stores.one, shop.store_id)).seq

    change = await tell(shop, job.id)

    (event,) = change.events
    assert (event.seq, event.public) == (before + 1, "{}")
    assert json.loads(event.owner)["ticket"]["notices"] == [
        {"by": "sms", "moment": "joined", "state": "delivered", "at_ms": LATER, "why": ""}
    ]
    assert await shown(shop) == [("joined", "delivered", LATER, "")]


async def test_what_did_not_arrive_says_why(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)

    await tell(shop, job.id, delivered=False, why="The number refused it.")

    assert await shown(shop) == [("joined", "undelivered", LATER, "The number refused it.")]


@pytest.mark.parametrize("first", [True, False])
async def test_only_the_first_word_counts(shop: Shop, first: bool) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)
    await tell(shop, job.id, delivered=first)
    known = await shown(shop)
    seq = (await shop.storage.read(stores.one, shop.store_id)).seq

    for again in (True, False):
        with pytest.raises(NothingNew):
            await tell(shop, job.id, delivered=again)

    assert await shown(shop) == known
    assert (await shop.storage.read(stores.one, shop.store_id)).seq == seq, "no number is taken without an event"


@pytest.mark.parametrize("words", sorted(set(itertools.permutations([True, True, False, False]))), ids=str)
async def test_whatever_the_order_the_word_that_outranks_stands_in_the_end_and_each_is_told_once(
    shop: Shop, words: tuple[bool, ...]
) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)
    events = 0

    for at_ms, delivered in enumerate(words, LATER):
        with contextlib.suppress(NothingNew):
            await tell(shop, job.id, delivered=delivered, outranks=delivered, now_ms=at_ms)
            events += 1

    ((_, state, at_ms, _),) = await shown(shop)
    assert (state, at_ms) == ("delivered", LATER + words.index(True))
    assert events == (1 if words[0] else 2)


async def test_what_outranks_is_told_of_the_right_one_of_two_calls(shop: Shop) -> None:
    ticket = await shop.add(phone="+391")
    await carried(shop)
    jobs: list[Job] = []
    for at_ms in (NOW + 1, NOW + 2):
        await (
            shop.call_next() if not jobs else shop.storage.write(tickets.change, shop.store_id, ticket.id, Action.RECALL, "", shop.rules, 8)
        )
        jobs.append(await carried(shop, at_ms))
        await tell(shop, jobs[-1].id, delivered=False, now_ms=LATER + len(jobs))

    await tell(shop, jobs[0].id, outranks=True, now_ms=LATER + 9)

    assert [each[:3] for each in await shown(shop)] == [
        ("joined", "accepted", NOW), ("called", "delivered", LATER + 9), ("called", "undelivered", LATER + 2),
    ]  # fmt: skip


async def test_one_that_outranks_before_we_have_written_that_it_was_accepted_stands(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await claimed(shop)
    await tell(shop, job.id, delivered=False)
    await tell(shop, job.id, outranks=True, now_ms=LATER + 1)

    await accept(shop, job)

    assert await shown(shop) == [("joined", "delivered", LATER + 1, "")]


async def test_a_provider_that_is_quicker_than_we_write_is_heard(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await claimed(shop)

    await tell(shop, job.id)
    assert await shown(shop) == []
    await accept(shop, job)

    assert await shown(shop) == [("joined", "delivered", LATER, "")]
    with pytest.raises(NothingNew):
        await tell(shop, job.id, delivered=False)


@pytest.mark.parametrize("delivery_id", ["", "shop-2-0", "shop-2-9", "other-2-0", "x", "--", "account-owner-2-0"])
async def test_what_is_about_nothing_changes_nothing(shop: Shop, delivery_id: str) -> None:
    await shop.add(phone="+391")

    with pytest.raises(NothingNew):
        await tell(shop, delivery_id, "hash of +391")

    assert await shown(shop) == []


async def test_another_notifier_cannot_speak_for_this_one(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)

    with pytest.raises(NothingNew):
        await shop.storage.write(notices.arrived, "pager", job.id, "", delivered=True, why="", since_ms=0, now_ms=LATER)


async def test_without_an_id_the_latest_unknown_to_the_recipient_is_meant(shop: Shop) -> None:
    await shop.add(phone="+391")
    await carried(shop)
    await shop.call_next()
    await carried(shop, NOW + 1)

    with pytest.raises(NothingNew):
        await tell(shop, hashed="hash of +392")
    with pytest.raises(NothingNew):
        await tell(shop, hashed="hash of +391", since_ms=NOW + 2)
    await tell(shop, hashed="hash of +391")
    assert [state for _, state, _, _ in await shown(shop)] == ["accepted", "delivered"]
    await tell(shop, hashed="hash of +391", delivered=False)

    assert [state for _, state, _, _ in await shown(shop)] == ["undelivered", "delivered"]
    with pytest.raises(NothingNew):
        await tell(shop, hashed="hash of +391")


async def two_on_their_way(shop: Shop) -> None:
    await shop.add(phone="+391")
    await carried(shop)
    await shop.call_next()
    await carried(shop, NOW + 1)


async def states(shop: Shop) -> list[str]:
    return [state for _, state, _, _ in await shown(shop)]


async def test_what_comes_twice_under_the_providers_own_id_is_about_the_same_delivery(shop: Shop) -> None:
    await two_on_their_way(shop)
    await tell(shop, hashed="hash of +391", message="SM2")

    for delivered in (True, False):
        with pytest.raises(NothingNew):
            await tell(shop, hashed="hash of +391", message="SM2", delivered=delivered)

    assert await states(shop) == ["accepted", "delivered"]
    await tell(shop, hashed="hash of +391", message="SM1", delivered=False)
    assert await states(shop) == ["undelivered", "delivered"]


async def test_what_outranks_finds_its_delivery_by_the_providers_own_id(shop: Shop) -> None:
    await two_on_their_way(shop)
    await tell(shop, hashed="hash of +391", message="SM2", delivered=False)

    await tell(shop, hashed="hash of +391", message="SM2", outranks=True)

    assert await states(shop) == ["accepted", "delivered"]


async def test_a_providers_own_id_means_nothing_to_another_notifier(shop: Shop) -> None:
    await two_on_their_way(shop)
    await tell(shop, hashed="hash of +391", message="SM2")

    with pytest.raises(NothingNew):
        await shop.storage.write(
            notices.arrived,
            "pager",
            "",
            "hash of +391",
            delivered=False,
            why="",
            since_ms=0,
            now_ms=LATER,
            message_hash="SM2",
            outranks=True,
        )

    assert await states(shop) == ["accepted", "delivered"]


async def test_the_same_word_twice_at_once_is_told_once(shop: Shop) -> None:
    """On Postgres both look before either has written."""
    await two_on_their_way(shop)

    told = await asyncio.gather(*(tell(shop, hashed="hash of +391", message="SM2") for _ in range(6)), return_exceptions=True)

    assert [type(each) for each in told].count(Change) == 1
    assert await states(shop) == ["accepted", "delivered"]


async def test_a_providers_own_id_never_comes_to_mean_another_delivery(shop: Shop) -> None:
    """As where two looked before either had written."""
    await two_on_their_way(shop)
    await tell(shop, hashed="hash of +391", message="SM2")
    other = await shop.storage.read(arrivals.by_recipient, "sms", "hash of +391", 0)

    assert other is not None

    with pytest.raises(NothingNew):
        await shop.storage.write(arrivals.mean, other, "SM2")

    found = await shop.storage.read(arrivals.by_message, "sms", "SM2")
    assert found is not None
    assert found.job_id != other.job_id


async def test_in_a_closed_store_nobody_is_told(shop: Shop) -> None:
    await shop.add(phone="+391")
    job = await carried(shop)
    await shop.storage.write(stores.close, shop.store_id, NOW)

    with pytest.raises(StoreClosed):
        await tell(shop, job.id)


async def test_the_stores_end_takes_them_along(shop: Shop) -> None:
    await shop.add(phone="+391")
    await carried(shop)
    await tell(shop, hashed="hash of +391", message="SM1")
    await shop.storage.write(_settled, shop.store_id)

    while await shop.storage.write(reports.delete_some, shop.store_id, 100):
        pass

    assert await shop.storage.read(_left) == 0


def _settled(store_id: str) -> Operation[None]:
    yield Statement("update stores set state = 'settled' where id = $1", (store_id,))


def _left() -> Operation[int]:
    rows = yield Statement("select (select count(*) from arrivals) + (select count(*) from arrival_messages)")
    count: int = rows[0][0]
    return count
