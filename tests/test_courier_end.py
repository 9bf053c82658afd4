"""The courier at its end, and beside others: leases are kept, and what was not carried is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from realtime.model import JobState
from realtime.operations import jobs
from realtime.storage.statement import every
from tests.support import deliveries
from tests.support.carrying import MakeWork, a_shop, couriers, make_due, opened
from tests.support.waiting import until_async


@pytest.fixture
async def at_work(database_url: str) -> AsyncIterator[MakeWork]:
    """Starts a courier on a shop's database: `work = await at_work(job_max_attempts=3)`."""
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        yield make
    await storage.close()


# ---- leases and the end -------------------------------------------------------------------------------------------


async def test_who_lost_the_lease_does_not_settle(at_work: MakeWork) -> None:
    work = await at_work()
    work.text.open.clear()
    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the delivery")

    await work.storage.write(make_due, work.clock() - 1)
    (again,) = await work.storage.write(deliveries.claim, "another courier", 60_000, 1, work.clock())
    work.text.open.set()
    await until_async(lambda: not any(each.in_flight for each in work.courier.providers.standings()), what="the end of the first")

    rows = await work.rows()
    assert (rows[0][0], rows[0][1]) == ("leased", 2)
    assert await work.storage.write(jobs.settle, again.store_id, again.id, "another courier", JobState.DONE, "sent", 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # Postgres goes by a clock of its own
async def test_a_lease_does_not_begin_before_it_is_asked_for(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()
    read = work.storage.read

    async def slow(make: Callable[..., Any], *args: Any) -> Any:
        found = await read(make, *args)
        if make is jobs.fronts and any(at_ms <= work.clock() for at_ms in found.values()):
            work.clock.ahead_ms += 3_600_000
        return found

    monkeypatch.setattr(work.storage, "read", slow)
    work.text.open.clear()
    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the delivery")

    ((until_ms,),) = await read(every, "select leased_until_ms from jobs")
    assert until_ms > work.clock()


async def test_what_is_not_carried_in_time_at_the_end_is_given_back_as_if_it_was_not_tried(at_work: MakeWork) -> None:
    work = await at_work()
    work.text.open.clear()
    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the delivery")

    await work.courier.stop(0.01)

    (row,) = await work.rows()
    assert (row[0], row[1], row[2]) == ("waiting", 0, "given back")
    await asyncio.wait_for(work.running, 5)


async def test_what_is_carried_in_time_at_the_end_is_settled(at_work: MakeWork) -> None:
    work = await at_work()
    work.text.open.clear()
    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the delivery")

    stopping = asyncio.create_task(work.courier.stop(5))
    await asyncio.sleep(0)
    work.text.open.set()
    await stopping

    (row,) = await work.rows()
    assert row[0] == "done"


async def test_what_was_claimed_in_the_moment_of_the_end_is_given_back(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()
    write, stops = work.storage.write, list[asyncio.Task[None]]()

    async def then_stop(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        made = await write(make, *args, **kwargs)
        if make is jobs.claim_each and made:
            stops.append(asyncio.create_task(work.courier.stop(1)))
            await asyncio.sleep(0)
        return made

    monkeypatch.setattr(work.storage, "write", then_stop)
    await work.owe("+1")
    await until_async(lambda: stops, what="the claim")
    await stops[0]

    (row,) = await work.rows()
    assert (row[0], row[1]) == ("waiting", 0)
    assert work.text.given == []


async def test_at_the_end_nothing_more_is_claimed_though_all_hands_were_full(at_work: MakeWork) -> None:
    work = await at_work(notifier_concurrency=4)
    work.text.open.clear()
    await work.owe(*(f"+{number}" for number in range(9)))
    await until_async(lambda: len(work.text.given) == 4, what="full hands")

    await work.courier.stop(0.01)

    rows = await work.rows()
    assert {(row[0], row[1]) for row in rows} == {("waiting", 0)}
    assert len(work.text.given) == 4


async def test_what_was_sent_is_settled_even_when_time_is_up(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()
    write, settling, go_on = work.storage.write, asyncio.Event(), asyncio.Event()

    async def slowly(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if make is jobs.settle:
            settling.set()
            await go_on.wait()
        return await write(make, *args, **kwargs)

    monkeypatch.setattr(work.storage, "write", slowly)
    await work.owe("+1")
    await settling.wait()
    stopping = asyncio.create_task(work.courier.stop(0.01))
    await until_async(lambda: work.courier._crew._stopping, what="the end")
    for _ in range(5):
        await asyncio.sleep(0.01)  # until the budget is spent
    go_on.set()
    await stopping

    (row,) = await work.rows()
    assert row[0] == "done"


async def test_two_couriers_on_one_database_carry_each_job_once(new_database: Callable[[], str]) -> None:
    url = new_database()
    first, second = await opened(url), await opened(url)
    async with couriers(await a_shop(first)) as make:
        works = [await make(storage=first), await make(storage=second)]
        for round_ in range(4):
            await works[0].owe(*(f"+{round_}{number:02}" for number in range(25)))
            works[1].courier.wake()
        await works[0].until(*[JobState.DONE] * 100)

    recipients = [each.delivery.recipient for work in works for each in work.text.given]
    assert len(recipients) == len(set(recipients)) == 100
    await first.close()
    await second.close()
