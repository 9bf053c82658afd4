"""Jobs under a key: one stands for all within the window, as it was or as the newest says, and none is lost or put in twice."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from realtime.model import OnKey
from realtime.operations import keyed
from realtime.operations.keyed import Stands
from realtime.operations.queue import NewJob
from tests.support.desk import Desk, Q

WINDOW_MS = 1_000


async def put(desk: Desk, id_: str, on_key: OnKey = OnKey.KEEP, **said: Any) -> Stands:
    job = msgspec.structs.replace(NewJob("shop", id_, Q, f'"{id_}"', due_ms=desk.now), **said)
    return await desk.storage.write(keyed.enqueue_once, job, "key", WINDOW_MS, desk.now, on_key)


async def test_a_key_stands_for_the_first_job_until_its_window_ends(desk: Desk) -> None:
    said = await asyncio.gather(*(put(desk, f"{each}") for each in range(5)))

    (first,) = {stands.id for stands in said}
    assert sorted(stands.first for stands in said) == [False] * 4 + [True]
    assert await desk.ids() == [first]
    await desk.done(first)
    assert await put(desk, "late") == Stands(first, first=False)  # also after it is done
    desk.now += WINDOW_MS + 1

    assert await put(desk, "new") == Stands("new", first=True)


async def test_the_newest_takes_the_place_of_what_waits(desk: Desk) -> None:
    await put(desk, "1", OnKey.REPLACE, lane="lane", not_after_ms=desk.now + 9)
    await desk.put("lane")
    desk.now += 10

    assert await put(desk, "2", OnKey.REPLACE, notifier="echo", trace="00-a-b-01", lane="another") == Stands(
        "1", first=False, replaced=True
    )

    (job,) = await desk.claim(5)
    assert (job.id, job.body, job.lane, job.notifier, job.trace) == ("1", '"2"', "lane", "echo", "00-a-b-01")


async def test_what_is_being_done_stands_for_nothing_newer(desk: Desk) -> None:
    await put(desk, "1", OnKey.REPLACE)
    await desk.claim(1)

    assert await put(desk, "2", OnKey.REPLACE) == Stands("2", first=True)
    assert await put(desk, "3", OnKey.REPLACE) == Stands("2", first=False, replaced=True)

    assert await desk.rows("select id, body from jobs order by id") == [("1", '"1"'), ("2", '"3"')]


async def test_many_that_replace_each_other_at_once_leave_one_that_waits(desk: Desk) -> None:
    await asyncio.gather(*(put(desk, f"{each}", OnKey.REPLACE) for each in range(8)))

    assert len(await desk.ids()) == 1


async def test_one_that_is_postponed_waits_until_nothing_more_comes(desk: Desk) -> None:
    await put(desk, "1", OnKey.POSTPONE, due_ms=desk.now + 400)
    desk.now += 300
    await put(desk, "2", OnKey.POSTPONE, due_ms=desk.now + 400)
    desk.now += 300

    assert await desk.claim(1) == []
    desk.now += 100
    assert [job.body for job in await desk.claim(1)] == ['"2"']


async def test_it_is_postponed_until_its_window_ends_at_the_latest(desk: Desk) -> None:
    start = desk.now
    await put(desk, "first", OnKey.POSTPONE, due_ms=desk.now + 400)
    while desk.now < start + 900:
        desk.now += 300
        await put(desk, f"{desk.now}", OnKey.POSTPONE, due_ms=desk.now + 400)
    desk.now = start + WINDOW_MS - 1

    assert await desk.claim(1) == []
    desk.now += 1
    assert [(job.id, job.body) for job in await desk.claim(1)] == [("first", f'"{start + 900}"')]


async def test_one_behind_others_of_its_lane_is_postponed_and_keeps_its_place(desk: Desk) -> None:
    before = await desk.put("lane")
    await put(desk, "1", OnKey.POSTPONE, lane="lane")
    after = await desk.put("lane")

    await put(desk, "2", OnKey.POSTPONE, lane="lane", due_ms=desk.now + 400)

    (job,) = await desk.claim(3)
    assert job.id == before
    await desk.done(before)
    assert await desk.claim(3) == []
    desk.now += 400
    (job,) = await desk.claim(3)
    assert (job.id, job.body) == ("1", '"2"')
    await desk.done("1")
    assert [job.id for job in await desk.claim(3)] == [after]
