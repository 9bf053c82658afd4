"""What a check-up looks at, on both databases."""

from __future__ import annotations

from realtime.operations import checkup, dead
from realtime.operations.checkup import Since
from tests.support.desk import Desk, Q


async def test_dead_letters_are_counted_from_the_first_on(desk: Desk) -> None:
    ids = [await desk.put() for _ in range(2)]
    await desk.claim()
    first_ms = desk.now
    for id_ in ids:
        await desk.fail(id_)
        desk.now += 10

    found = await desk.storage.read(checkup.look, 0, desk.now)

    assert found.dead == [Since(Q, 2, first_ms)]
    assert [each.dead for each in found.backlogs] == [2]
    assert await desk.storage.write(dead.purge, Q, desk.now, 10, desk.now) == 2
    assert (await desk.storage.read(checkup.look, 0, desk.now)).dead == []


async def test_only_a_lease_that_ended_long_ago_is_told(desk: Desk) -> None:
    await desk.put()
    await desk.claim(lease_ms=1)
    assert (await desk.storage.read(checkup.look, 60_000, desk.now)).unsettled == []
    desk.now += 60_001

    found = await desk.storage.read(checkup.look, -1 if await _own_clock(desk) else 60_000, desk.now)

    assert [(each.queue, each.count) for each in found.unsettled] == [(Q, 1)]


async def _own_clock(desk: Desk) -> bool:
    """Whether the database goes by a clock of its own, which a test cannot set."""
    return await desk.storage.read(checkup.clock, 1) != 1
