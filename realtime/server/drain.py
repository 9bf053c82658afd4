"""A drain tells every socket when to come back, and closes them a few at a time, so that they do not all come back at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection

from realtime.errors import Restarting
from realtime.frames import text_frame
from realtime.sink import Sink, close_for

BATCHES = 20
SMALLEST_BATCH = 100


async def disconnect_all(sinks: Collection[Sink], budget_s: float, chance: random.Random | None = None) -> None:
    """Sends each socket `{"disconnect":{"code":1012,"after_ms":N}}` and closes it, in a shuffled order, within `budget_s`.

    N is drawn for each from a window that grows with their number, up to 10 s.
    """
    chance = chance or random.Random()
    waiting = list(sinks)
    chance.shuffle(waiting)
    window_ms = min(10_000, 500 + 5 * len(waiting))
    size = max(SMALLEST_BATCH, -(-len(waiting) // BATCHES))
    pause = budget_s / (BATCHES + 1)
    for at in range(0, len(waiting), size):
        if at:
            await asyncio.sleep(pause)
        for number, sink in enumerate(waiting[at : at + size], 1):
            after_ms = chance.randrange(window_ms)
            sink.write(text_frame(b'{"disconnect":{"code":%d,"after_ms":%d}}' % (Restarting.close_code or 1012, after_ms)))
            close_for(sink, Restarting)
            if number % SMALLEST_BATCH == 0:
                await asyncio.sleep(0)
