"""In a store's quiet hours nobody is written to of their place in the line; the call always goes, and so do the page and the browser's notification."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from realtime.errors import InvalidInput
from realtime.messages import CallNext, EditStore, OwnerTicket
from realtime.operations import snapshots
from realtime.storage.statement import Operation, Row, Statement
from tests.support.evening import BASE, Clock, Evening, Owned, an_evening
from tests.support.waiting import until_async

PHONE, EMAIL = "+4915123456789", "ann@example.com"
QUIET = "22:00-08:00"


def at(clock: Clock, hour: int) -> None:
    """Move the clock on to this hour, UTC, of the next day that has it."""
    now = datetime.fromtimestamp(clock() / 1000, UTC)
    then = (now + timedelta(days=1)).replace(hour=hour, minute=30)
    clock.ahead_ms += int((then - now).total_seconds() * 1000)


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    clock = Clock()
    at(clock, 23)
    async with an_evening(database_url, clock=clock) as evening:
        yield evening


def _told() -> Operation[list[Row]]:
    return list((yield Statement("select moment, notifier, outcome from jobs where ticket_id > 0 order by created_ms, length(id), id")))


async def told(evening: Evening, count: int) -> list[tuple[str, str, str]]:
    async def are() -> bool:
        found = await evening.storage.read(_told)
        return len(found) == count and all(row[2] for row in found)

    await until_async(are, what=f"the end of {count}")
    return [(row[0], row[1], row[2]) for row in await evening.storage.read(_told)]


async def call(evening: Evening, owned: Owned) -> OwnerTicket:
    return await evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext())


async def test_at_night_only_the_call_is_written(evening: Evening) -> None:
    owned = await evening.open(timezone="UTC", ladder=[], almost_at=1, quiet_hours=QUIET)
    await evening.join(owned, "Bo", key="key of Bo")
    await evening.join(owned, "Ann", phone=PHONE, email=EMAIL)
    await told(evening, 2)
    await call(evening, owned)
    await told(evening, 4)
    await call(evening, owned)

    why = "Quiet hours, 22:00 to 08:00."
    assert sorted(await told(evening, 6)) == [
        ("almost", "mail", why), ("almost", "text", why), ("called", "mail", "sent"), ("called", "text", "sent"), ("joined", "mail", why),
        ("joined", "text", why),
    ]  # fmt: skip
    seen = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).tickets
    assert ("text", "joined", "suppressed", why) in [(each.by, each.moment, each.state, each.why) for each in seen[-1].notices]


async def test_by_day_everything_is(evening: Evening) -> None:
    at(evening.clock, 12)
    owned = await evening.open(timezone="UTC", ladder=[], almost_at=0, quiet_hours=QUIET)

    await evening.join(owned, "Ann", phone=PHONE)

    assert await told(evening, 1) == [("joined", "text", "sent")]


async def test_hours_hold_from_when_they_are_set_and_until_they_are_taken_back(evening: Evening) -> None:
    owned = await evening.open(timezone="UTC", ladder=[], almost_at=0)
    outcomes = []
    for number, hours in enumerate(("", QUIET, "23:00-01:00", "01:00-05:00", "")):
        snapshot = await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(quiet_hours=hours), base=BASE)
        assert snapshot.store.quiet_hours == hours
        await evening.join(owned, "Ann", phone=PHONE, key=f"key of phone {number}")
        outcomes.append((await told(evening, number + 1))[-1][2])

    assert outcomes == ["sent", "Quiet hours, 22:00 to 08:00.", "Quiet hours, 23:00 to 01:00.", "sent", "sent"]


async def test_the_next_store_keeps_them(evening: Evening) -> None:
    owned = await evening.open(quiet_hours=QUIET)
    await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(quiet_hours="23:00-07:00"), base=BASE)
    await evening.closing.close(owned.account_id, owned.store_id)

    again = await evening.reception.open_again(owned.account_id, base=BASE)

    assert (await evening.storage.read(snapshots.owner, again)).store.quiet_hours == "23:00-07:00"


async def test_what_is_no_hours_changes_nothing(evening: Evening) -> None:
    owned = await evening.open(quiet_hours=QUIET)

    edit = EditStore(name="New", quiet_hours="22-08")
    with pytest.raises(InvalidInput) as refused:
        await evening.reception.edit_store(owned.account_id, owned.store_id, edit, base=BASE)

    assert refused.value.field == "quiet_hours"
    store = (await evening.reception.owner_snapshot(owned.account_id, owned.store_id, base=BASE)).store
    assert (store.name, store.quiet_hours) == ("Luigi's", QUIET)
