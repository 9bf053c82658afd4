"""The last answer of the database to "can you take a write now?", so that asking often costs it little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.errors import Unavailable
from realtime.web.cases import Storage

FRESH_SECONDS = 1.0


class Readiness:
    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._at: float | None = None
        self._refusal: Unavailable | None = None

    async def check(self, storage: Storage, clock: Callable[[], float]) -> None:
        """Asks the database at most once a second, whoever asks.

        Raises:
            Unavailable
        """
        async with self._turn:
            if self._at is None or clock() - self._at >= FRESH_SECONDS:
                self._refusal = None
                try:
                    await storage.check()
                except Unavailable as error:
                    self._refusal = error
                self._at = clock()
            if self._refusal is not None:
                raise Unavailable(self._refusal.message)
