"""What the operator of this installation sees of the queues and may do about them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from realtime import checks, doctor
from realtime.errors import Conflict, InvalidInput, NotFound
from realtime.operations import alarms, checkup, dead, decisions, oversight, pauses
from realtime.operations.dead import Chosen
from realtime.operations.decisions import Answer, Decided
from realtime.operations.oversight import Backlog, Seen, Standing
from realtime.operator_messages import (
    AlarmView,
    AttemptView,
    Changed,
    ChosenView,
    Count,
    Diagnosis,
    JobList,
    JobView,
    JobWithAttempts,
    Overview,
    PauseQueue,
    PluginStanding,
    ProviderView,
    PurgeQueue,
    QueueFigures,
    RedriveQueue,
    Reschedule,
    ShowQueueJobs,
)
from realtime.providers import Providers
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

if TYPE_CHECKING:
    from realtime.metrics import Metrics

_REFUSALS = {
    Answer.IN_FLIGHT: "A worker holds this job. Wait until it has answered, or until its lease has ended.",
    Answer.WAS_DONE: "This job is done: there is nothing left to try or to cancel.",
    Answer.WAS_EXPIRED: "This job came too late and was dropped. Put it in again where it is still wanted.",
    Answer.WAS_CANCELLED: "This job was cancelled. Put it in again where it is still wanted.",
    Answer.HELD: "This report waits until the owner has confirmed their e-mail address, so that no stranger gets it.",
    Answer.DEAD: "This job was given up. Put it back first (retry), then say when it is tried.",
    Answer.TOO_LATE: "This job comes too late by then, and would be dropped. Name an earlier time.",
    Answer.REPORT: "This carries a store's report. Only the store's owner may give it up, on the page of the closing.",
}


LATEST_MS = 366 * 24 * 3_600_000
"""A job is put off for so long at most."""


class Oversight:
    """All queues of all accounts and stores.

    Args:
        clock_ms: the time of day.
        wake: called with the name of a queue in which something can be taken now.
        metrics: what was measured, where that is kept.
        providers: those of this process.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        clock_ms: Callable[[], int],
        wake: Callable[[str], None],
        metrics: Metrics | None = None,
        providers: Providers | None = None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._registry = registry
        self._now = clock_ms
        self._wake = wake
        self._metrics = metrics
        self._providers = providers

    async def overview(self) -> Overview:
        """Every queue in figures, how the plugins and the providers are, and what the alarms say."""
        now = self._now()
        queues = [_figures(backlog, now) for backlog in await self._storage.read(oversight.backlogs, now)]
        plugins = [PluginStanding(plugin.name, plugin.version, plugin.status, plugin.failures) for plugin in self._registry.plugins()]
        raised = [AlarmView(each.name, each.text, each.since_ms) for each in await self._storage.read(alarms.raised)]
        standings = self._providers.standings() if self._providers else []
        providers = [ProviderView(each.notifier, each.state.value, *msgspec.structs.astuple(each)[2:]) for each in standings]
        return Overview(at_ms=now, queues=queues, plugins=plugins, providers=providers, alarms=raised)

    async def doctor(self) -> Diagnosis:
        """What needs a person, as far as the process that was asked can see."""
        ahead_ms = await self._ahead_ms()
        now = self._now()
        looked = doctor.Looked(
            now_ms=now,
            queues=await self._storage.read(checkup.look, doctor.QUIET_MS, now),
            plugins=self._registry.plugins(),
            providers=self._providers.standings() if self._providers else (),
            ahead_ms=ahead_ms,
            backlog_seconds=self._settings.alarm_backlog_seconds,
        )
        return Diagnosis(now, doctor.findings(looked))

    async def _ahead_ms(self) -> int:
        """By how much at least the database's clock is ahead of this one's: asking takes a while, which is no difference."""
        before = self._now()
        theirs = await self._storage.read(checkup.clock, before)
        return theirs - min(max(theirs, before), self._now())

    async def metrics(self) -> bytes:
        """Everything that is measured, as Prometheus reads it. Raises: NotFound where nothing is."""
        if self._metrics is None:
            raise NotFound
        now = self._now()
        backlogs = await self._storage.read(oversight.backlogs, now)
        raised = [each.name for each in await self._storage.read(alarms.raised)]
        self._metrics.catch_up()
        return await asyncio.to_thread(self._metrics.text, backlogs, raised, now)

    async def jobs(self, request: ShowQueueJobs) -> JobList:
        """The jobs of one standing, in the order of their turn."""
        blocking = request.state == "blocking"
        standing = Standing.DEAD if blocking else Standing(request.state)
        args = standing, request.queue, request.owner, request.limit, self._now()
        found = await self._storage.read(oversight.page, *args, blocking=blocking)
        return JobList([_view(seen) for seen in found], len(found) == request.limit)

    async def job(self, owner: str, id_: str) -> JobWithAttempts:
        """Raises: NotFound."""
        found = await self._storage.read(oversight.one, owner, id_, self._now())
        if found is None:
            raise NotFound("There is no such job. What ended is kept for a day, what failed for 14.")
        seen, tries = found
        return JobWithAttempts(_view(seen), [AttemptView(*msgspec.structs.astuple(each)) for each in tries])

    async def retry(self, owner: str, id_: str) -> Changed:
        """Let it be tried now; a dead letter goes back to its place. Raises: NotFound, Conflict."""
        return self._told(await self._storage.write(decisions.retry, owner, id_, self._now(), receives=self._settings.message_receives))

    async def cancel(self, owner: str, id_: str) -> Changed:
        """End it, or delete a dead letter; its lane goes on. Raises: NotFound, Conflict."""
        return self._told(await self._storage.write(decisions.cancel, owner, id_, self._now()))

    async def reschedule(self, owner: str, id_: str, request: Reschedule) -> Changed:
        """Let a job that waits be tried at a time; it keeps its place in its lane. Raises: NotFound, Conflict, InvalidInput."""
        now = self._now()
        if request.due_ms > now + LATEST_MS:
            raise InvalidInput("Name a time within a year from now.", field="due_ms")
        return self._told(
            await self._storage.write(decisions.reschedule, owner, id_, request.due_ms, now, receives=self._settings.message_receives)
        )

    def _told(self, decided: Decided) -> Changed:
        what, queue = decided.answer, decided.queue
        if self._metrics:
            self._metrics.unanswered(queue, decided.lost)
        if what is Answer.NOT_FOUND:
            raise NotFound("There is no such job. What ended is kept for a day, what failed for 14.")
        if what is not Answer.DONE:
            raise Conflict(_REFUSALS[what])
        self._wake(queue)
        return Changed(True)

    async def _check(self, queue: str) -> None:
        """A name with a slip in it must not look like a queue in which there is nothing to do."""
        if not await self._storage.read(oversight.known, queue):
            raise NotFound(f"There is no queue {queue} here. The overview, or `nowserving jobs list`, names those that there are.")

    async def redrive(self, request: RedriveQueue) -> Count:
        """Put dead letters back into their places, or say which would be. Raises: NotFound."""
        await self._check(request.queue)
        reason = checks.line(request.reason, "reason", 500)
        if request.dry_run:
            return _would(await self._storage.read(dead.to_redrive, request.queue, request.limit, reason=reason))
        count = await self._storage.write(dead.redrive, request.queue, request.limit, self._now(), reason=reason)
        self._wake(request.queue)
        return Count(count)

    async def purge(self, request: PurgeQueue) -> Count:
        """Delete dead letters, or say which would be; lanes that waited for them go on. Raises: NotFound."""
        await self._check(request.queue)
        now = self._now()
        before = now - request.older_than * 1000 + (1 if request.older_than == 0 else 0)
        if request.dry_run:
            return _would(await self._storage.read(dead.to_purge, request.queue, before, request.limit))
        count = await self._storage.write(dead.purge, request.queue, before, request.limit, now)
        self._wake(request.queue)
        return Count(count)

    async def pause(self, request: PauseQueue) -> Changed:
        """Take nothing from a queue any more; what is under way goes on. Raises: NotFound."""
        await self._check(request.queue)
        return Changed(await self._storage.write(pauses.pause, request.queue, self._now()))

    async def resume(self, request: PauseQueue) -> Changed:
        """Take from it again. Raises: NotFound."""
        await self._check(request.queue)
        changed = await self._storage.write(pauses.resume, request.queue)
        self._wake(request.queue)
        return Changed(changed)


