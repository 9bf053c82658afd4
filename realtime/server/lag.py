"""How late the event loop is: a timer that should fire every so often, and by how much it did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

EVERY_S = 0.05


async def watch(late: Callable[[float], None], every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
    """Calls `late` with the seconds by which each look at the clock was late, for ever.

    A loop that is held for long misses several looks. Each of them counts, or the longest holdups would hardly be seen.
    """
    due = clock() + every_s
    while True:
        await asyncio.sleep(due - clock())
        for each in lateness(due, clock(), every_s):
            late(each)
            due += every_s


def lateness(due: float, now: float, every_s: float) -> list[float]:
    """By how much each look that was due until now is late, in seconds; none while it is too early, for timers may be rounded."""
    return [now - due - number * every_s for number in range(int((now - due) / every_s) + 1)] if now >= due else []
