"""The courier: every delivery is carried, tried again where that may help, and never holds up another."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from realtime.hookspecs import Accepted, Gone, Outcome, OutgoingDelivery, Permanent, Retry, Sent, Suppressed
from realtime.model import Delivery, JobState
from realtime.operations import accounts, jobs
from tests.support.carrying import FIRST_S, MOST_S, MakeWork, a_shop, couriers, make_due, opened, tried
from tests.support.waiting import until_async


@pytest.fixture
async def at_work(database_url: str) -> AsyncIterator[MakeWork]:
    """Starts a courier on a shop's database: `work = await at_work(job_max_attempts=3)`."""
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        yield make
    await storage.close()


# ---- outcomes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state", "said"),
    [
        (Sent("42"), JobState.DONE, "sent"),
        (Accepted("42"), JobState.DONE, "accepted"),
        (Permanent("no such number"), JobState.DEAD, "no such number"),
        (Gone("left the network"), JobState.DEAD, "left the network"),
        (Suppressed("asked us to stop"), JobState.DEAD, "asked us to stop"),
        (Retry("busy"), JobState.WAITING, "busy"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_a_notifier_answers_is_what_becomes_of_the_delivery(
    at_work: MakeWork, outcome: Outcome, state: JobState, said: str
) -> None:
    work = await at_work()
    work.text.answers.append(outcome)

    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the delivery")

    (row,) = await work.until(state)
    assert tuple(row[1:3]) == (1, said)
    assert work.text.given[0].attempt == 1
    if state is not JobState.WAITING:
        assert row[4] == "{}", "what was said is not kept"


@pytest.mark.parametrize(("chance", "share"), [(0.1, 0.1), (1.0, 1.0), (0.5, 0.5)])
async def test_tries_are_further_and_further_apart_with_jitter_up_to_the_most(at_work: MakeWork, chance: float, share: float) -> None:
    work = await at_work(chance=chance)
    work.text.answers += [Retry("busy")] * 12
    await work.owe("+1")
    waits = []

    for attempt in range(1, 13):
        (row,) = await until_async(partial(tried, work, attempt), what=f"attempt {attempt}")
        waits.append((row[3] - work.clock()) / 1000)
        await work.storage.write(make_due, work.clock() - 1)
        work.courier.wake()

    for attempt, wait_s in enumerate(waits):
        assert wait_s == pytest.approx(min(FIRST_S * 2**attempt, MOST_S) * share, abs=5)


async def test_a_provider_that_says_when_is_not_asked_before(at_work: MakeWork) -> None:
    work = await at_work()
    work.text.answers.append(Retry("too many", 500.0))

    await work.owe("+1")

    (row,) = await until_async(partial(tried, work, 1), what="the attempt")
    assert (row[3] - work.clock()) / 1000 == pytest.approx(500, abs=5)


@pytest.mark.parametrize("after_s", [math.inf, math.nan, -1.0, 1e300])
async def test_a_provider_that_says_nonsense_breaks_nothing(at_work: MakeWork, after_s: float) -> None:
    work = await at_work()
    work.text.answers.append(Retry("b\0usy" + "x" * 10_000, after_s))

    await work.owe("+1")
    (row,) = await until_async(partial(tried, work, 1), what="the attempt")

    assert (row[3] - work.clock()) / 1000 < 25 * 3600
    assert row[2].startswith("busy")
    assert len(row[2]) < 1000
    await work.owe("+2")
    await until_async(lambda: work.text.to("+2"), what="the other delivery")
    assert not work.running.done()


async def test_what_comes_too_late_is_not_sent(at_work: MakeWork) -> None:
    work = await at_work()

    await work.owe("+1", not_after_ms=work.clock() - 1)

    await work.until(JobState.EXPIRED)
    assert work.text.given == []


async def test_a_delivery_is_given_up_after_so_many_attempts_but_never_the_report(at_work: MakeWork) -> None:
    work = await at_work(job_max_attempts=1)
    work.office.mail.answers += [Retry("busy")]
    work.text.answers += [Retry("busy")]

    await work.owe("+1")
    await work.until(JobState.DEAD)
    await work.owe("a@example.com", notifier="mail", needs_report=True)

    await work.until(JobState.DEAD, JobState.WAITING)
    await until_async(lambda: work.office.mail.given, what="the report")
    assert work.settled == []


async def test_the_end_of_a_reports_delivery_is_told_on(at_work: MakeWork) -> None:
    work = await at_work()

    await work.owe("a@example.com", notifier="mail", needs_report=True)
    await work.owe("+1")
    await work.until(JobState.DONE, JobState.DONE)

    assert work.settled == [work.shop.store_id]


async def test_a_notifier_that_is_not_here_may_come_back(at_work: MakeWork) -> None:
    work = await at_work()

    await work.owe("x", notifier="pigeon")

    (row,) = await until_async(partial(tried, work, 1), what="the attempt")
    assert "pigeon" in row[2]


# ---- others -------------------------------------------------------------------------------------------------------


async def test_a_notifier_that_hangs_does_not_hold_up_others(at_work: MakeWork) -> None:
    work = await at_work()
    work.text.open.clear()

    await work.owe("+1", "+2", "+3")
    await until_async(lambda: len(work.text.given) == 3, what="three that hang")
    await work.owe("a@example.com", notifier="mail")

    await until_async(lambda: work.office.mail.given, what="the mail")


async def test_a_wake_up_is_heeded_at_once(at_work: MakeWork) -> None:
    work = await at_work()
    await until_async(lambda: not work.courier._crew._awake.is_set(), what="the courier to lie down")

    await work.owe("+1")

    await until_async(lambda: work.text.given, what="the delivery, long before the next look")


async def test_a_lane_that_waits_for_its_turn_is_not_asked_for_again_and_again(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()
    work.text.open.clear()
    await work.owe("+1")
    await until_async(lambda: work.text.given, what="the first")
    write, claims = work.storage.write, list[Any]()

    async def counting(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        claims.extend([make] if make is jobs.claim_each else [])
        return await write(make, *args, **kwargs)

    monkeypatch.setattr(work.storage, "write", counting)
    await work.owe("+1")

    (next_ms,) = (await work.storage.read(jobs.fronts)).values()
    assert next_ms > work.clock() + 10_000, "nothing can be claimed before the lease ends"
    work.text.open.set()
    await until_async(lambda: len(work.text.given) == 2, what="the second")
    assert len(claims) < 10


async def test_old_mails_to_accounts_are_forgotten(at_work: MakeWork) -> None:
    work = await at_work()
    delivery = Delivery("mail", "owner@example.org", "confirm_email", {"link": "x"})
    await work.storage.write(accounts.tell, work.shop.account_id, (delivery,), work.clock() - 60_000)
    work.courier.wake()
    await work.until(JobState.DONE)

    work.clock.ahead_ms += 25 * 3_600_000
    work.courier.wake()

    await work.until()


async def test_a_fault_in_one_delivery_ends_nothing_else(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()
    deliver = work.courier._registry.deliver

    async def faulty(parcel: OutgoingDelivery) -> Outcome:
        if parcel.delivery.recipient == "+1":
            raise ZeroDivisionError
        return await deliver(parcel)

    monkeypatch.setattr(work.courier._registry, "deliver", faulty)
    await work.owe("+1", "+2")

    await until_async(lambda: work.text.to("+2"), what="the other delivery")
    await work.owe("+3")
    await until_async(lambda: work.text.to("+3"), what="the next delivery")
    assert not work.running.done()
