"""The evening's clock, which runs some times faster than the one on the wall."""

from __future__ import annotations

import asyncio


class Clock:
    """Seconds of the evening since it was made. Belongs to the running loop."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()

    def now(self) -> float:
        return (self._loop.time() - self._start) * self.speed

    def real(self, seconds: float) -> float:
        """How long so much of the evening takes."""
        return seconds / self.speed

    async def until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self.real(at - self.now())))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.real(seconds))
