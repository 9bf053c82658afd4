"""What is decided about single jobs, on both databases."""

from __future__ import annotations

from realtime.model import JobState
from realtime.operations import decisions, oversight, queue
from realtime.operations.changes import HELD_MS
from realtime.operations.decisions import Answer, Decided
from realtime.operations.oversight import Standing
from tests.support.desk import Desk, Q


async def page(desk: Desk, standing: Standing) -> list[str]:
    return [each.id for each in await desk.storage.read(oversight.page, standing, "", "", 100, desk.now)]


async def test_a_deferred_job_is_tried_now(desk: Desk) -> None:
    id_ = await desk.put(due_ms=desk.now + 60_000)
    assert await desk.ids() == []

    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now) == Decided(Answer.DONE, Q)

    assert await desk.ids() == [id_]
    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now) == Decided(Answer.IN_FLIGHT, Q)
    assert await desk.storage.write(decisions.cancel, "shop", id_, desk.now) == Decided(Answer.IN_FLIGHT, Q)


async def reschedule(desk: Desk, id_: str, due_ms: int) -> Answer:
    return (await desk.storage.write(decisions.reschedule, "shop", id_, due_ms, desk.now)).answer


async def test_a_job_that_waits_is_put_off_and_brought_forward_in_its_place(desk: Desk) -> None:
    first, second, free = await desk.put("lane"), await desk.put("lane"), await desk.put()

    assert await desk.storage.write(decisions.reschedule, "shop", first, desk.now + 60_000, desk.now) == Decided(Answer.DONE, Q)
    assert await page(desk, Standing.DEFERRED) == [first]
    assert await desk.ids() == [free], "the lane waits for its head"

    assert await reschedule(desk, second, desk.now + 90_000) is Answer.DONE
    assert await page(desk, Standing.BEHIND) == [second]
    desk.now += 60_000
    assert await desk.ids() == [first]
    await desk.done(first)
    assert await desk.ids() == [], "the second has its own time"
    assert await page(desk, Standing.DEFERRED) == [second]

    assert await reschedule(desk, second, 1) is Answer.DONE, "a time that is over means now"
    found = await desk.storage.read(oversight.one, "shop", second, desk.now)
    assert found
    assert found[0].due_ms == desk.now
    assert await desk.ids() == [second]


async def test_a_retry_that_was_rescheduled_keeps_its_attempts(desk: Desk) -> None:
    id_ = await desk.put()
    await desk.claim()
    await desk.later(id_, 5_000)

    assert await reschedule(desk, id_, desk.now) is Answer.DONE

    assert [job.attempts for job in await desk.claim()] == [2]


async def test_what_is_held_or_ended_or_given_up_is_not_rescheduled(desk: Desk) -> None:
    held, done, dead_, waits, report = [await desk.put(priority=each) for each in (0, 1, 2, 3)] + [
        await desk.put(needs_report=True, due_ms=HELD_MS)
    ]
    await desk.claim(3)
    await desk.done(done)
    await desk.fail(dead_)
    assert await desk.storage.write(queue.cancel, "shop", waits, desk.now)
    before = await desk.rows("select * from jobs order by id")

    answers = [await reschedule(desk, id_, desk.now + 1000) for id_ in (held, done, dead_, waits, report, "none")]

    assert answers == [Answer.IN_FLIGHT, Answer.WAS_DONE, Answer.DEAD, Answer.WAS_CANCELLED, Answer.HELD, Answer.NOT_FOUND]
    assert await desk.rows("select * from jobs order by id") == before


async def test_a_report_that_failed_is_a_dead_letter_for_rescheduling_too(desk: Desk) -> None:
    id_ = await desk.put(needs_report=True)
    await desk.claim(1)
    await desk.storage.write(queue.end, "shop", id_, "lease", JobState.DEAD, "refused", desk.now)

    assert await reschedule(desk, id_, desk.now + 1000) is Answer.DEAD


async def test_what_would_come_too_late_is_not_put_off(desk: Desk) -> None:
    id_ = await desk.put(not_after_ms=desk.now + 5_000)

    assert await reschedule(desk, id_, desk.now + 5_000) is Answer.TOO_LATE
    assert await desk.ids() == [id_]


async def test_a_job_whose_lease_ended_is_rescheduled(desk: Desk) -> None:
    id_ = await desk.put(notifier="mail")
    await desk.claim(lease_ms=0)
    desk.now += 1

    decided = await desk.storage.write(decisions.reschedule, "shop", id_, desk.now + 60_000, desk.now)

    assert decided == Decided(Answer.DONE, Q, ("mail",))
    assert await page(desk, Standing.DEFERRED) == [id_]
    assert await desk.done(id_) is queue.Settled.LEASE_LOST


async def test_one_dead_letter_goes_back_to_its_place_and_another_stays(desk: Desk) -> None:
    first, second, third = [await desk.put("lane") for _ in range(3)]
    for id_ in (first, second):
        await desk.claim(1)
        await desk.fail(id_)

    assert await desk.storage.write(decisions.retry, "shop", first, desk.now) == Decided(Answer.DONE, Q)

    assert await desk.ids() == [first], "it stands before the third, which waits"
    await desk.done(first)
    assert await desk.ids() == [third]
    assert await page(desk, Standing.DEAD) == [second]


async def test_a_cancelled_job_and_a_deleted_dead_letter_let_their_lane_go_on(desk: Desk) -> None:
    first, second, third = [await desk.put("lane", blocks=True) for _ in range(3)]
    await desk.claim(1)
    await desk.fail(first)
    assert await desk.ids() == []

    assert await desk.storage.write(decisions.cancel, "shop", first, desk.now) == Decided(Answer.DONE, Q)
    assert await desk.storage.write(decisions.cancel, "shop", second, desk.now) == Decided(Answer.DONE, Q)

    assert await desk.ids() == [third]
    assert await desk.storage.write(decisions.cancel, "shop", second, desk.now) == Decided(Answer.WAS_CANCELLED, Q)
    assert await desk.storage.write(decisions.retry, "shop", second, desk.now) == Decided(Answer.WAS_CANCELLED, Q)
    assert await desk.storage.write(decisions.retry, "shop", first, desk.now) == Decided(Answer.NOT_FOUND, "")
    assert await desk.storage.write(decisions.cancel, "shop", first, desk.now) == Decided(Answer.NOT_FOUND, "")


async def test_a_report_is_sent_again_but_never_given_up_by_an_operator(desk: Desk) -> None:
    id_ = await desk.put(needs_report=True)
    await desk.claim(1)
    await desk.storage.write(queue.end, "shop", id_, "lease", JobState.DEAD, "refused", desk.now)
    assert await page(desk, Standing.DEAD) == [id_]

    assert await desk.storage.write(decisions.cancel, "shop", id_, desk.now) == Decided(Answer.REPORT, Q)
    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now) == Decided(Answer.DONE, Q)

    assert [job.attempts for job in await desk.claim()] == [1]


async def test_a_report_that_waits_for_its_owner_is_not_released(desk: Desk) -> None:
    id_ = await desk.put(needs_report=True, due_ms=HELD_MS)

    assert await desk.storage.write(decisions.retry, "shop", id_, desk.now) == Decided(Answer.HELD, Q)
    assert await desk.ids() == []
