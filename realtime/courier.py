"""The courier claims due deliveries, has notifiers carry them, and settles, repeats or gives up."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from realtime.errors import NowServingError
from realtime.hookspecs import Accepted, Attachment, Outcome, OutgoingDelivery, Retry, Sent
from realtime.model import Job, JobState
from realtime.operations import accounts, answers, jobs, reports
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.courier")

AT_ONCE = 16
"""Deliveries carried at the same time."""
LONGEST_NAP_S = 30.0
"""Without a wake-up the jobs are looked at this often, with jitter."""
FORGOTTEN_AT_ONCE = 1000
KEEP_MS = 24 * 3_600_000
"""How long what ended is kept, where it belongs to no store."""
KEEP_DEAD_MS = 14 * KEEP_MS
"""And dead letters."""
FORGET_MS = 3_600_000
"""How often they are looked for."""
LATEST_S = 24 * 3600.0
"""However late a provider wants to be asked again, it is asked after so long."""
LONGEST_REASON = 500

Settled = Callable[[str], Awaitable[None]]


class Courier:
    """One per process; several processes share the work through the leases in the database.

    Args:
        settled: awaited with a store's id whenever a delivery of its report has ended.
        random_: for the jitter of retries.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        settled: Settled,
        random_: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._settled = settled
        self._random = random_
        self._name = f"courier {secrets.token_hex(4)}"
        self._awake = asyncio.Event()
        self._stopping = False
        self._busy: set[asyncio.Task[None]] = set()
        self._carrying: dict[asyncio.Task[None], Job] = {}
        """What may still be given back, for its notifier has not answered yet."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._forget_ms = 0

    def wake(self) -> None:
        """There may be something to carry."""
        self._awake.set()

    async def run(self) -> None:
        """Carry deliveries until `stop` is called."""
        self._idle.clear()
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    self._awake.clear()
                    if len(self._busy) >= AT_ONCE:
                        await self._awake.wait()
                        continue
                    try:
                        busy = await self._carry_due(group)
                        nap_s = 0.0 if busy else await self._nap_s()
                    except NowServingError as error:
                        _log.warning("The jobs could not be read, trying again soon: %s", error.message)
                        nap_s = 1.0 + self._random()
                    if nap_s and not self._stopping:
                        await self._sleep(nap_s)
        finally:
            self._idle.set()

    async def stop(self, budget_s: float) -> None:
        """Claim nothing any more; what is not carried within `budget_s` is given back, as if it had not been tried."""
        self._stopping = True
        self._awake.set()
        carrying = dict(self._carrying)
        if carrying:
            await asyncio.wait(carrying, timeout=budget_s)
        for task, job in carrying.items():
            if task in self._carrying:
                task.cancel()
                await self._give_back(job)
        try:
            # What was answered is still settled, and what was being claimed is given back.
            async with asyncio.timeout(max(budget_s, 1.0)):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("The courier could not finish in time; what it holds is free when its leases end.")

    async def _give_back(self, job: Job) -> None:
        await self._storage.write(jobs.retry, job.store_id, job.id, job.lease, self._now(), "given back", self._now(), counted=False)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _nap_s(self) -> float:
        now = self._now()
        if now >= self._forget_ms:
            self._forget_ms = now + FORGET_MS
            old = now - KEEP_MS, now - KEEP_DEAD_MS, now
            while await self._storage.write(jobs.forget, *old, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
                continue
            while await self._storage.write(answers.forget, now - answers.KEEP_MS, FORGOTTEN_AT_ONCE) == FORGOTTEN_AT_ONCE:
                continue
            await self._storage.write(accounts.forget, now, FORGOTTEN_AT_ONCE)
        due_ms = await self._storage.read(jobs.next_due_ms)
        longest = LONGEST_NAP_S * (0.8 + 0.4 * self._random())
        return longest if due_ms is None else min(max((due_ms - now) / 1000, 0.05), longest)

    async def _carry_due(self, group: asyncio.TaskGroup) -> bool:
        room, lease = AT_ONCE - len(self._busy), secrets.token_hex(16)
        lease_ms, most = int(self._settings.job_lease_seconds * 1000), self._settings.job_max_attempts
        claimed = await self._storage.write(jobs.claim, lease, lease_ms, room, self._now(), worker=self._name, most=most)
        for job in claimed:
            if self._stopping:
                await self._give_back(job)
                continue
            task = group.create_task(self._carry_one(job), name=f"delivery {job.id}")
            self._busy.add(task)
            self._carrying[task] = job
            task.add_done_callback(self._carried)
        return bool(claimed)

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._carrying.pop(task, None)
        self._awake.set()

    async def _carry_one(self, job: Job) -> None:
        try:
            await self._carry(job)
        except NowServingError as error:
            _log.warning("Delivery %s could not be settled; its lease will end: %s", job.id, error.message)
        except Exception:  # noqa: BLE001 - a supervised edge: one delivery must not end the others
            _log.exception("Delivery %s failed; its lease will end", job.id)

    async def _carry(self, job: Job) -> None:
        now = self._now()
        late = job.delivery.not_after_ms
        if late and now > late:
            await self._settle(job, JobState.EXPIRED, "too late to be of use")
            return
        parcel = OutgoingDelivery(id=job.id, attempt=job.attempts, delivery=job.delivery, report=await self._report(job))
        outcome: Outcome = await self._registry.deliver(parcel)
        if task := asyncio.current_task():
            self._carrying.pop(task, None)  # from here on it is not given back: it may have arrived
        if isinstance(outcome, Sent | Accepted):
            await self._settle(job, JobState.DONE, "sent" if isinstance(outcome, Sent) else "accepted")
        elif isinstance(outcome, Retry):
            await self._again(job, outcome)
        else:
            await self._settle(job, JobState.DEAD, _plain(outcome.reason))

    async def _again(self, job: Job, outcome: Retry) -> None:
        reason = _plain(outcome.reason)
        # The report is never given up: only time or a person ends it.
        if job.attempts >= self._settings.job_max_attempts and not job.delivery.needs_report:
            await self._settle(job, JobState.DEAD, f"given up after {job.attempts} attempts: {reason}")
            return
        most = min(self._settings.retry_first_seconds * 2 ** min(job.attempts - 1, 30), self._settings.retry_most_seconds)
        asked_s = min(outcome.after_s, LATEST_S) if outcome.after_s and outcome.after_s > 0 else 0.0
        wait_s = max(most * (0.5 + 0.5 * self._random()), asked_s)
        due_ms = self._now() + int(wait_s * 1000)
        await self._storage.write(jobs.retry, job.store_id, job.id, job.lease, due_ms, reason, self._now())
        _log.info("Delivery %s by %s is tried again in %.0f s: %s", job.id, job.delivery.notifier, wait_s, reason)

    async def _settle(self, job: Job, state: JobState, outcome: str) -> None:
        mine = await self._storage.write(jobs.settle, job.store_id, job.id, job.lease, state, outcome, self._now())
        level = logging.INFO if state is JobState.DONE else logging.WARNING
        _log.log(level, "Delivery %s by %s: %s, %s", job.id, job.delivery.notifier, state.value, outcome)
        if mine and job.delivery.needs_report:
            await self._settled(job.store_id)

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


def _plain(reason: str) -> str:
    """What a notifier says, as it can be kept."""
    return str(reason).replace("\0", "")[:LONGEST_REASON]


async def report_chunks(storage: Storage, store_id: str, file: str) -> AsyncIterator[bytes]:
    """A report file from its start, a part at a time."""
    number = 0
    while (content := await storage.read(reports.part, store_id, file, number)) is not None:
        yield content.encode()
        number += 1
