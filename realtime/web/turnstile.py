"""A turnstile: so many pieces of work at once, the others wait in the order in which they came, as a reference each and not as a task."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from realtime.web.cases import Tasks

_log = logging.getLogger("nowserving.web")

Work = Callable[[], Coroutine[Any, Any, None]]

MOST = 256
"""Commands of sockets at once. Five thousand that come in the same moment would be as many tasks, between whose remains the sockets then lie:
they took 6 to 11 KiB each for good, and take 4 so. Fewer would be slower where all wait for the same read."""


class Turnstile:
    """Belongs to the loop's thread.

    Args:
        tasks: where work runs. Its failures are its own.
        name: of the work.
    """

    __slots__ = ("_inside", "_most", "_name", "_tasks", "_waiting")

    def __init__(self, tasks: Tasks, name: str, most: int = MOST) -> None:
        self._tasks = tasks
        self._name = name
        self._most = most
        self._inside = 0
        self._waiting: deque[Work] = deque()

    def start(self, work: Work) -> None:
        """Has it done, now or when its turn comes."""
        if self._inside < self._most:
            self._inside += 1
            self._tasks.start(self._name, self._do(work))
        else:
            self._waiting.append(work)

    async def _do(self, work: Work) -> None:
        try:
            while True:
                try:
                    await work()
                except Exception:  # noqa: BLE001 - a supervised edge: others wait behind it
                    _log.exception("%s failed", self._name)
                if not self._waiting:
                    return
                work = self._waiting.popleft()
                await asyncio.sleep(0)  # work that waits for nothing would be done all in one turn of the loop
        finally:
            self._inside -= 1
