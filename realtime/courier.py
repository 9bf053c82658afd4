"""The courier claims due deliveries, has notifiers carry them, and settles, repeats or gives up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import ParamSpec

from realtime import quiet_hours
from realtime.crew import ByCrew, Crew
from realtime.errors import StoreClosed, StoreNotFound
from realtime.hookspecs import Accepted, Attachment, Gone, Outcome, OutgoingDelivery, Retry, Sent, Suppressed
from realtime.ladder import NOT_REACHED
from realtime.metering import Meter, NoMeter
from realtime.model import Job, JobState, Notice, Subscription
from realtime.operations import accounts, answers, attempts, escalation, guest_messages, jobs, notices, outbox, reports, subscriptions
from realtime.operations.changes import DELIVERIES, Change
from realtime.operations.guest_messages import Standing
from realtime.opt_outs import OptOuts
from realtime.providers import Providers
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Operation, Storage

_log = logging.getLogger("nowserving.courier")

FORGOTTEN_AT_ONCE = 1000
KEEP_MS = 24 * 3_600_000
"""How long what ended is kept, where it belongs to no store."""
KEEP_DEAD_MS = 14 * KEEP_MS
"""And dead letters."""
FORGET_MS = 3_600_000
"""How often they are looked for."""

P = ParamSpec("P")
Settled = Callable[[str], Awaitable[None]]


class Courier(ByCrew[Job]):
    """One per process; several processes share the work through the leases in the database.

    Args:
        settled: awaited with a store's id whenever a delivery of its report has ended.
        random_: for the jitter of retries.
        meter: notes how it goes.
        told: called with what the owner is to be told, once it is committed.
        opt_outs: knows who wants no messages; the owner's own mails and reports are none of its business.
    """

    name = "delivery"

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        settled: Settled,
        random_: Callable[[], float] = random.random,
        meter: Meter | None = None,
        told: Callable[[Change], None] = lambda change: None,
        *,
        opt_outs: OptOuts,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._settled = settled
        self._random = random_
        self._meter: Meter = meter or NoMeter()
        self._told = told
        self.providers = Providers(settings.notifier_concurrency, clock_ms, random_, meter)
        self._opt_outs = opt_outs
        self._counted_ms = settings.guest_messages_minutes * 60_000
        # Room for all notifiers, and for what is owed to one that is not here: none can take another's.
        self._crew = Crew(self, clock_ms, random_, settings.notifier_concurrency * (len(registry.notifiers()) + 1))
        self._forget_ms = 0

    # ---- as `Work` of a crew

    def id_of(self, job: Job) -> str:
        return job.id

    async def claim(self, lease: str, room: int, worker: str) -> list[Job]:
        now, rooms = self._now(), dict[str, int]()
        for notifier, at_ms in (await self._storage.read(jobs.fronts)).items():
            if at_ms <= now and (own := min(self.providers.room(notifier), room)):
                rooms[notifier], room = own, room - own
        if not rooms:
            return []
        lease_ms, most = int(self._settings.job_lease_seconds * 1000), self._settings.job_max_attempts
        # The time anew: a lease does not begin before it is asked for, however long the fronts took to read.
        claimed = await self._storage.write(jobs.claim_each, lease, lease_ms, rooms, self._now(), worker=worker, most=most)
        self._meter.unanswered(DELIVERIES, claimed.lost)
        for job in claimed:
            self.providers.begin(job.delivery.notifier, job.id)
        return claimed

    async def give_back(self, job: Job) -> None:
        await self._storage.write(jobs.retry, job.store_id, job.id, job.lease, self._now(), "given back", self._now(), counted=False)

    async def next_due_ms(self) -> int | None:
        fronts = await self._storage.read(jobs.fronts)
        free = {notifier: self.providers.free_ms(notifier) for notifier in fronts}
        # One that is full, or is being tried, has room when something of its own ends, which wakes the crew.
        return min((max(at_ms, when) for notifier, at_ms in fronts.items() if (when := free[notifier]) is not None), default=None)

    async def tidy(self) -> None:
        """Forget, once an hour, what ended long ago."""
        now = self._now()
        if now < self._forget_ms:
            return
        self._forget_ms = now + FORGET_MS
        old = now - KEEP_MS, now - KEEP_DEAD_MS, now
        while await self._storage.write(jobs.forget, *old, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            continue
        while await self._storage.write(answers.forget, now - answers.KEEP_MS, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            continue
        while await self._storage.write(guest_messages.forget, now - self._counted_ms, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            continue
        while await self._storage.write(outbox.forget, now - KEEP_MS, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
            continue
        await self._storage.write(accounts.forget, now, FORGOTTEN_AT_ONCE)

    async def carry(self, job: Job) -> None:
        try:
            await self._carry(job)
        finally:
            self.providers.end(job.delivery.notifier, job.id)

    async def _carry(self, job: Job) -> None:
        now = self._now()
        if job.attempts == 1:
            self._meter.began(DELIVERIES, (now - job.ready_ms) / 1000)
        late = job.delivery.not_after_ms
        if late and now > late:
            self._meter.ended(DELIVERIES, job.delivery.notifier, "expired", 0.0)
            await self._settle(job, JobState.EXPIRED, "too late to be of use", "late")
            return
        if job.called_ms and await self._is_over(job):
            return
        browser = await self._browser(job)
        standing = await self._standing(job, browser)
        if standing.over:
            mine = await self._storage.write(jobs.settle, job.store_id, job.id, job.lease, JobState.CANCELLED, standing.over, self._now())
            self._needless(job, standing.over, mine)
            return
        why = await self._unwanted(job) or await self._too_quiet(standing, now)
        if not why and self._settings.capture_messages and not self._registry.stays(job.delivery.notifier):
            await self._capture(job, await self._parcel(job, browser))
            return
        counted = not why and standing.own and not self._registry.stays(job.delivery.notifier)
        if counted and not await self._reserve(job) and not standing.first_call:
            why = too_many(self._settings.guest_messages_most, self._settings.guest_messages_minutes)
        if why:
            self._meter.ended(DELIVERIES, job.delivery.notifier, "suppressed", 0.0)
            await self._settle(job, JobState.CANCELLED, why, "suppressed")
            return
        outcome = await self._deliver(job, browser)
        self._crew.answered()
        if counted and not isinstance(outcome, Sent | Accepted):
            await self._storage.write(guest_messages.release, self._opt_outs.hash(job.delivery.recipient), job.id)
        self.providers.heard(job.delivery.notifier, job.id, outcome)
        self._meter.ended(DELIVERIES, job.delivery.notifier, type(outcome).__name__.lower(), (self._now() - now) / 1000)
        if browser and isinstance(outcome, Gone):
            await self._storage.write(subscriptions.forget, job.store_id, [job.ticket_id], browser.id)
        if isinstance(outcome, Sent | Accepted):
            said = "sent" if isinstance(outcome, Sent) else "accepted"
            await self._settle(job, JobState.DONE, said, said)
        elif isinstance(outcome, Retry):
            await self._again(job, outcome)
        elif isinstance(outcome, Suppressed) and job.ticket_id:
            # No dead letter: there is nothing for a person to decide.
            await self._settle(job, JobState.CANCELLED, outcome.reason, "suppressed")
        else:
            await self._settle(job, JobState.DEAD, outcome.reason, "failed")

    async def _is_over(self, job: Job) -> bool:
        """Whether a step of a call needs no notifier: the call was seen, or is over, or it is the staff who are to be told."""
        said = await self._storage.read(escalation.why_not, job)
        if said:
            mine = await self._storage.write(jobs.settle, job.store_id, job.id, job.lease, JobState.CANCELLED, said, self._now())
        elif job.delivery.notifier == NOT_REACHED:
            try:
                said, mine = escalation.TOLD_STAFF, await self._noted(escalation.tell_staff, job, self._now())
            except (escalation.NotThisCall, StoreClosed, StoreNotFound):
                return await self._is_over(job)
        else:
            return False
        self._needless(job, said, mine)
        return True

    async def _standing(self, job: Job, browser: Subscription | None) -> Standing:
        """Whether a party is told this still; what is about none always is."""
        if not job.ticket_id:
            return Standing()
        return await self._storage.read(guest_messages.look, job, to_its_browser=browser is not None)

    def _needless(self, job: Job, said: str, mine: bool) -> None:
        self._meter.ended(DELIVERIES, job.delivery.notifier, "sent" if said == escalation.TOLD_STAFF else "suppressed", 0.0)
        _log.info("Delivery %s by %s: %s", job.id, job.delivery.notifier, said)
        if not mine:
            self._meter.lost(DELIVERIES)

    async def _unwanted(self, job: Job) -> str:
        """Why a party is not sent this: it does not want it. Empty for whatever is about no party."""
        owed = job.delivery
        return await self._opt_outs.why_not(owed.notifier, owed.recipient, owed.moment) if job.ticket_id else ""

    async def _too_quiet(self, standing: Standing, now_ms: int) -> str:
        """Why it is not the time to write to somebody."""
        hours = standing.quiet_hours
        if not hours:
            return ""
        quiet = await asyncio.to_thread(quiet_hours.is_quiet, hours, standing.timezone, now_ms)
        return quiet_hours.said(hours) if quiet else ""

    async def _reserve(self, job: Job) -> bool:
        """Whether its recipient may be sent one more now."""
        now, hashed = self._now(), self._opt_outs.hash(job.delivery.recipient)
        most = self._settings.guest_messages_most
        return await self._storage.write(guest_messages.reserve, hashed, job.id, most, now - self._counted_ms, now)

    async def _deliver(self, job: Job, browser: Subscription | None) -> Outcome:
        """Hand it over, and remember what a party's gateway says of its wishes."""
        channel, recipient = job.delivery.notifier, job.delivery.recipient
        outcome = await self._registry.deliver(await self._parcel(job, browser))
        if isinstance(outcome, Suppressed) and job.ticket_id:
            await self._opt_outs.put(channel, recipient, "gateway")
        return outcome

    async def _parcel(self, job: Job, browser: Subscription | None) -> OutgoingDelivery:
        owed = job.delivery
        stop = self._opt_outs.link(owed.notifier, owed.recipient) if job.ticket_id else ""
        report = await self._report(job)
        return OutgoingDelivery(id=job.id, attempt=job.attempts, delivery=owed, report=report, subscription=browser, stop_link=stop)

    async def _capture(self, job: Job, parcel: OutgoingDelivery) -> None:
        """Nothing leaves: keep what the recipient would have seen."""
        owed = job.delivery
        shown = await asyncio.to_thread(self._registry.preview, parcel)
        text = shown.text if shown else "\n".join(f"{name}: {value}" for name, value in owed.body.items())
        kept = outbox.Kept(
            job.store_id, job.id, self._now(), owed.notifier, owed.recipient, owed.moment, shown.subject if shown else "", text,
            shown.html if shown else "",
        )  # fmt: skip
        self._crew.answered()
        self._meter.ended(DELIVERIES, owed.notifier, outbox.CAPTURED, 0.0)
        if not await self._noted(outbox.keep, job, kept, self._now()):
            self._meter.lost(DELIVERIES)
        elif owed.needs_report:
            await self._settled(job.store_id)
        _log.info("Delivery %s by %s: kept in the outbox, not sent", job.id, owed.notifier)

    async def _again(self, job: Job, outcome: Retry) -> None:
        reason = outcome.reason
        # The report is never given up: only time or a person ends it.
        if job.attempts >= self._settings.job_max_attempts and not job.delivery.needs_report:
            await self._settle(job, JobState.DEAD, attempts.given_up(job.attempts, reason), "failed")
            return
        most = min(self._settings.retry_first_seconds * 2 ** min(job.attempts - 1, 30), self._settings.retry_most_seconds)
        wait_s = max(most * self._random(), outcome.after_s or 0.0)  # full jitter
        due_ms = self._now() + int(wait_s * 1000)
        now = self._now()
        if job.ticket_id and job.attempts == 1:
            notice = Notice(job.delivery.notifier, job.delivery.moment, "retrying", now, reason)
            mine = await self._noted(notices.retry, job, due_ms, reason, notice, now)
        else:
            mine = await self._storage.write(jobs.retry, job.store_id, job.id, job.lease, due_ms, reason, now)
        if not mine:
            self._meter.lost(DELIVERIES)
        _log.info("Delivery %s by %s is tried again in %.0f s: %s", job.id, job.delivery.notifier, wait_s, reason)

    async def _settle(self, job: Job, state: JobState, outcome: str, said: str) -> None:
        now = self._now()
        if job.ticket_id:
            notice = Notice(job.delivery.notifier, job.delivery.moment, said, now, "" if state is JobState.DONE else outcome)
            hashed = self._opt_outs.hash(job.delivery.recipient)
            mine = await self._noted(notices.settle, job, state, outcome, notice, now, hashed)
        else:
            mine = await self._storage.write(jobs.settle, job.store_id, job.id, job.lease, state, outcome, now)
        level = logging.INFO if state in (JobState.DONE, JobState.CANCELLED) else logging.WARNING
        _log.log(level, "Delivery %s by %s: %s, %s", job.id, job.delivery.notifier, state.value, outcome)
        if not mine:
            self._meter.lost(DELIVERIES)
        elif job.delivery.needs_report:
            await self._settled(job.store_id)

    async def _noted(self, make: Callable[P, Operation[Change]], *args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            await self._storage.write_and_tell(self._told, make, *args, **kwargs)
        except notices.LeaseLost:
            return False
        return True

    async def _browser(self, job: Job) -> Subscription | None:
        """The subscription that the recipient stands for, where the notifier carries to browsers."""
        if not job.ticket_id or job.delivery.notifier not in self._registry.push_keys():
            return None
        return await self._storage.read(subscriptions.one, job.store_id, job.ticket_id, job.delivery.recipient)

    async def _report(self, job: Job) -> tuple[Attachment, ...]:
        if not job.delivery.needs_report:
            return ()
        files = await self._storage.read(reports.files, job.store_id)
        return tuple(
            Attachment(
                name=file.name,
                media_type=file.media_type,
                bytes=file.bytes,
                sha256=file.sha256,
                chunks=partial(report_chunks, self._storage, job.store_id, file.name),
            )
            for file in files
        )


def too_many(most: int, minutes: int) -> str:
    """What the staff read of a message that would have been one too many."""
    time = {1: "the minute", 60: "the hour"}.get(minutes, f"{minutes} minutes")
    return f"This guest got {most} {'message' if most == 1 else 'messages'} within {time}."


async def report_chunks(storage: Storage, store_id: str, file: str) -> AsyncIterator[bytes]:
    """A report file from its start, a part at a time."""
    number = 0
    while (content := await storage.read(reports.part, store_id, file, number)) is not None:
        yield content.encode()
        number += 1
