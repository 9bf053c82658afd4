"""Claims where each owner may have only so many jobs in flight: nobody is over it, and nobody waits for another's jobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from realtime.model import JobState
from realtime.operations import claims, queue
from realtime.operations.queue import Leased, NewJob
from realtime.storage.statement import Operation, Statement
from tests.support.desk import LONG_MS, Desk, Q


async def put(desk: Desk, owner: str, count: int = 1, **more: Any) -> None:
    for _ in range(count):
        desk.count += 1
        await desk.storage.write(queue.enqueue, NewJob(owner, f"{desk.count:04d}", Q, "{}", **more), desk.now)


async def claim(desk: Desk, each: int, limit: int = 10, lease: str = "lease") -> list[str]:
    return [job.store_id for job in await desk.claim(limit, lease, each=each)]


async def test_of_one_owner_no_more_are_claimed_than_there_is_room_for(desk: Desk) -> None:
    await put(desk, "busy", 8)
    await put(desk, "quiet", 2)

    first = await claim(desk, each=3)

    assert Counter(first) == {"busy": 3, "quiet": 2}
    assert await claim(desk, each=3, lease="another") == []


async def test_an_owner_with_hundreds_does_not_hide_the_others(desk: Desk) -> None:
    await put(desk, "busy", 50)
    await put(desk, "quiet", 2)

    assert await claim(desk, each=2, limit=4) == ["busy", "busy"]
    assert await claim(desk, each=2, limit=4) == ["quiet", "quiet"]


async def test_what_was_done_makes_room(desk: Desk) -> None:
    await put(desk, "busy", 3)
    (job,) = await desk.claim(10, each=1)

    await desk.storage.write(queue.end, "busy", job.id, "lease", JobState.DONE, "", desk.now)

    assert await claim(desk, each=1) == ["busy"]


async def test_a_lease_that_ended_takes_no_room_and_is_taken_again_first(desk: Desk) -> None:
    await put(desk, "busy", 3)
    (first,) = await desk.claim(10, lease_ms=0, each=1)
    desk.now += 1

    (again,) = await desk.claim(10, "another", each=1)

    assert (again.id, again.attempts) == (first.id, 2)


async def test_the_most_urgent_of_an_owner_come_first_and_lanes_keep_their_order(desk: Desk) -> None:
    await put(desk, "busy", 2, lane="lane")
    await put(desk, "busy", 1, priority=0)

    assert [job.id for job in await desk.claim(10, each=1)] == ["0003"]
    assert [job.id for job in await desk.claim(10, each=5)] == ["0001"]


async def test_many_who_claim_at_once_are_never_over_it_together(desk: Desk) -> None:
    chance = Random(7)
    for owner in ("a", "b", "c"):
        await put(desk, owner, 12)
    left, held = 36, Counter[str]()

    async def work(name: str) -> None:
        nonlocal left
        number = 0
        while left:
            number += 1
            lease = f"{name} {number}"
            taken: Sequence[Leased] = await desk.claim(chance.randrange(1, 5), lease, LONG_MS, each=2)
            held.update(job.store_id for job in taken)
            assert all(count <= 2 for count in held.values()), held
            for job in taken:
                held[job.store_id] -= 1  # before it is so: whoever claims meanwhile counts too many, never too few
                await desk.storage.write(queue.end, job.store_id, job.id, lease, JobState.DONE, "", desk.now)
                left -= 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(name) for name in "xyz"))


async def test_a_claim_is_bounded_by_what_is_ready_and_not_by_history(desk: Desk, database_url: str) -> None:
    def fill() -> Operation[None]:
        for number in range(3_000):
            yield from queue.enqueue(NewJob(f"owner {number % 5}", f"f{number:05d}", Q, "{}", f"lane {number % 100}"), desk.now)
        yield Statement("update jobs set state = 'done', head = 0, ended_ms = 1 where id < 'f02000'")

    await desk.storage.write(fill)
    if database_url.startswith("sqlite"):
        steps = [row[3] for row in await desk.rows("explain query plan " + claims.CLAIM_EACH_SQLITE, Q, "lease", 1, 10, desk.now, "me", 2)]
        assert not [step for step in steps if step.startswith("SCAN jobs")], steps
        assert sum("INDEX jobs_ready" in step for step in steps) == claims.PRIORITIES
        return

    def explain() -> Operation[list[Sequence[Any]]]:
        yield Statement("analyze jobs")
        sql = claims.CLAIM_EACH_POSTGRES
        for number, value in enumerate((f"'{Q}'", "'lease'", "1", "10", str(desk.now), "'me'", "2"), 1):
            sql = sql.replace(f"${number}", value)
        return (yield Statement("explain " + sql))

    plan = "\n".join(row[0] for row in await desk.storage.write(explain))
    assert "Seq Scan on jobs" not in plan, plan
    assert plan.count("using jobs_ready") == claims.PRIORITIES, plan
