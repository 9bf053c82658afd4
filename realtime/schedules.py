"""Schedules of accounts: made, paused, deleted; and at their times what they say is put in, once, whichever process sees it first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from realtime import checks, timetable
from realtime.errors import InvalidInput, NowServingError
from realtime.job_messages import AddJob
from realtime.next_time import NextTime
from realtime.operations import schedules
from realtime.operations.schedules import Put, Schedule
from realtime.queue_messages import Publish
from realtime.schedule_messages import Missed, PutSchedule, ScheduleView
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.schedules")

AT_ONCE = 20
ON_TIME_MS = 60_000
"""A time that is no older was not missed."""
MOST_MISSED = 100


class PutsMessages(Protocol):
    def prepared(self, account_id: str, request: Publish) -> Put: ...
    def came(self, account_id: str, queue: str) -> None: ...


class PutsJobs(Protocol):
    def prepared(self, account_id: str, client: str, request: AddJob) -> Put: ...
    def came(self) -> None: ...


class Schedules:
    """All schedules of all accounts; `run` is one per process, and several processes share the work through the rows.

    Args:
        clock_ms: the time of day.
    """

    def __init__(self, storage: Storage, messages: PutsMessages, jobs: PutsJobs, clock_ms: Callable[[], int]) -> None:
        self._storage = storage
        self._messages = messages
        self._jobs = jobs
        self._now = clock_ms
        self._next_time = NextTime(
            self.look, lambda error: _log.warning("Schedules could not be read, trying again soon: %s", error.message), clock_ms
        )

    # ---- for accounts

    async def put(self, account_id: str, name: str, request: PutSchedule) -> ScheduleView:
        """Make a schedule, or change the one with this name. Raises: InvalidInput, Conflict."""
        if (request.message is None) == (request.job is None):
            raise InvalidInput("Say what is put in each time: either a message or a job.", field="message")
        timezone = checks.timezone(request.timezone)
        next_ms = await self._next(request.cron, timezone)
        self._putting(account_id, name, request.message, request.job)  # what cannot be put in now never can
        body = msgspec.json.encode({"message": request.message, "job": request.job}).decode()
        now = self._now()
        await self._storage.write(
            schedules.put,
            Schedule(account_id, name, request.cron, timezone, request.missed, body, request.paused, next_ms, 0, "", "", now),
        )
        self._next_time.note(next_ms)
        return await self.one(account_id, name)

    async def one(self, account_id: str, name: str) -> ScheduleView:
        """Raises: NotFound."""
        return _view(await self._storage.read(schedules.one, account_id, name))

    async def every(self, account_id: str) -> list[ScheduleView]:
        return [_view(each) for each in await self._storage.read(schedules.every, account_id)]

    async def remove(self, account_id: str, name: str) -> None:
        """What it put in stays. Raises: NotFound."""
        await self._storage.write(schedules.remove, account_id, name)

    async def pause(self, account_id: str, name: str, *, paused: bool) -> ScheduleView:
        """Stop it, or let it go on; what passes meanwhile is not missed. Raises: NotFound."""
        seen = await self._storage.read(schedules.one, account_id, name)
        next_ms = await self._next(seen.cron, seen.timezone)
        await self._storage.write(schedules.pause, account_id, name, paused=paused, next_ms=next_ms)
        self._next_time.note(next_ms)
        return await self.one(account_id, name)

    async def _next(self, cron: str, timezone: str) -> int:
        """Raises: InvalidInput."""
        try:
            return await asyncio.to_thread(timetable.next_ms, cron, timezone, self._now())  # it may read the file of a time zone
        except timetable.NoTimes as error:
            raise InvalidInput(str(error), field="cron") from None

    def _putting(self, account_id: str, name: str, message: Publish | None, job: AddJob | None) -> Put:
        """Raises: InvalidInput."""
        if message is not None:
            return self._messages.prepared(account_id, message)
        if job is None:
            raise InvalidInput("This version of the program cannot read what is to be put in. Say it anew.", field="message")
        # Its own lane, unless it says otherwise: a run begins when the one before has ended.
        return self._jobs.prepared(account_id, f"schedule {name}", job)

    # ---- at their times

    async def run(self) -> None:
        """Put in what is due, at its time, for ever."""
        await self._next_time.run()

    async def look(self) -> None:
        """Put in what is due, and note what is due next."""
        first_ms = await self._storage.read(schedules.first_ms)
        if first_ms is None:
            return
        if first_ms > self._now():
            self._next_time.note(first_ms)
            return
        for seen in await self._storage.read(schedules.due, self._now(), AT_ONCE):
            await self._fire(seen)
        self._next_time.note(self._now())  # more may be due

    async def _fire(self, seen: Schedule) -> None:
        now, said = self._now(), _said(seen)
        try:
            times = await asyncio.to_thread(timetable.last_ms, seen.cron, seen.timezone, seen.next_ms, now, MOST_MISSED)
            next_ms = await asyncio.to_thread(timetable.next_ms, seen.cron, seen.timezone, now)
        except timetable.NoTimes as error:  # the next one is asked for again and again, and would hold up all others
            await self._storage.write(schedules.stop, seen, str(error))
            _log.warning("Schedule %s of account %s is paused: %s", seen.name, seen.account_id, error)
            return
        if seen.missed == "skip":
            times = [at_ms for at_ms in times if at_ms >= now - ON_TIME_MS]
        if seen.missed != "each":
            times = times[-1:]
        puts, problem = list[Put](), ""
        try:
            puts = [self._putting(seen.account_id, seen.name, said.message, said.job) for _ in times]
        except NowServingError as error:
            problem = error.message
            _log.warning("Schedule %s of account %s puts nothing in: %s", seen.name, seen.account_id, problem)
        ids = await self._storage.write(schedules.fire, seen, next_ms, times[-1] if times else seen.last_ms, puts, problem)
        if ids and said.message is not None:
            self._messages.came(seen.account_id, said.message.queue)
        elif ids:
            self._jobs.came()


class _Said(msgspec.Struct, frozen=True):
    """What is put in; neither where another version of the program wrote it."""

    message: Publish | None = None
    job: AddJob | None = None


def _said(schedule: Schedule) -> _Said:
    try:
        return msgspec.json.decode(schedule.body, type=_Said)
    except msgspec.ValidationError:
        return _Said()


def _view(seen: Schedule) -> ScheduleView:
    said = _said(seen)
    return ScheduleView(
        seen.name, seen.cron, seen.timezone, cast(Missed, seen.missed), said.message, said.job, seen.paused, seen.next_ms, seen.last_ms,
        seen.last_id, seen.problem, seen.created_ms,
    )  # fmt: skip
