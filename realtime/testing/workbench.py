"""A queue of jobs with a worker that does them when it is told to, in a database of its own, for tests of handlers."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct

from realtime.app import make_storage
from realtime.job_messages import AddJob
from realtime.job_service import JobService
from realtime.operations import services
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage
from realtime.testing.clock import FakeClock
from realtime.testing.handlers import load
from realtime.worker import Worker

ACCOUNT = "account"
MOST = 1000
J = TypeVar("J")


class Work(Protocol[J]):
    """What a worker, a courier and a postman have in common."""

    async def claim(self, lease: str, room: int, worker: str) -> list[J]: ...
    async def carry(self, job: J) -> None: ...


async def drain(work: Work[J], most: int = MOST) -> int:
    """Do what is due now, one after another, and what becomes due by that; nothing is waited for. Returns how many were tried.

    `work` is a worker that does not run by itself: a workbench's, or one of an application under test.

    Raises:
        AssertionError: there is no end to it.
    """
    for count in range(most):
        claimed = await work.claim(secrets.token_hex(16), 1, "drain")
        if not claimed:
            return count
        for job in claimed:
            await work.carry(job)
    raise AssertionError(f"There is still something due after {most} jobs.")


class PutIn(Struct, frozen=True):
    """A job as it stands in the queue."""

    id: str
    handler: str
    state: str
    """"waiting", "leased", "done", "dead", "expired" or "cancelled"."""
    payload: Any
    """None also where it has ended: what it said is thrown away then, unless it died."""
    attempts: int
    lane: str
    due_ms: int
    """When it can be begun; 0 where it is dead."""
    outcome: str
    """What became of it last: the detail of `Done`, or a reason."""


class Workbench:
    """Programs put jobs in with `add`; `drain` does those that are due. See `workbench`."""

    def __init__(self, storage: Storage, jobs: JobService, worker: Worker, clock: Callable[[], int]) -> None:
        self.worker = worker
        self.clock = clock
        self._storage = storage
        self._jobs = jobs

    async def add(self, handler: str, payload: Any = None, **more: Any) -> str:
        """Put a job in, as `POST /addJob` does. `more` are its other fields, such as `delay` and `lane`. Returns its id.

        Raises:
            msgspec.ValidationError, InvalidInput: as a program would be refused.
        """
        asked = msgspec.convert({"lane": "", **more, "handler": handler, "payload": payload}, AddJob)
        return (await self._jobs.add(ACCOUNT, "program", asked)).jobId

    async def drain(self) -> int:
        """Do what is due by the clock. Returns how many jobs were tried. A retry waits for as long as it may, not for a random part of it."""
        return await drain(self.worker)

    async def jobs(self, handler: str = "") -> list[PutIn]:
        """Every job that was put in, or those for one handler, in that order."""
        return [job for job in await self._storage.read(_all, services.owner(ACCOUNT)) if handler in ("", job.handler)]

    async def assert_enqueued(self, handler: str, count: int = 1, **fields: Any) -> None:
        """So many jobs wait for a handler, with these fields of `PutIn`: `assert_enqueued("ring", payload={"times": 2})`.

        Raises:
            AssertionError: with what waits there instead.
        """
        waiting = [job for job in await self.jobs(handler) if job.state == "waiting"]
        found = [job for job in waiting if all(getattr(job, name) == value for name, value in fields.items())]
        wanted = "".join(f", {name}={value!r}" for name, value in fields.items())
        assert len(found) == count, f"wanted {count} for {handler!r}{wanted}; there are {len(found)}, and waiting for it: {waiting}"


@asynccontextmanager
async def workbench(plugin: object, clock: Callable[[], int] | None = None, **settings: Any) -> AsyncIterator[Workbench]:
    """A workbench for one plugin's handlers, gone at the end.

    Args:
        plugin: a module or an object with `register_handlers`.
        clock: the time of day in milliseconds; left out: a `FakeClock`.
        settings: those that differ from the defaults, such as `job_retries=1`.

    Raises:
        ValueError: the plugin takes no part.
    """
    folder = await asyncio.to_thread(tempfile.mkdtemp)
    try:
        make = partial(Settings.defaults, **{"database_url": f"sqlite:///{folder}/jobs.db", **settings})
        chosen, now = await asyncio.to_thread(make), clock or FakeClock()
        registry = await load(plugin, chosen)
        storage = await asyncio.to_thread(make_storage, chosen)
        try:
            await storage.open()
            worker = Worker(chosen, storage, registry, now, random_=lambda: 1.0)
            yield Workbench(storage, JobService(chosen, storage, registry, now, lambda: None), worker, now)
        finally:
            await registry.close()
            await storage.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


_LIVE = "select id, notifier, state, body, attempts, lane, due_ms, outcome from jobs where store_id = $1"
_DEAD = "select id, notifier, 'dead', body, attempts, lane, 0, outcome from dead_jobs where store_id = $1"


def _all(owner: str) -> Operation[Sequence[PutIn]]:
    rows = yield Statement(f"{_LIVE} union all {_DEAD} order by id", (owner,))
    return [_put_in(*row) for row in rows]


def _put_in(id_: str, handler: str, state: str, body: str, *rest: Any) -> PutIn:
    return PutIn(id_, handler, state, msgspec.json.decode(body).get("payload"), *rest)