def _would(chosen: Sequence[Chosen]) -> Count:
    return Count(len(chosen), True, [ChosenView(each.owner, each.id, each.reason) for each in chosen])


def _figures(backlog: Backlog, now_ms: int) -> QueueFigures:
    return QueueFigures(
        queue=backlog.queue,
        ready=backlog.ready,
        deferred=backlog.deferred,
        behind=backlog.behind,
        held=backlog.held,
        in_flight=backlog.in_flight,
        dead=backlog.dead,
        oldest_ready_seconds=max(now_ms - backlog.oldest_ready_ms, 0) / 1000 if backlog.oldest_ready_ms else 0.0,
        blocked_lanes=backlog.blocked_lanes,
        paused_ms=backlog.paused_ms,
    )


def _view(seen: Seen) -> JobView:
    return JobView(
        owner=seen.owner,
        id=seen.id,
        queue=seen.queue,
        lane=seen.lane,
        state=seen.standing.value,
        ended=seen.state if seen.standing in (Standing.ENDED, Standing.DEAD) else "",
        attempts=seen.attempts,
        due_ms=seen.due_ms,
        leased_until_ms=seen.leased_until_ms,
        worker=seen.worker,
        outcome=seen.outcome,
        created_ms=seen.created_ms,
        ended_ms=seen.ended_ms,
        notifier=seen.notifier,
        recipient=seen.recipient,
        moment=seen.moment,
        report=seen.needs_report,
        bytes=seen.bytes,
    )
