"""What is recorded of each attempt, on both databases: also of those that nobody answers for."""

from __future__ import annotations

from realtime.operations import dead
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
    assert rows == [(again, 1, "one", "retry", "again", True), (again, 2, "two", "", "", False), (back, 1, "two", "", "", False)]


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
