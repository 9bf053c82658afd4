"""An account's jobs as one list: those that wait, that ended and that were given up, by lane and by time."""

from __future__ import annotations

from typing import Any

from realtime.operations import queue, services
from realtime.operations.queue import NewJob
from tests.support.desk import Desk

OWNER = services.owner("a")


async def test_a_page_is_of_one_status_lane_and_time_the_newest_first(desk: Desk) -> None:
    for number, lane in enumerate(("a", "b", "a", "")):
        job = NewJob(OWNER, f"{number:019d}", services.QUEUE, "{}", lane, notifier="echo")
        await desk.storage.write(queue.enqueue, job, desk.now)
    (first, *_) = await desk.storage.write(queue.claim, services.QUEUE, "lease", 60_000, 1, desk.now)
    await desk.storage.write(queue.bury, OWNER, first.id, "lease", "no", desk.now)

    async def page(status: str = "", before: str = "", limit: int = 10, **wanted: Any) -> list[int]:
        return [int(job.id) for job in await desk.storage.read(services.page, OWNER, status, before, limit, **wanted)]

    assert await page() == [3, 2, 1, 0]
    assert await page(limit=2) == [3, 2]
    assert await page(before=f"{2:019d}") == [1, 0]
    assert await page("FAILED") == [int(first.id)]
    assert await page(lane="a") == [2, 0]
    assert await page("PENDING", lane="a") == [each for each in (2, 0) if each != int(first.id)]
    assert await page(since=f"{1:019d}") == [3, 2, 1]
    assert await page(since=f"{1:019d}", before=f"{3:019d}", lane="b") == [1]
