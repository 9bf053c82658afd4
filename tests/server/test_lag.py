"""How late the event loop is: every look that was missed counts, and none that came in time is late."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from realtime.server.lag import lateness, watch


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (0.9, []),
        (1.0, [0.0]),
        (1.2, [0.2]),
        (2.6, [1.6, 1.1, 0.6, 0.1]),
    ],
)
def test_each_look_that_was_due_is_as_late_as_it_is(now: float, expected: list[float]) -> None:
    assert lateness(1.0, now, 0.5) == pytest.approx(expected)


async def test_a_loop_that_was_held_up_is_late_for_every_look_it_missed() -> None:
    late: list[float] = []
    now, looked = 0.0, asyncio.Event()

    def clock() -> float:
        looked.set()
        return now

    watching = asyncio.create_task(watch(late.append, 0.01, clock))
    await looked.wait()
    now = 0.035
    async with asyncio.timeout(5):
        while not late:
            await asyncio.sleep(0.001)

    assert late == pytest.approx([0.025, 0.015, 0.005])
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
