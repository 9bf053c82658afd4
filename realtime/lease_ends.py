"""Ends the leases of messages that nobody answered for, whether or not anybody consumes: back to their places, or dead letters."""

from __future__ import annotations

import logging
from collections.abc import Callable

from realtime.metering import CONSUMER, Meter, NoMeter
from realtime.next_time import NextTime
from realtime.operations import leases
from realtime.operations.receives import MESSAGES
from realtime.settings import Settings
from realtime.storage.statement import Storage

_log = logging.getLogger("nowserving.leases")

AT_ONCE = 100
"""Messages of one transaction."""


class LeaseEnds:
    """One per process, which knows the leases that were given here; several processes pass by what another has in hand.

    Args:
        clock_ms: the time of day.
        free: called with the name of a queue in which something may be taken again.
        meter: notes each of them.
    """

    def __init__(
        self, settings: Settings, storage: Storage, clock_ms: Callable[[], int], free: Callable[[str], None], meter: Meter | None = None
    ) -> None:
        self._most = settings.message_receives
        self._storage = storage
        self._now = clock_ms
        self._free = free
        self._meter: Meter = meter or NoMeter()
        self._next = NextTime(
            self.look, lambda error: _log.warning("Leases that ended could not be settled, trying again soon: %s", error.message), clock_ms
        )

    def note(self, until_ms: int) -> None:
        """A lease was given, or changed, that ends then."""
        self._next.note(until_ms)

    async def run(self) -> None:
        """Look whenever the next lease ends, for ever."""
        await self._next.run()

    async def look(self) -> None:
        """Settle what has ended, and note what ends next."""
        for name, until_ms in (await self._storage.read(leases.first_ends)).items():
            if name.startswith(MESSAGES):
                if until_ms <= self._now():
                    await self._settle(name)
                else:
                    self.note(until_ms)

    async def _settle(self, name: str) -> None:
        count = AT_ONCE
        while count == AT_ONCE:
            count = await self._storage.write(leases.settle, name, AT_ONCE, self._most, self._now())
            self._meter.unanswered(name, [CONSUMER] * count)
            if count:
                self._free(name)
        self.note(self._now())  # others of this queue are still held
