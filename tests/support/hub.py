"""A hub with sinks that are a list in memory, and a clock that tests move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count

from realtime.frames import texts
from realtime.hub import Hub

LINE = "store/7h3k/public"


class MemorySink:
    """A sink whose network is a number: `unread` bytes are buffered until somebody sets it to 0."""

    fd = -1

    def __init__(self, *, reads: bool = True) -> None:
        self.writes: list[bytes] = []
        self.reads = reads
        self.unread = 0
        self.closed: tuple[int, str] | None = None

    def write(self, data: bytes) -> None:
        if self.closed is None:
            self.writes.append(data)
            self.unread += 0 if self.reads else len(data)

    def buffered_bytes(self) -> int:
        return self.unread

    def close(self, code: int, reason: str = "") -> None:
        self.closed = self.closed or (code, reason)

    def abort(self) -> None:
        self.closed = self.closed or (1006, "")

    @property
    def texts(self) -> list[str]:
        return [text.decode() for data in self.writes for text in texts(data)]


async def no_snapshot(topic: str) -> bytes:
    raise AssertionError(f"nobody needs a snapshot of {topic}")


def make(
    snapshot: Callable[[str], Awaitable[bytes]] = no_snapshot,
    *,
    soft: int = 1000,
    hard: int = 4000,
    age: float = 60,
    window_ms: float = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Hub:
    async def with_mark(topic: str) -> tuple[bytes, int]:
        return await snapshot(topic), 0

    return Hub(soft_bytes=soft, hard_bytes=hard, max_age_s=age, window_ms=window_ms, snapshot=with_mark, clock=clock)


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much each time somebody looks at it."""
    return partial(next, count(step=seconds))


@asynccontextmanager
async def looked_after(hub: Hub) -> AsyncIterator[None]:
    task = asyncio.create_task(hub.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def live(hub: Hub, sink: MemorySink | None = None, topic: str = LINE) -> MemorySink:
    sink = sink or MemorySink()
    hub.subscribe(topic, sink).start(b"")
    sink.writes.clear()
    return sink


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
