"""Leases that ended while nobody claims, on both databases: settled, counted and decided about as what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realtime.operations import dead, decisions, leases, oversight, queue
from realtime.operations.decisions import Answer, Decided
from realtime.operations.oversight import Standing
from realtime.storage.statement import Operation, Statement
from tests.support.desk import Desk, Q


async def settle(desk: Desk, most: int = 5, limit: int = 10) -> int:
    desk.now += 1
    return await desk.storage.write(leases.settle, Q, limit, most, desk.now)


async def crashed(desk: Desk, *args: Any, **more: Any) -> str:
    id_ = await desk.put(*args, **more)
    await desk.claim(1, lease_ms=0)
    desk.now += 1
    return id_


async def test_what_nobody_answered_for_goes_back_to_its_place(desk: Desk) -> None:
    first, second = await crashed(desk, "lane"), await desk.put("lane")

    assert await settle(desk) == 1

    assert await desk.rows("select number, outcome, detail from attempts") == [(1, "lost", "its worker ended without an answer")]
    (again,) = await desk.claim(lease="new")
    assert (again.id, again.attempts) == (first, 2)
    assert await desk.done(first) is queue.Settled.LEASE_LOST
    assert await desk.done(first, "new") is queue.Settled.DONE
    assert await desk.ids() == [second]


async def test_what_was_received_too_often_is_a_dead_letter_before_anybody_claims(desk: Desk) -> None:
    await crashed(desk, "lane")
    second = await desk.put("lane")

    assert await settle(desk, most=1) == 1

    (letter,) = await desk.storage.read(dead.letters, Q, 10)
    assert (letter.attempts, letter.outcome) == (1, "given up after 1 attempt: its worker ended without an answer")
    assert [tuple(row) for row in await desk.rows("select number, outcome from attempts")] == [(1, "lost")]
    assert await desk.ids() == [second]


async def test_what_came_too_late_has_expired(desk: Desk) -> None:
    await crashed(desk, not_after_ms=desk.now + 1)
    desk.now += 10

    assert await settle(desk) == 1

    assert [tuple(row) for row in await desk.rows("select state, attempts from jobs")] == [("expired", 1)]


async def test_a_lease_that_holds_is_left_alone(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim()

    assert await settle(desk) == 0

    assert await desk.done(id_) is queue.Settled.DONE


async def test_they_are_settled_a_few_at_a_time(desk: Desk) -> None:
    for _ in range(3):
        await desk.put()
    await desk.claim(lease_ms=0)

    assert [await settle(desk, limit=2) for _ in range(3)] == [2, 1, 0]


async def test_the_operator_sees_it_as_ready_since_its_lease_ended(desk: Desk) -> None:
    id_ = await crashed(desk, priority=0)
    waits = await desk.put()
    ((until_ms,),) = await desk.rows("select leased_until_ms from jobs where id = $1", id_)
    put_ms, desk.now = desk.now, max(desk.now, until_ms)

    (found,) = await desk.storage.read(oversight.backlogs, desk.now)
    assert (found.ready, found.in_flight, found.oldest_ready_ms) == (2, 0, min(until_ms, put_ms))
    for standing, expected in ((Standing.READY, [id_, waits]), (Standing.IN_FLIGHT, [])):
        listed = await desk.storage.read(oversight.page, standing, "", "", 10, desk.now)
        assert [each.id for each in listed] == expected
    shown = await desk.storage.read(oversight.one, "shop", id_, desk.now)
    assert shown
    assert (shown[0].standing, shown[1][0].outcome) == (Standing.READY, "lost")


async def test_the_operator_may_cancel_it(desk: Desk) -> None:
    id_ = await crashed(desk, "lane", notifier="mail")
    second = await desk.put("lane")

    assert await desk.storage.write(decisions.cancel, "shop", id_, desk.now) == Decided(Answer.DONE, Q, ("mail",))

    assert await desk.ids() == [second]


async def test_the_operator_may_have_it_tried_again(desk: Desk) -> None:
    id_ = await crashed(desk, notifier="mail")

    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now) == Decided(Answer.DONE, Q, ("mail",))

    assert [(job.id, job.attempts) for job in await desk.claim()] == [(id_, 2)]


async def test_a_message_that_was_received_too_often_starts_anew_when_the_operator_says_so(desk: Desk) -> None:
    id_ = await crashed(desk)
    await desk.storage.write(_rename, "messages/a/en")

    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now, receives=1) == Decided(Answer.DONE, "messages/a/en", ("",))

    (job,) = await desk.storage.write(queue.claim, "messages/a/en", "new", 60_000, 1, desk.now, most=1)
    assert job.attempts == 1


async def test_when_the_next_lease_of_each_queue_ends_is_found_without_a_look_at_every_row(desk: Desk, database_url: str) -> None:
    await desk.put()
    (first,) = await desk.claim(lease_ms=1_000)
    await desk.put()
    await desk.claim(lease_ms=90_000)
    assert await desk.storage.read(leases.first_ends) == {Q: first.leased_until_ms}

    if database_url.startswith("sqlite"):
        steps = [str(row[3]) for row in await desk.rows(f"explain query plan {leases.FIRST_ENDS}")]
        looks = [step for step in steps if " jobs " in step]
        assert looks
        assert all("INDEX jobs_leased" in step for step in looks), steps
        return

    def explain() -> Operation[list[Sequence[Any]]]:
        yield Statement("analyze jobs")
        yield Statement("set local enable_seqscan = off")
        return (yield Statement(f"explain {leases.FIRST_ENDS}"))

    plan = "\n".join(row[0] for row in await desk.storage.write(explain))
    assert "using jobs_leased" in plan, plan
    assert "Seq Scan on jobs" not in plan, plan


def _rename(name: str) -> Operation[None]:
    yield Statement("update jobs set queue = $1", (name,))
