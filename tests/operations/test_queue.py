"""The durable queue on both databases: who holds what, in which order, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from realtime.operations import attempts, claims, dead, jobs, keyed, queue
from realtime.operations.queue import NewJob, Settled
from realtime.storage.statement import Operation, Statement
from tests.support.desk import LONG_MS, Desk, Q

# ---- leases -------------------------------------------------------------------------------------------------------


async def test_a_job_is_put_in_with_what_causes_it_or_not_at_all(desk: Desk) -> None:
    def cause() -> Operation[None]:
        yield from queue.enqueue(NewJob("shop", "x", Q, "{}", "lane"), desk.now)
        raise KeyError("broken")

    with pytest.raises(KeyError):
        await desk.storage.write(cause)

    assert await desk.claim() == []
    assert await desk.storage.read(queue.next_ready_ms, Q) is None


async def test_many_who_claim_at_once_get_each_job_once(desk: Desk) -> None:
    for _ in range(20):
        await desk.put()
    for number in range(10):
        await desk.put(f"lane {number % 5}")

    claims = await asyncio.gather(*(desk.claim(4, f"lease {worker}") for worker in range(8)))

    held = [job for claim in claims for job in claim]
    assert len(held) == len({job.id for job in held}) == 25
    assert len({job.lane for job in held if job.lane}) == 5


async def test_only_a_token_that_holds_settles(desk: Desk) -> None:
    id_ = await desk.put()
    (job,) = await desk.claim()

    assert await desk.done(id_, "another") is Settled.LEASE_LOST
    assert await desk.done("nothing") is Settled.NOT_FOUND
    assert await desk.done(id_) is Settled.DONE
    assert await desk.done(id_) is Settled.ALREADY_DONE
    assert job.attempts == 1


async def test_a_superseded_token_changes_nothing(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim(lease="old", lease_ms=0)

    (again,) = await desk.claim(lease="new")

    assert again.attempts == 2
    assert await desk.done(id_, "old") is Settled.LEASE_LOST
    assert await desk.storage.write(queue.extend, "shop", id_, "old", LONG_MS, desk.now) is Settled.LEASE_LOST
    assert await desk.fail(id_, "old") is Settled.LEASE_LOST
    assert await desk.done(id_, "new") is Settled.DONE


async def test_a_lease_that_ended_is_not_extended_though_nobody_else_has_it(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim(lease_ms=0)

    assert await desk.storage.write(queue.extend, "shop", id_, "lease", LONG_MS, desk.now + 1) is Settled.LEASE_LOST
    assert await desk.done(id_) is Settled.LEASE_LOST


async def test_a_job_is_held_for_twelve_hours_at_most_however_often_its_lease_is_extended(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim()
    await desk.storage.write(_claimed_earlier, attempts.LONGEST_MS - LONG_MS)

    for lease_ms in (LONG_MS + 60_000, attempts.LONGEST_MS):
        assert await desk.storage.write(queue.extend, "shop", id_, "lease", lease_ms, desk.now) is Settled.TOO_LONG
    for lease_ms in (LONG_MS // 2, LONG_MS - 60_000):
        assert await desk.storage.write(queue.extend, "shop", id_, "lease", lease_ms, desk.now) is Settled.DONE
    assert await desk.done(id_) is Settled.DONE, "who was refused holds it still"


def _claimed_earlier(by_ms: int) -> Operation[None]:
    yield Statement("update attempts set started_ms = started_ms - $1", (by_ms,))


async def test_an_extended_lease_keeps_its_job(desk: Desk) -> None:
    id_ = await desk.put()
    (job,) = await desk.claim()

    assert await desk.storage.write(queue.extend, "shop", id_, "lease", 2 * LONG_MS, desk.now) is Settled.DONE

    ((until_ms,),) = await desk.rows("select leased_until_ms from jobs")
    assert until_ms > job.leased_until_ms


async def test_what_its_worker_leaves_behind_too_often_is_a_dead_letter(desk: Desk) -> None:
    await desk.put(max_attempts=2)
    for _ in range(2):
        assert len(await desk.claim(lease_ms=0)) == 1

    assert await desk.claim() == []

    (letter,) = await desk.storage.read(dead.letters, Q, 10)
    assert (letter.attempts, letter.outcome) == (2, "given up after 2 attempts: its worker ended without an answer")


async def test_what_is_given_back_uncounted_was_never_tried(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim()
    await desk.later(id_, counted=False)

    (again,) = await desk.claim()

    assert again.attempts == 1


async def test_every_attempt_is_a_row(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim(worker="one")
    await desk.later(id_)
    await desk.claim(worker="two")
    await desk.done(id_)

    rows = await desk.rows("select number, worker, outcome, detail, ended_ms > 0 from attempts order by number")

    assert [tuple(row) for row in rows] == [(1, "one", "retry", "again", True), (2, "two", "done", "", True)]


# ---- order --------------------------------------------------------------------------------------------------------


async def test_a_lane_goes_one_by_one_and_a_retry_keeps_its_place(desk: Desk) -> None:
    first, second, third = [await desk.put("lane") for _ in range(3)]

    assert await desk.ids() == [first]
    assert await desk.ids() == []
    await desk.later(first)
    assert await desk.ids() == [first]
    await desk.later(first, LONG_MS)
    assert await desk.ids() == []  # the lane waits for it
    desk.now += LONG_MS
    assert await desk.ids() == [first]
    await desk.done(first)
    assert await desk.ids() == [second]
    await desk.done(second)
    assert await desk.ids() == [third]


async def test_a_lane_waits_for_a_head_that_is_not_due(desk: Desk) -> None:
    first = await desk.put("lane", due_ms=desk.now + LONG_MS)
    await desk.put("lane")

    assert await desk.ids() == []
    assert await desk.storage.read(queue.next_ready_ms, Q) == desk.now + LONG_MS
    desk.now += LONG_MS
    assert await desk.ids() == [first]


async def test_after_a_dead_letter_the_next_goes(desk: Desk) -> None:
    first, second = [await desk.put("lane") for _ in range(2)]
    await desk.claim()

    await desk.fail(first)

    assert await desk.ids() == [second]


async def test_a_lane_may_wait_for_a_decision_about_its_dead_letter(desk: Desk) -> None:
    first, second = [await desk.put("lane", blocks=True) for _ in range(2)]
    other = await desk.put("other")
    await desk.claim()
    await desk.fail(first)
    third = await desk.put("lane")

    await desk.done(other)
    assert await desk.ids() == []
    assert [letter.id for letter in await desk.storage.read(dead.blocked, Q, 10)] == [first]
    assert await desk.storage.write(dead.redrive, Q, 10, desk.now) == 1

    for id_ in (first, second, third):
        assert await desk.ids() == [id_]
        await desk.done(id_)
    assert await desk.storage.read(dead.blocked, Q, 10) == []


async def test_a_lane_goes_on_when_its_dead_letter_is_let_go(desk: Desk) -> None:
    first, second = [await desk.put("lane", blocks=True) for _ in range(2)]
    await desk.claim()
    await desk.fail(first)

    assert await desk.storage.write(dead.let_go, "shop", first, desk.now)

    assert await desk.ids() == [second]
    assert not await desk.storage.write(dead.let_go, "shop", first, desk.now)


async def test_dead_letters_go_back_to_their_places_beside_one_in_flight(desk: Desk) -> None:
    first, second, third, fourth = [await desk.put("lane") for _ in range(4)]
    for id_ in (first, second):
        await desk.claim()
        await desk.fail(id_)
    await desk.claim()  # the third is in flight

    assert await desk.storage.write(dead.redrive, Q, 10, desk.now) == 2

    assert await desk.ids() == []
    await desk.done(third)
    for id_ in (first, second, fourth):
        assert await desk.ids() == [id_]
        await desk.done(id_)


async def test_only_dead_letters_with_the_reason_go_back_and_no_more_than_asked(desk: Desk) -> None:
    ids = [await desk.put() for _ in range(4)]
    await desk.claim()
    for id_, why in zip(ids, ("refused: a", "timeout", "refused: b", "refused: c"), strict=True):
        await desk.storage.write(queue.bury, "shop", id_, "lease", why, desk.now)

    assert await desk.storage.write(dead.redrive, Q, 2, desk.now, reason="refused") == 2

    assert await desk.ids() == [ids[0], ids[2]]


async def test_a_long_lane_does_not_starve_a_short_one(desk: Desk) -> None:
    long = [await desk.put("long") for _ in range(50)]
    short = await desk.put("short")

    order: list[str] = []
    while len(order) < 4:
        desk.now += 1
        (job,) = await desk.claim(1)
        order.append(job.id)
        await desk.done(job.id)

    assert order == [long[0], short, long[1], long[2]]


async def test_the_urgent_goes_first_between_lanes_and_never_within_one(desk: Desk) -> None:
    slow = await desk.put("a", priority=3)
    await desk.put("a", priority=0)
    urgent = await desk.put("b", priority=0)
    usual = await desk.put()

    assert await desk.ids() == [urgent, usual, slow]


async def test_what_came_too_late_is_dropped_with_a_reason(desk: Desk) -> None:
    await desk.put("lane", not_after_ms=desk.now + 10)
    second = await desk.put("lane")
    desk.now += 11

    assert await desk.ids() == []
    assert await desk.ids() == [second]

    assert [tuple(row) for row in await desk.rows("select state, outcome, body from jobs order by id limit 1")] == [
        ("expired", "too late to be of use", "{}")
    ]


async def test_a_cancelled_job_lets_the_next_go_and_one_in_flight_is_not_cancelled(desk: Desk) -> None:
    first, second = [await desk.put("lane") for _ in range(2)]

    assert await desk.storage.write(queue.cancel, "shop", first, desk.now)

    assert await desk.ids() == [second]
    assert not await desk.storage.write(queue.cancel, "shop", second, desk.now)
    assert not await desk.storage.write(queue.cancel, "shop", first, desk.now)


async def test_a_lane_that_is_filled_while_it_empties_never_stands_still(desk: Desk) -> None:
    async def fill() -> None:
        for _ in range(40):
            await desk.put("lane")

    async def empty() -> None:
        left = 80
        async with asyncio.timeout(60):
            while left:
                for job in await desk.claim(1, "lease"):
                    assert await desk.done(job.id) is Settled.DONE
                    left -= 1

    await asyncio.gather(fill(), fill(), empty())

    assert await desk.rows("select 1 from jobs where state <> 'done'") == []


# ---- keys, retention, plans ---------------------------------------------------------------------------------------


async def test_what_ended_goes_with_its_attempts_and_what_is_pending_stays(desk: Desk) -> None:
    ids = [await desk.put() for _ in range(5)]
    await desk.claim(4)
    for id_ in ids[:2]:
        await desk.done(id_)
    await desk.fail(ids[2])
    await desk.storage.write(keyed.enqueue_once, NewJob("account-a", "once", Q, "{}"), "key", 1, desk.now)
    later = desk.now + 10

    def mine() -> Operation[None]:
        for table in ("jobs", "dead_jobs", "attempts"):
            yield Statement(f"update {table} set store_id = 'account-a' where store_id = 'shop'")

    await desk.storage.write(mine)

    assert await desk.storage.write(jobs.forget, later, later, later, 1) == 1
    assert await desk.storage.write(jobs.forget, later, later, later, 10) == 1
    assert await desk.storage.write(jobs.forget, later, later, later, 10) == 0

    assert [row[0] for row in await desk.rows("select id from jobs order by id")] == [*ids[3:], "once"]
    assert [row[0] for row in await desk.rows("select job_id from attempts")] == [ids[3]]
    assert await desk.rows("select 1 from dead_jobs union all select 1 from job_keys") == []


async def test_a_claim_is_bounded_by_what_is_ready_and_not_by_history(desk: Desk, database_url: str) -> None:
    """The plan: partial indexes only, no look at every row, no sorting."""

    def fill() -> Operation[None]:
        for number in range(3_000):
            yield from queue.enqueue(NewJob("shop", f"f{number:05d}", Q, "{}", f"lane {number % 100}"), desk.now)
        yield Statement("update jobs set state = 'done', head = 0, ended_ms = 1 where id < 'f02000'")

    await desk.storage.write(fill)
    if database_url.startswith("sqlite"):
        args = (Q, "lease", 1, 10, desk.now, "me")
        rows = await desk.rows("explain query plan " + claims.CLAIM_SQLITE, *args)
        steps = [row[3] for row in rows]
        assert not [step for step in steps if step.startswith("SCAN jobs") or "TEMP B-TREE" in step], steps
        assert sum("INDEX jobs_ready" in step for step in steps) == claims.PRIORITIES
        assert sum("INDEX jobs_leased" in step for step in steps) == 1
        return

    def explain() -> Operation[list[Sequence[Any]]]:
        yield Statement("analyze jobs")
        sql = claims.CLAIM_POSTGRES
        for number, value in enumerate((f"'{Q}'", "'lease'", "1", "10", str(desk.now), "'me'"), 1):
            sql = sql.replace(f"${number}", value)
        return (yield Statement("explain " + sql))

    plan = "\n".join(row[0] for row in await desk.storage.write(explain))
    assert "Seq Scan on jobs" not in plan, plan
    assert plan.count("using jobs_ready") == claims.PRIORITIES, plan
    assert "using jobs_leased" in plan, plan
