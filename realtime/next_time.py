"""A look that is due at times that become known on the way: one timer to the earliest of them, and a look now and then in any case."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from realtime.errors import NowServingError

LOOK_S = 15.0
"""What other processes brought about is looked for this often, give or take a fifth."""
AT_LEAST_S = 0.1
"""The database's clock may be behind: it is not asked more often than this."""


class NextTime:
    """
    Args:
        look: does what is due, and notes what is due next.
        failed: called with what a look raised; the next one comes soon.
        clock_ms: the time of day.
    """

    def __init__(self, look: Callable[[], Awaitable[None]], failed: Callable[[NowServingError], None], clock_ms: Callable[[], int]) -> None:
        self._look = look
        self._failed = failed
        self._now = clock_ms
        self._next_ms = 0
        self._sooner = asyncio.Event()

    def note(self, at_ms: int) -> None:
        """There is something to do then."""
        if at_ms < self._next_ms:
            self._next_ms = at_ms
            self._sooner.set()

    async def run(self) -> None:
        """Look whenever something is due, for ever."""
        while True:
            self._next_ms = self._now() + int(LOOK_S * 1000 * random.uniform(0.8, 1.2))
            try:
                await self._look()
            except NowServingError as error:
                self._failed(error)
            earliest_ms = self._now() + int(AT_LEAST_S * 1000)
            while (left_ms := max(self._next_ms, earliest_ms) - self._now()) > 0:
                self._sooner.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_ms / 1000):
                        await self._sooner.wait()
