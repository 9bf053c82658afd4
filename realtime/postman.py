"""The postman posts events to webhooks: a crew of its own, so that no receiver that hangs holds up what guests are waiting for."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import msgspec

from realtime.crew import Crew
from realtime.hookspecs import Accepted, AccountNotice, Gone, Outcome, OutgoingDelivery, Retry, Sent
from realtime.metering import Meter, NoMeter
from realtime.model import Delivery, JobState
from realtime.operations import posting, queue
from realtime.operations.posts import PING, QUEUE
from realtime.operations.queue import Leased, Settled
from realtime.operations.webhooks import Webhook
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.postman")

HOUR_S = 3600.0
SCHEDULE_S = (5.0, 300.0, 1800.0, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S)
"""The waits between attempts that Standard Webhooks recommends: ten attempts in three days."""
LATEST_S = 24 * HOUR_S
"""However late a receiver wants to be asked again, it is asked after so long."""
LONGEST_REASON = 500
FORGOTTEN_AT_ONCE = 1000
FORGET_MS = 3_600_000
"""How often what ended long ago is looked for."""


class Postman:
    """One per process; several processes share the work through the leases in the database.

    Args:
        wake_courier: called when a mail to an owner is owed.
        random_: for the jitter of retries, 0 to 1.
        meter: notes how it goes.
    """

    name = "post"

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        wake_courier: Callable[[], None],
        random_: Callable[[], float] = random.random,
        meter: Meter | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._wake_courier = wake_courier
        self._random = random_
        self._meter: Meter = meter or NoMeter()
        self._crew = Crew(self, clock_ms, random_)
        self._forget_ms = 0

    def wake(self) -> None:
        """There may be something to post."""
        self._crew.wake()

    async def run(self) -> None:
        """Post until `stop` is called."""
        await self._crew.run()

    async def stop(self, budget_s: float) -> None:
        """Claim nothing any more; what is not posted within `budget_s` is given back, as if it had not been tried."""
        await self._crew.stop(budget_s)

    # ---- as `Work` of a crew

    def id_of(self, job: Leased) -> str:
        return job.id

    async def claim(self, lease: str, room: int, worker: str) -> list[Leased]:
        lease_ms = int(self._settings.job_lease_seconds * 1000)
        return await self._storage.write(queue.claim, QUEUE, lease, lease_ms, room, self._now(), worker=worker)

    async def give_back(self, job: Leased) -> None:
        now = self._now()
        await self._storage.write(queue.retry, job.store_id, job.id, job.lease, now, "given back", now, counted=False)

    async def next_due_ms(self) -> int | None:
        return await self._storage.read(queue.next_ready_ms, QUEUE)

    async def tidy(self) -> None:
        """Forget, once an hour, what ended long ago."""
        now = self._now()
        if now < self._forget_ms:
            return
        self._forget_ms = now + FORGET_MS
        while await self._storage.write(posting.forget, now - posting.KEEP_MS, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            continue

    async def carry(self, job: Leased) -> None:
        now = self._now()
        if job.attempts == 1:
            self._meter.began(QUEUE, (now - job.ready_ms) / 1000)
        endpoint = await self._storage.read(posting.endpoint, job.recipient, job.moment == PING, now)
        if endpoint is None:
            await self._drop(job, JobState.CANCELLED, "The webhook was off, or deleted.")
            return
        delivery = Delivery(job.notifier, job.recipient, job.moment, msgspec.json.decode(job.body))
        outcome: Outcome = await self._registry.deliver(
            OutgoingDelivery(id=job.id, attempt=job.attempts, delivery=delivery, endpoint=endpoint)
        )
        self._crew.answered()
        self._meter.ended(QUEUE, job.notifier, type(outcome).__name__.lower(), (self._now() - now) / 1000)
        if isinstance(outcome, Sent | Accepted):
            self._noted(await self._storage.write(posting.sent, job, endpoint.url, "sent", self._now()))
            _log.info("Post %s: sent", job.id)
            return
        # First what becomes of the webhook: if this process dies in between, the post is tried again and tells the same.
        await self._blame(job, endpoint.url, outcome)
        reason = _plain(outcome.reason)
        if not isinstance(outcome, Retry) or job.moment == PING:
            await self._drop(job, JobState.EXPIRED, reason)
        elif job.attempts > len(SCHEDULE_S):
            await self._drop(job, JobState.EXPIRED, f"Given up after {job.attempts} attempts: {reason}")
        else:
            await self._again(job, outcome, reason)

    async def _again(self, job: Leased, outcome: Retry, reason: str) -> None:
        asked_s = min(outcome.after_s, LATEST_S) if outcome.after_s and outcome.after_s > 0 else 0.0
        wait_s = max(SCHEDULE_S[job.attempts - 1] * (0.9 + 0.2 * self._random()), asked_s)
        now = self._now()
        self._noted(await self._storage.write(posting.again, job, now + int(wait_s * 1000), reason, now))
        _log.info("Post %s is tried again in %.0f s: %s", job.id, wait_s, reason)

    async def _drop(self, job: Leased, state: JobState, reason: str) -> None:
        self._noted(await self._storage.write(posting.dropped, job, state, reason, self._now()))
        _log.warning("Post %s: %s", job.id, reason)

    async def _blame(self, job: Leased, url: str, outcome: Outcome) -> None:
        gone = _plain(outcome.reason) if isinstance(outcome, Gone) else ""
        if await self._storage.write(posting.failed, job, url, gone, self._compose, self._now()):
            self._wake_courier()

    def _compose(self, webhook: Webhook, email: str) -> list[Delivery]:
        link = f"{self._settings.public_url}/account" if self._settings.public_url else ""
        notice = AccountNotice(moment="webhook_disabled", email=email, link=link, about=webhook.name, why=webhook.off_why)
        return self._registry.compose_account_notice(notice)

    def _noted(self, settled: Settled) -> None:
        if settled is not Settled.DONE:
            self._meter.lost(QUEUE)


def _plain(reason: str) -> str:
    """What a notifier says, as it can be kept."""
    return str(reason).replace("\0", "")[:LONGEST_REASON]
