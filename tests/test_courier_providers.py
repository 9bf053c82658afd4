"""The courier and providers that are down or hang: they hold up nobody else, and an outage costs no attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from realtime.hookspecs import Outcome, OutgoingDelivery, Retry
from realtime.model import JobState
from realtime.providers import FAILURES, LONGEST_PAUSE_S, BreakerState
from tests.support.carrying import MakeWork, Work, a_shop, couriers, opened
from tests.support.waiting import until_async

DOWN = Retry("The gateway does not answer.", provider_down=True)


@pytest.fixture
async def at_work(database_url: str) -> AsyncIterator[MakeWork]:
    storage = await opened(database_url)
    async with couriers(await a_shop(storage)) as make:
        yield make
    await storage.close()


def state(work: Work, notifier: str = "text") -> BreakerState | None:
    return next((each.state for each in work.courier.providers.standings() if each.notifier == notifier), None)


def at_rest(work: Work) -> bool:
    """It is down, and what it was tried with is settled: a clock that jumps ends no lease."""
    return state(work) is BreakerState.OPEN and not any(each.in_flight for each in work.courier.providers.standings())


async def goes_down(work: Work) -> None:
    work.text.answers += [DOWN] * FAILURES
    await work.owe(*(f"+{number}" for number in range(FAILURES)))
    await until_async(lambda: at_rest(work), what="an open breaker, and all that was given to it settled")


async def test_one_that_hangs_takes_nobody_elses_room(at_work: MakeWork) -> None:
    work = await at_work(notifier_concurrency=4)
    work.text.open.clear()
    await work.owe(*(f"+{number}" for number in range(100)))
    await until_async(lambda: len(work.text.given) == 4, what="full hands")

    await work.owe(*(f"{number}@example.com" for number in range(20)), notifier="mail")

    await until_async(lambda: len(work.office.mail.given) == 20, what="all twenty, while the others hang")
    assert len(work.text.given) == 4
    work.text.open.set()
    await work.until(*[JobState.DONE] * 120)


async def test_while_a_provider_is_down_nothing_is_given_to_it_and_no_attempt_is_counted(at_work: MakeWork) -> None:
    work = await at_work()
    await goes_down(work)
    given = len(work.text.given)

    await work.owe(*(f"+9{number}" for number in range(30)))
    await work.owe("a@example.com", notifier="mail")
    await until_async(lambda: work.office.mail.given, what="the mail")

    assert len(work.text.given) == given
    waiting = [row for row in await work.rows() if row[0] == "waiting"]
    assert [row[1] for row in waiting] == [1] * FAILURES + [0] * 30


async def test_a_day_of_outage_costs_what_the_probes_cost_and_all_arrives_at_its_end(at_work: MakeWork) -> None:
    work = await at_work(job_max_attempts=12)
    await goes_down(work)
    await work.owe(*(f"+9{number}" for number in range(30)))

    for probe in range(1, 25):
        work.text.answers.append(DOWN)
        work.clock.ahead_ms += int(LONGEST_PAUSE_S * 1000)
        work.courier.wake()
        await until_async(partial(_given, work, FAILURES + probe), what=f"probe {probe}")
        await until_async(lambda: at_rest(work), what="its end, written down")
    work.clock.ahead_ms += 3_600_000
    work.courier.wake()

    rows = await work.until(*[JobState.DONE] * (FAILURES + 30))
    assert sum(row[1] for row in rows) == FAILURES + 24 + FAILURES + 30


async def test_what_came_too_late_while_it_was_down_does_not_stand_in_the_way(at_work: MakeWork) -> None:
    work = await at_work()
    await goes_down(work)
    await work.owe(*(f"+9{number}" for number in range(40)), not_after_ms=work.clock() + 60_000)
    await work.owe("+late")

    work.clock.ahead_ms += 3_600_000
    work.courier.wake()

    await until_async(lambda: work.text.to("+late"), what="what is not too late")
    await work.until(*[JobState.DONE] * FAILURES, *[JobState.EXPIRED] * 40, JobState.DONE)
    assert not [each for each in work.text.given if each.delivery.recipient.startswith("+9")]


async def test_exceptions_open_the_breaker_too(at_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = await at_work()

    async def broken(delivery: OutgoingDelivery) -> Outcome:
        raise ConnectionError

    monkeypatch.setattr(work.text, "deliver", broken)
    await work.owe(*(f"+{number}" for number in range(FAILURES)))

    await until_async(lambda: state(work) is BreakerState.OPEN, what="an open breaker")


async def test_missed_deadlines_open_the_breaker_too(at_work: MakeWork) -> None:
    work = await at_work(notifier_deadline_seconds=0.05)
    work.text.open.clear()

    await work.owe(*(f"+{number}" for number in range(FAILURES)))

    await until_async(lambda: state(work) is BreakerState.OPEN, what="an open breaker")


async def test_a_report_whose_provider_is_down_waits_for_it(at_work: MakeWork) -> None:
    work = await at_work(job_max_attempts=1)
    await goes_down(work)
    await work.owe("a@example.com", notifier="text", needs_report=True)
    work.text.answers.append(DOWN)
    work.clock.ahead_ms += 3_600_000
    work.courier.wake()
    await until_async(lambda: work.text.to("a@example.com"), what="the probe")
    await until_async(lambda: _failed_again(work), what="the end of the probe")

    work.clock.ahead_ms += 3_600_000
    work.courier.wake()

    await until_async(lambda: work.settled, what="the report's arrival")


def _given(work: Work, count: int) -> bool:
    return len(work.text.given) == count


def _failed_again(work: Work) -> bool:
    """The probe has come back, and the next one has its time. Other deliveries wait as well, so the rows do not tell."""
    return any(each.until_ms and not each.in_flight for each in work.courier.providers.standings())
