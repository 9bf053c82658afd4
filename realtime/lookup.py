"""Reads for many who ask for the same at about the same time: one of them after the other, each for all who asked before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from realtime.clerk import Tasks

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lookup(Generic[K, V]):
    """Nobody is given what was read before they asked. Belongs to the loop's thread.

    Args:
        read: makes the coroutine that reads what belongs to a key.
    """

    def __init__(self, tasks: Tasks, read: Callable[[K], Coroutine[Any, Any, V]]) -> None:
        self._tasks = tasks
        self._read = read
        self._reading: dict[K, asyncio.Future[V]] = {}
        self._next: dict[K, asyncio.Future[V]] = {}
        """Reads that have not begun: whoever asks joins them."""

    async def of(self, key: K) -> V:
        """What belongs to a key. Raises what reading it raises."""
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = self._tasks.run(self._look(key, self._reading.get(key)))
            coming.add_done_callback(_heard)
        return await asyncio.shield(coming)

    async def _look(self, key: K, before: asyncio.Future[V] | None) -> V:
        if before is not None:
            await asyncio.wait((before,))
        mine = self._reading[key] = self._next.pop(key)
        try:
            return await self._read(key)
        finally:
            if self._reading[key] is mine:
                del self._reading[key]


def _heard(future: asyncio.Future[Any]) -> None:
    """A failure that nobody waits for any more is nobody's."""
    if not future.cancelled():
        future.exception()
