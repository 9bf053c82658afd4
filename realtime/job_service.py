"""The job service: programs put jobs in and ask how they went. A worker does them; see `realtime.worker`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import msgspec

from realtime import checks
from realtime.errors import InvalidInput, NotFound
from realtime.growing_ids import WIDTH, GrowingIds, first_at
from realtime.job_messages import AddedJob, AddJob, JobAttempt, JobPage, JobStatus, JobStatuses, OneJob, ShowJobs, Status
from realtime.keys import digest
from realtime.metering import Meter, NoMeter
from realtime.model import OnKey
from realtime.operations import answers, keyed, queue, services
from realtime.operations.queue import NewJob
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Operation, Storage
from realtime.targets import Forbidden, Leads, check, leads

SERVICE = "service"
"""The handler that calls the address of a job."""


class JobService:
    """All jobs of all accounts.

    Args:
        clock_ms: the time of day.
        wake: called when there is something to do.
        meter: notes keys that are used again.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
        meter: Meter | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._wake = wake
        self._meter: Meter = meter or NoMeter()
        self._ids = GrowingIds()

    async def add(self, account_id: str, client: str, request: AddJob, idempotency_key: str = "", trace: str = "") -> AddedJob:
        """Put a job in; once only, however often it is asked for with one key.

        Args:
            client: which of the account's programs asks; its jobs are done one after the other unless it says otherwise.
            trace: the trace that the request belongs to; see `realtime.trace`.

        Raises:
            InvalidInput: there is no such handler here, its address can never be called, or the key came with another job.
        """
        now = self._now()
        make: Callable[[], Operation[AddedJob]] = self._putting(account_id, client, request, trace, now)
        if idempotency_key:
            asked = digest(msgspec.json.encode(request).decode())
            make = partial(answers.same, services.owner(account_id), idempotency_key, asked, now, make, AddedJob)
        added = await self._storage.write_and_tell(lambda _: self._wake(), make)
        if added.deduplicated:
            self._meter.deduplicated(services.QUEUE)
        return added

    def prepared(self, account_id: str, client: str, request: AddJob) -> Callable[[], Operation[str]]:
        """What puts a job in now, as part of somebody's transaction; its id. Who commits it says so with `came`. Raises: InvalidInput."""
        return partial(_put_one, self._putting(account_id, client, request, "", self._now()))

    def came(self) -> None:
        """A job was put in."""
        self._wake()

    def _putting(self, account_id: str, client: str, request: AddJob, trace: str, now: int) -> Callable[[], Operation[AddedJob]]:
        """Raises: InvalidInput."""
        if request.handler not in self._registry.handlers():
            raise InvalidInput(f"Nobody here does {request.handler!r}. There is: {self._known()}.", field="handler")
        self._check_address(request)
        job = NewJob(
            services.owner(account_id),
            self._ids.next(now),
            services.QUEUE,
            msgspec.json.encode({"payload": request.payload, "url": request.url}).decode(),
            client if request.lane is None else checks.line(request.lane, "lane", 128),
            request.priority,
            now + request.delay * 1000,
            now + (request.delay + request.expires) * 1000 if request.expires else 0,
            self._settings.job_retries + 1,
            notifier=request.handler,
            trace=trace,
            blocks=request.on_dead == "block",
        )
        return partial(_put, job, checks.line(request.key, "key", 128), request.window * 1000, request.on_key, now)

    def _check_address(self, request: AddJob) -> None:
        """What can be known of an address without looking up a name; the rest is checked when it is called. Raises: InvalidInput."""
        if not request.url:
            return
        try:
            named = check(request.url)
        except Forbidden as error:
            raise InvalidInput(f"{error} Correct it, or leave it out.", field="url") from None
        host = urlsplit(request.url).hostname or ""
        if leads(host, self._settings.outbound_networks) is Leads.INSIDE:
            raise InvalidInput(
                "This address leads into a private network, which this server does not call. Whoever runs it may allow it in outbound_networks.",
                field="url",
            )
        if request.handler == SERVICE and named not in self._settings.job_service_hosts:
            raise InvalidInput(
                "This server does not call this address for jobs. Whoever runs it may allow it in job_service_hosts.", field="url"
            )

    def _known(self) -> str:
        return ", ".join(sorted(self._registry.handlers())) or "no handler at all"

    async def statuses(self, account_id: str, request: ShowJobs) -> JobStatuses:
        """A page of an account's jobs, the newest first."""
        account, since = services.owner(account_id), first_at(request.since_ms)
        ends = [request.before.zfill(WIDTH)] if request.before else []
        ends += [first_at(request.until_ms)] if request.until_ms else []
        before = min(ends, default=services.LAST)
        found = await self._storage.read(services.page, account, request.status_type, before, request.count, since, request.lane)
        jobs = [JobStatus(job.id, _status(job.state), job.attempts, _time(job.created_ms)) for job in found]
        return JobStatuses(JobPage(jobs, len(jobs), jobs[-1].id if len(jobs) == request.count else ""))

    async def status(self, account_id: str, id_: str) -> OneJob:
        """Raises: NotFound."""
        found = await self._storage.read(services.one, services.owner(account_id), id_)
        if found is None:
            raise NotFound("There is no such job. What ended is kept for a day, what failed for 14.")
        job, attempts = found
        tries = [JobAttempt(one.number, _time(one.started_ms), _time(one.ended_ms), one.outcome, one.detail) for one in attempts]
        return OneJob(job.id, _status(job.state), job.state, job.attempts, _time(job.created_ms), job.handler, job.lane, job.outcome, tries)


def _put_one(put: Callable[[], Operation[AddedJob]]) -> Operation[str]:
    return (yield from put()).jobId


def _put(job: NewJob, key: str, window_ms: int, on_key: OnKey, now_ms: int) -> Operation[AddedJob]:
    if key:
        stands = yield from keyed.enqueue_once(job, key, window_ms, now_ms, on_key)
        return AddedJob(stands.id, deduplicated=not stands.first, replaced=stands.replaced)
    yield from queue.enqueue(job, now_ms)
    return AddedJob(job.id)


def _status(state: str) -> Status:
    return cast(Status, services.STATUS[state])


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds") if at_ms else ""
