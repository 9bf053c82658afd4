"""Jobs that are done at about the same time are settled together: while one transaction is under way, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from realtime.operations import queue
from realtime.operations.queue import Done, Settled
from realtime.storage.statement import Storage

MOST = 64
"""Jobs in one transaction."""


class Settling:
    """Implements what `queue.end_all` does, for one job at a time.

    Args:
        clock_ms: the time of day.
    """

    def __init__(self, storage: Storage, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._now = clock_ms
        self._gathered: list[tuple[Done, asyncio.Future[Settled]]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def done(self, job: Done) -> Settled:
        """End a job under its lease; what became of that, once it is durable. Raises: what `Storage.write` raises."""
        answer: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()
        self._gathered.append((job, answer))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work(), name="settling")
        return await answer

    async def _work(self) -> None:
        await asyncio.sleep(0)  # whoever ends in this turn of the loop comes along
        while self._gathered:
            some, self._gathered = self._gathered[:MOST], self._gathered[MOST:]
            try:
                self._tell(some, await self._storage.write(queue.end_all, [job for job, _ in some], self._now()))
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                for _, answer in some:
                    if not answer.done():
                        answer.set_exception(error)
        self._at_work = None

    @staticmethod
    def _tell(some: Sequence[tuple[Done, asyncio.Future[Settled]]], settled: Sequence[Settled]) -> None:
        for (_, answer), became in zip(some, settled, strict=True):
            if not answer.done():
                answer.set_result(became)
