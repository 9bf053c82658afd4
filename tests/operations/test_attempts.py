"""What is recorded of each attempt, on both databases: also of those that nobody answers for."""

from __future__ import annotations

from realtime.operations import dead, jobs, leases, oversight, queue, receives
from realtime.operations.changes import DELIVERIES
from realtime.operations.queue import NewJob
from tests.operations.conftest import Shop
from tests.support.desk import Desk, Q

ATTEMPTS = "select job_id, number, worker, outcome, detail, ended_ms > 0 from attempts order by job_id, number"


async def test_an_attempt_whose_worker_died_is_recorded_as_lost(desk: Desk) -> None:
    crashed, later = await desk.put(), await desk.put()
    await desk.claim(worker="one", lease_ms=0)
    desk.now += 1
    await desk.claim(lease="new", worker="two")
    await desk.done(crashed, "new")

    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]

    lost = ("one", "lost", "its worker ended without an answer", True)
    assert rows == [(crashed, 1, *lost), (crashed, 2, "two", "done", "", True), (later, 1, *lost), (later, 2, "two", "", "", False)]


async def test_an_attempt_that_was_answered_stays_as_it_was(desk: Desk) -> None:
    again, back = await desk.put(), await desk.put()
    await desk.claim(worker="one")
    await desk.later(again)
    await desk.later(back, counted=False)

    await desk.claim(worker="two")

    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]
    assert rows == [
        (again, 1, "one", "retry", "again", True),
        (again, 2, "two", "", "", False),
        (back, 0, "one", "given_back", "again", True),
        (back, 1, "two", "", "", False),
    ]


async def test_attempts_that_were_given_back_are_told_where_they_were(desk: Desk) -> None:
    id_ = await desk.put()
    for counted in (False, True, False, False):
        desk.now += 1
        await desk.claim()
        desk.now += 1
        await desk.later(id_, counted=counted)
    desk.now += 1
    await desk.claim()

    found = await desk.storage.read(oversight.one, "shop", id_, desk.now)

    assert found is not None
    assert [(each.number, each.outcome) for each in found[1]] == [
        (1, "given_back"),
        (2, "retry"),
        (3, "given_back"),
        (4, "given_back"),
        (5, ""),
    ]
    assert [row[0] for row in await desk.rows("select attempts from jobs")] == [2]


async def test_what_was_given_back_too_often_is_not_said_to_have_lost_its_worker(desk: Desk) -> None:
    id_ = await desk.put(max_attempts=1)
    await desk.claim()
    await desk.later(id_)

    assert await desk.claim() == []

    (letter,) = await desk.storage.read(dead.letters, Q, 10)
    assert letter.outcome == "given up after 1 attempt: again"
    rows = [tuple(row) for row in await desk.rows(ATTEMPTS)]
    assert (letter.attempts, rows) == (1, [(id_, 1, "", "retry", "again", True)]), "nobody was given it a second time"


async def test_what_came_too_late_was_never_tried(desk: Desk) -> None:
    id_ = await desk.put(not_after_ms=desk.now + 10)
    desk.now += 11

    assert await desk.claim() == []

    assert [tuple(row) for row in await desk.rows("select id, state, attempts from jobs")] == [(id_, "expired", 0)]
    assert await desk.rows(ATTEMPTS) == []


async def test_a_claim_tells_of_each_attempt_that_nobody_answered_for_once(desk: Desk) -> None:
    await desk.put(notifier="mail"), await desk.put(notifier="post", max_attempts=1), await desk.put(notifier="tube")
    assert (await desk.claim(worker="one", lease_ms=0)).lost == []
    desk.now += 1

    claimed = await desk.claim(lease="second", lease_ms=0)

    assert (len(claimed), sorted(claimed.lost)) == (2, ["mail", "post", "tube"]), "also of what is a dead letter now"
    desk.now += 1
    assert await desk.storage.write(leases.settle, Q, 10, 5, desk.now) == 2
    assert (await desk.claim(lease="third")).lost == [], "the end of the lease was told already"


async def test_a_claim_for_each_notifier_tells_it_too(shop: Shop) -> None:
    for number, notifier in enumerate(("sms", "email")):
        await shop.storage.write(queue.enqueue, NewJob("shop", str(number), DELIVERIES, "{}", notifier=notifier), 1_000)
    rooms, late_ms = {"sms": 1, "email": 1}, 10**13
    await shop.storage.write(jobs.claim_each, "lease", 0, rooms, late_ms)

    assert sorted((await shop.storage.write(jobs.claim_each, "new", 60_000, rooms, late_ms + 1)).lost) == ["email", "sms"]


async def test_how_long_attempts_took_is_known_once_they_have_ended(desk: Desk) -> None:
    first, second, held = [await desk.put() for _ in range(3)]
    await desk.claim()
    desk.now += 70
    await desk.done(first)
    await desk.fail(second)

    took = await desk.storage.read(receives.took, "shop", [first, second, held, "nobody's"], desk.now)

    assert took == [70, 70]
