"""Many jobs ended in a few statements, on both databases."""

from __future__ import annotations

from realtime.operations import queue
from realtime.operations.queue import Settled
from tests.support.desk import Desk


async def test_many_are_ended_together_each_under_its_own_lease(desk: Desk) -> None:
    mine = [await desk.put("lane"), await desk.put(), await desk.put()]
    behind = await desk.put("lane")
    await desk.claim(3)
    lost, ended = await desk.put(), await desk.put()
    await desk.claim(2, "other")
    await desk.done(ended, "other")

    asked = [queue.Done("shop", id_, "lease", f"did {id_}") for id_ in (*mine, mine[0], lost, ended, "none")]
    settled = await desk.storage.write(queue.end_all, asked, desk.now)

    assert settled == [
        *[Settled.DONE] * 3, Settled.ALREADY_DONE, Settled.LEASE_LOST, Settled.ALREADY_DONE, Settled.NOT_FOUND
    ]  # fmt: skip
    assert await desk.ids() == [behind], "the next of the lane may go"
    rows = await desk.rows("select id, state, outcome, body, lease from jobs where outcome like 'did%' order by id")
    assert [tuple(row) for row in rows] == [(id_, "done", f"did {id_}", "{}", "") for id_ in mine]
    tries = await desk.rows("select job_id, outcome, detail from attempts where detail like 'did%' order by job_id")
    assert [tuple(row) for row in tries] == [(id_, "done", f"did {id_}") for id_ in mine]
    assert await desk.storage.write(queue.end_all, [], desk.now) == []
