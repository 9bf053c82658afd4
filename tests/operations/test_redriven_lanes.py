"""A dead letter goes back into its lane while a later job of it is in flight: that one may be given back, and the lane keeps its order."""

from __future__ import annotations

from realtime.operations import dead, queue
from tests.support.desk import Desk, Q


async def test_what_is_given_back_waits_for_a_redriven_one_before_it(desk: Desk) -> None:
    first, second, third = [await desk.put("lane") for _ in range(3)]
    await desk.claim()
    await desk.fail(first)
    await desk.claim()  # the second is in flight
    await desk.storage.write(dead.redrive, Q, 10, desk.now)

    await desk.later(second)

    for id_ in (first, second, third):
        assert await desk.ids() == [id_]
        await desk.done(id_)


async def test_a_lane_never_has_two_heads(desk: Desk) -> None:
    first, second, third = [await desk.put("lane") for _ in range(3)]
    await desk.claim()
    await desk.fail(first)
    await desk.claim()
    await desk.storage.write(dead.redrive, Q, 10, desk.now)
    await desk.later(second)

    assert await desk.storage.write(queue.cancel, "shop", third, desk.now)

    assert await desk.ids() == [first]
    await desk.done(first)
    assert await desk.ids() == [second]
