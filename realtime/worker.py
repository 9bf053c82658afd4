"""The worker does the jobs that programs put in: claims them, has a handler do each, and settles, repeats or gives up."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import msgspec

from realtime import trace
from realtime.hookspecs import Done, JobFacts, Retry
from realtime.metering import Meter
from realtime.operations import attempts, queue, services
from realtime.operations.queue import Leased
from realtime.queue_work import QueueWork
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.settling import Settling
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.worker")


class Worker(QueueWork):
    name = "job"
    queue = services.QUEUE

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        random_: Callable[[], float] = random.random,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(settings, storage, registry, clock_ms, random_, meter)
        self.each = settings.jobs_at_once_per_account
        self._settling = Settling(storage, clock_ms)

    async def carry(self, job: Leased) -> None:
        began = self._now()
        if job.attempts == 1:
            self._meter.began(services.QUEUE, (began - job.ready_ms) / 1000)
        said, (parent, state) = msgspec.json.decode(job.body), trace.split(job.trace)
        facts = JobFacts(
            id=job.id,
            attempt=job.attempts,
            account_id=services.account_of(job.store_id),
            payload=said["payload"],
            url=said["url"],
            lane=job.lane,
            created_ms=job.created_ms,
            traceparent=parent,
            tracestate=state,
        )
        outcome = await self._registry.handle(job.notifier, facts)
        self._crew.answered()
        self._meter.ended(services.QUEUE, job.notifier, type(outcome).__name__.lower(), (self._now() - began) / 1000)
        if isinstance(outcome, Done):
            detail = outcome.detail or "done"
            self._noted(await self._settling.done(queue.Done(job.store_id, job.id, job.lease, detail)))
        elif isinstance(outcome, Retry):
            await self._again(job, outcome)
        else:
            await self._give_up(job, outcome.reason)

    async def _again(self, job: Leased, outcome: Retry) -> None:
        reason = outcome.reason
        if job.attempts > self._settings.job_retries:
            await self._give_up(job, attempts.given_up(job.attempts, reason))
            return
        most = min(self._settings.retry_first_seconds * 2 ** min(job.attempts - 1, 30), self._settings.retry_most_seconds)
        wait_s = max(most * self._random(), outcome.after_s or 0.0)  # full jitter
        now = self._now()
        self._noted(await self._storage.write(queue.retry, job.store_id, job.id, job.lease, now + int(wait_s * 1000), reason, now))
        _log.info("Job %s is tried again in %.1f s: %s", job.id, wait_s, reason)

    async def _give_up(self, job: Leased, reason: str) -> None:
        self._noted(await self._storage.write(queue.bury, job.store_id, job.id, job.lease, reason, self._now()))
        _log.warning("Job %s failed: %s", job.id, reason)
