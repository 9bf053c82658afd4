"""The worker does the jobs that programs put in: claims them, has a handler do each, and settles, repeats or gives up."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import msgspec

from realtime.crew import Crew
from realtime.hookspecs import Done, JobFacts, Retry
from realtime.metering import Meter, NoMeter
from realtime.operations import queue, services
from realtime.operations.queue import Leased, Settled
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.settling import Settling
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.worker")

LATEST_S = 24 * 3600.0
"""However late a service wants to be asked again, it is asked after so long."""
LONGEST_REASON = 500


class Worker:
    """One per process; several processes share the work through the leases in the database.

    Args:
        random_: for the jitter of retries, 0 to 1.
        meter: notes how it goes.
    """

    name = "job"

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        random_: Callable[[], float] = random.random,
        meter: Meter | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._random = random_
        self._meter: Meter = meter or NoMeter()
        self._settling = Settling(storage, clock_ms)
        self._crew = Crew(self, clock_ms, random_)

    def wake(self) -> None:
        """There may be something to do."""
        self._crew.wake()

    async def run(self) -> None:
        """Do jobs until `stop` is called."""
        await self._crew.run()

    async def stop(self, budget_s: float) -> None:
        """Claim nothing any more; what is not done within `budget_s` is given back, as if it had not been tried."""
        await self._crew.stop(budget_s)

    # ---- as `Work` of a crew

    def id_of(self, job: Leased) -> str:
        return job.id

    async def claim(self, lease: str, room: int, worker: str) -> list[Leased]:
        lease_ms = int(self._settings.job_lease_seconds * 1000)
        return await self._storage.write(queue.claim, services.QUEUE, lease, lease_ms, room, self._now(), worker=worker)

    async def give_back(self, job: Leased) -> None:
        now = self._now()
        await self._storage.write(queue.retry, job.store_id, job.id, job.lease, now, "given back", now, counted=False)

    async def next_due_ms(self) -> int | None:
        return await self._storage.read(queue.next_ready_ms, services.QUEUE)

    async def tidy(self) -> None:
        """The courier forgets what ended, whatever it was."""

    async def carry(self, job: Leased) -> None:
        began = self._now()
        if job.attempts == 1:
            self._meter.began(services.QUEUE, (began - job.ready_ms) / 1000)
        said = msgspec.json.decode(job.body)
        facts = JobFacts(
            id=job.id,
            attempt=job.attempts,
            account_id=services.account_of(job.store_id),
            payload=said["payload"],
            url=said["url"],
            lane=job.lane,
            created_ms=job.created_ms,
        )
        outcome = await self._registry.handle(job.notifier, facts)
        self._crew.answered()
        self._meter.ended(services.QUEUE, job.notifier, type(outcome).__name__.lower(), (self._now() - began) / 1000)
        if isinstance(outcome, Done):
            detail = _plain(outcome.detail) or "done"
            self._noted(await self._settling.done(queue.Done(job.store_id, job.id, job.lease, detail)))
        elif isinstance(outcome, Retry):
            await self._again(job, outcome)
        else:
            await self._give_up(job, _plain(outcome.reason))

    async def _again(self, job: Leased, outcome: Retry) -> None:
        reason = _plain(outcome.reason)
        if job.attempts > self._settings.job_retries:
            await self._give_up(job, f"given up after {job.attempts} attempts: {reason}")
            return
        most = min(self._settings.retry_first_seconds * 2 ** min(job.attempts - 1, 30), self._settings.retry_most_seconds)
        asked_s = min(outcome.after_s, LATEST_S) if outcome.after_s and outcome.after_s > 0 else 0.0
        wait_s = max(most * self._random(), asked_s)  # full jitter
        now = self._now()
        self._noted(await self._storage.write(queue.retry, job.store_id, job.id, job.lease, now + int(wait_s * 1000), reason, now))
        _log.info("Job %s is tried again in %.1f s: %s", job.id, wait_s, reason)

    async def _give_up(self, job: Leased, reason: str) -> None:
        self._noted(await self._storage.write(queue.bury, job.store_id, job.id, job.lease, reason, self._now()))
        _log.warning("Job %s failed: %s", job.id, reason)

    def _noted(self, settled: Settled) -> None:
        if settled is not Settled.DONE:
            self._meter.lost(services.QUEUE)


def _plain(reason: str) -> str:
    """What a handler says, as it can be kept."""
    return str(reason).replace("\0", "")[:LONGEST_REASON]
