"""The work of a crew that does the jobs of one queue, but for what is done with each."""

from __future__ import annotations

from collections.abc import Callable

from realtime.crew import ByCrew, Crew
from realtime.metering import Meter, NoMeter
from realtime.operations import queue
from realtime.operations.queue import Leased, Settled
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

FULL_MS = 500
"""So long after nothing could be taken it is tried again, where owners may have only so many in flight."""


class QueueWork(ByCrew[Leased]):
    """One per process; several processes share the work through the leases in the database.

    Args:
        random_: for the jitter of retries, 0 to 1.
        meter: notes how it goes.
    """

    name = ""
    """What the log calls one job."""
    queue = ""
    each = 0
    """How many of one owner's jobs may be in flight, in all processes; 0: any number."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        random_: Callable[[], float],
        meter: Meter | None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._random = random_
        self._meter: Meter = meter or NoMeter()
        self._crew = Crew(self, clock_ms, random_)

    # ---- as `Work` of a crew

    def id_of(self, job: Leased) -> str:
        return job.id

    async def claim(self, lease: str, room: int, worker: str) -> list[Leased]:
        lease_ms = int(self._settings.job_lease_seconds * 1000)
        claimed = await self._storage.write(queue.claim, self.queue, lease, lease_ms, room, self._now(), worker=worker, each=self.each)
        self._meter.unanswered(self.queue, claimed.lost)
        return claimed

    async def give_back(self, job: Leased) -> None:
        now = self._now()
        await self._storage.write(queue.retry, job.store_id, job.id, job.lease, now, "given back", now, counted=False)

    async def next_due_ms(self) -> int | None:
        ready_ms = await self._storage.read(queue.next_ready_ms, self.queue)
        # What is ready and was not taken just now is of owners who have enough in flight, perhaps in other processes.
        return max(ready_ms, self._now() + FULL_MS) if ready_ms is not None and self.each else ready_ms

    async def tidy(self) -> None:
        """Nothing, unless the queue keeps what ended."""

    async def carry(self, job: Leased) -> None:
        raise NotImplementedError

    def _noted(self, settled: Settled) -> None:
        if settled in (Settled.LEASE_LOST, Settled.ALREADY_DONE):
            self._meter.lost(self.queue)
