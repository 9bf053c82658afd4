"""A queue on a real database, somebody who puts jobs in, and somebody who works."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from realtime.model import JobState
from realtime.operations import queue
from realtime.operations.claims import Claimed
from realtime.operations.queue import Leased, NewJob, Settled
from realtime.storage.statement import Operation, Statement, Storage

Q = "work"
LONG_MS = 600_000


class Desk:
    """A queue, somebody who puts jobs in, and somebody who works."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.now = int(time.time() * 1000)  # leases live by the database's clock, so tests start from it
        self.count = 0

    async def put(self, lane: str = "", **more: Any) -> str:
        self.count += 1
        id_ = f"{self.count:04d}"
        await self.storage.write(queue.enqueue, NewJob("shop", id_, Q, f'"{id_}"', lane, **more), self.now)
        return id_

    async def claim(self, limit: int = 10, lease: str = "lease", lease_ms: int = LONG_MS, **more: Any) -> Claimed[Leased]:
        return await self.storage.write(queue.claim, Q, lease, lease_ms, limit, self.now, **more)

    async def ids(self, limit: int = 10, lease: str = "lease") -> list[str]:
        return [job.id for job in await self.claim(limit, lease)]

    async def done(self, id_: str, lease: str = "lease") -> Settled:
        return await self.storage.write(queue.end, "shop", id_, lease, JobState.DONE, "", self.now)

    async def fail(self, id_: str, lease: str = "lease") -> Settled:
        return await self.storage.write(queue.bury, "shop", id_, lease, "no", self.now)

    async def later(self, id_: str, after_ms: int = 0, *, counted: bool = True) -> Settled:
        return await self.storage.write(queue.retry, "shop", id_, "lease", self.now + after_ms, "again", self.now, counted=counted)

    async def rows(self, sql: str, *args: Any) -> list[Sequence[Any]]:
        def ask() -> Operation[list[Sequence[Any]]]:
            return (yield Statement(sql, args))

        return await self.storage.read(ask)
