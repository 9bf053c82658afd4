"""The postman posts events to webhooks: a crew of its own, so that no receiver that hangs holds up what guests are waiting for."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import msgspec

from realtime.hookspecs import Accepted, AccountNotice, Gone, Outcome, OutgoingDelivery, Retry, Sent
from realtime.metering import Meter
from realtime.model import Delivery, JobState
from realtime.operations import posting
from realtime.operations.posts import PING, QUEUE
from realtime.operations.queue import Leased
from realtime.operations.webhooks import Webhook
from realtime.queue_work import QueueWork
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.postman")

HOUR_S = 3600.0
SCHEDULE_S = (5.0, 300.0, 1800.0, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S, 14 * HOUR_S, 20 * HOUR_S, 24 * HOUR_S)
"""The waits between attempts that Standard Webhooks recommends: ten attempts in three days."""
CAPTURED = "Kept, not posted: nothing leaves this server while capture_messages is on."
FORGOTTEN_AT_ONCE = 1000
FORGET_MS = 3_600_000
"""How often what ended long ago is looked for."""


class Postman(QueueWork):
    """As `QueueWork`.

    Args:
        wake_courier: called when a mail to an owner is owed.
    """

    name = "post"
    queue = QUEUE

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
        super().__init__(settings, storage, registry, clock_ms, random_, meter)
        self._wake_courier = wake_courier
        self._forget_ms = 0

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
        if self._settings.capture_messages:
            await self._drop(job, JobState.CANCELLED, CAPTURED)
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
        reason = outcome.reason
        if not isinstance(outcome, Retry) or job.moment == PING:
            await self._drop(job, JobState.EXPIRED, reason)
        elif job.attempts > len(SCHEDULE_S):
            await self._drop(job, JobState.EXPIRED, f"Given up after {job.attempts} attempts: {reason}")
        else:
            await self._again(job, outcome, reason)

    async def _again(self, job: Leased, outcome: Retry, reason: str) -> None:
        wait_s = max(SCHEDULE_S[job.attempts - 1] * (0.9 + 0.2 * self._random()), outcome.after_s or 0.0)
        now = self._now()
        self._noted(await self._storage.write(posting.again, job, now + int(wait_s * 1000), reason, now))
        _log.info("Post %s is tried again in %.0f s: %s", job.id, wait_s, reason)

    async def _drop(self, job: Leased, state: JobState, reason: str) -> None:
        self._noted(await self._storage.write(posting.dropped, job, state, reason, self._now()))
        _log.warning("Post %s: %s", job.id, reason)

    async def _blame(self, job: Leased, url: str, outcome: Outcome) -> None:
        gone = outcome.reason if isinstance(outcome, Gone) else ""
        if await self._storage.write(posting.failed, job, url, gone, self._compose, self._now()):
            self._wake_courier()

    def _compose(self, webhook: Webhook, email: str) -> list[Delivery]:
        link = f"{self._settings.public_url}/account" if self._settings.public_url else ""
        notice = AccountNotice(moment="webhook_disabled", email=email, link=link, about=webhook.name, why=webhook.off_why)
        return self._registry.compose_account_notice(notice)
