"""Watches over this installation, and has notifiers tell its operator what is wrong."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from realtime.errors import NowServingError
from realtime.operations import alarms
from realtime.operations.alarms import Figures
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.alarms")

LOOK_S = 60.0
"""How often it looks, give or take a tenth."""


class Alarms:
    """One per process; what is told once is told by one of them.

    Args:
        clock_ms: the time of day.
        wake_courier: called when the operator is owed something.
    """

    def __init__(
        self, settings: Settings, storage: Storage, registry: Registry, clock_ms: Callable[[], int], wake_courier: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._now = clock_ms
        self._wake_courier = wake_courier
        self._to = [_recipient(each) for each in settings.alarm_to]
        self._told: dict[str, int] = {}
        for notifier, _ in self._to:
            if notifier not in registry.notifiers():
                _log.warning("alarm_to names the notifier %r, but there is none here: its messages will wait.", notifier)

    async def run(self) -> None:
        """Look once a minute, for ever."""
        while True:
            try:
                await self.look()
            except NowServingError as error:
                _log.warning("The alarms could not be looked at: %s", error.message)
            await asyncio.sleep(LOOK_S * (0.9 + 0.2 * random.random()))

    async def look(self) -> dict[str, int]:
        """What is above its threshold now; the operator is owed a message where that is news."""
        now = self._now()
        late_ms = int(self._settings.alarm_deletion_hours * 3_600_000)
        found = await self._storage.read(alarms.figures, late_ms, now)
        wrong = self._wrong(found)
        known = {each.name: each.figure for each in await self._storage.read(alarms.raised)}
        if wrong or known:
            again_ms = int(self._settings.alarm_repeat_hours * 3_600_000)
            link = f"{self._settings.public_url.rstrip('/')}/operator" if self._settings.public_url else ""
            more = {alarms.BACKLOG: alarms.backlog(found)}
            if await self._storage.write(alarms.look, wrong, self._to, again_ms, link, now, more):
                self._wake_courier()
        self._log(wrong, found)
        return wrong

    def _wrong(self, found: Figures) -> dict[str, int]:
        settings = self._settings
        thresholds = {
            alarms.DEAD_LETTERS: (found.dead_letters, settings.alarm_dead_letters),
            alarms.BACKLOG: (found.backlog_seconds, settings.alarm_backlog_seconds),
            alarms.REPORTS: (found.failed_reports, settings.alarm_failed_reports),
            alarms.DELETIONS: (found.missed_deletions, settings.alarm_missed_deletions),
        }
        return {name: figure for name, (figure, most) in thresholds.items() if most and figure >= most}

    def _log(self, wrong: dict[str, int], found: Figures) -> None:
        for name in wrong.keys() - self._told.keys():
            more = f" {alarms.backlog(found)}" if name == alarms.BACKLOG else ""
            _log.warning("Alarm: %s%s", alarms.sentence(name, wrong[name]), more)
        for name in self._told.keys() - wrong.keys():
            _log.info("Alarm over: %s", name)
        self._told = wrong


def _recipient(text: str) -> tuple[str, str]:
    notifier, _, recipient = text.partition(":")
    return notifier, recipient
