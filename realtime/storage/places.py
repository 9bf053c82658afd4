"""Who may use a connection: so many at once, in the order of coming, and no more than half of them for the same thing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from realtime.errors import StorageBusy, StorageFailed
from realtime.storage.shares import Shares

log = logging.getLogger(__name__)


class Places:
    """Nobody gets one until it is opened.

    Args:
        count: places.
        queue: how many may wait for one.
        patience_s: how long each may wait.
    """

    def __init__(self, count: int, queue: int, patience_s: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._shares = Shares(max(1, count // 2))
        self._queue = queue
        self._patience_s = patience_s
        self._waiting = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._open = False

    def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        """Give no more away, and wait until those are back that were given."""
        self._open = False
        while self._running:
            await asyncio.wait(self._running)

    async def run(self, name: str, act: Callable[[], Coroutine[Any, Any, Any]], about: str = "") -> Any:
        """Wait for a place; then finish, whether or not the caller is still there.

        Args:
            name: what it is called in the log.
            about: what is changed. Somebody else may hold its rows, so those who wait for the same leave places for all others.

        Raises:
            StorageBusy, StorageFailed: it was not begun; or what `act` raises.
        """
        if not self._open:
            raise StorageFailed
        if self._waiting >= self._queue:
            log.warning("%s was refused: %d operations wait already", name, self._waiting)
            raise StorageBusy(retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await self._take(about)
        except TimeoutError:
            log.warning("%s was refused: no connection was free for %g s", name, self._patience_s)
            raise StorageBusy(retry_after=1) from None
        finally:
            self._waiting -= 1
        task = asyncio.create_task(act())
        self._running.add(task)
        task.add_done_callback(partial(self._leave, about))
        return await asyncio.shield(task)

    async def _take(self, about: str) -> None:
        if not about:
            await self._free.acquire()
            return
        await self._shares.enter(about)
        try:
            await self._free.acquire()
        except BaseException:
            self._shares.leave(about)
            raise

    def _leave(self, about: str, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # whoever asked may have gone; what failed is in the log already
        self._running.discard(task)
        self._free.release()
        if about:
            self._shares.leave(about)
