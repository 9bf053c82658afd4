"""The ping wheel: one timer asks every socket now and then whether it is still there, and drops those that do not answer."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Collection
from enum import Enum, auto

from realtime.errors import NoPong
from realtime.frames import APPLICATION_PING
from realtime.sink import Sink, close_for

JITTER = 0.1
SLICE = 250
"""Sockets that are looked at before the loop's other work gets its turn."""


class _Waits(Enum):
    FOR_PING = auto()
    FOR_ANSWER = auto()


class PingWheel:
    """The sockets of this process, each in the slot of the turn at which it is next looked at.

    Pings are `{}` texts, which a page can see. Intervals are `ping_seconds` give or take a tenth; the first one is anything shorter, so
    that sockets that came together do not stay together. Turns are counted, not read off the clock: a process that was asleep asks
    again before it drops anybody. A ping stands behind what was written before it, so a socket that is still taking that in, however
    slowly, is waited for: whoever takes nothing is the hub's to drop.
    """

    def __init__(self, *, ping_seconds: float, pong_seconds: float, chance: random.Random | None = None) -> None:
        self._ping_seconds = ping_seconds
        self._pong_seconds = pong_seconds
        self._chance = chance or random.Random()
        self._turn_seconds = min(1.0, ping_seconds / 10, pong_seconds / 5)
        self._slots: list[dict[Sink, None]] = [
            {} for _ in range(math.ceil(max(ping_seconds * (1 + JITTER), pong_seconds) / self._turn_seconds) + 2)
        ]
        self._place: dict[Sink, tuple[int, _Waits, int]] = {}
        """Its slot, what it waits for, and how much was buffered for it when it was put there."""
        self._now = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def sinks(self) -> Collection[Sink]:
        """Every socket that is on the wheel."""
        return self._place.keys()

    def add(self, sink: Sink) -> None:
        """Puts a socket on the wheel, when it was handed over."""
        self._put(sink, self._ping_seconds * self._chance.uniform(0, 1), _Waits.FOR_PING)
        if self._timer is None:
            self._arm()

    def answered(self, sink: Sink) -> None:
        """The socket sent `{}`."""
        place = self._place.get(sink)
        if place is not None and place[1] is _Waits.FOR_ANSWER:
            self.drop(sink)
            self._put(sink, self._ping_seconds * self._chance.uniform(1 - JITTER, 1 + JITTER), _Waits.FOR_PING)

    def drop(self, sink: Sink) -> None:
        """Takes a socket off the wheel, when it has closed."""
        place = self._place.pop(sink, None)
        if place is not None:
            del self._slots[place[0]][sink]

    def _put(self, sink: Sink, seconds: float, waits: _Waits, buffered: int = 0) -> None:
        turns = max(1, min(round(seconds / self._turn_seconds), len(self._slots) - 1))
        slot = (self._now + turns) % len(self._slots)
        self._slots[slot][sink] = None
        self._place[sink] = (slot, waits, buffered)

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._turn_seconds, self._turn, loop.time() + 2 * self._turn_seconds)

    def _turn(self, late: float) -> None:
        self._timer = None
        if not self._place:
            return
        self._arm()
        if asyncio.get_running_loop().time() > late:  # answers may have come while the loop was busy: read them first
            return
        self._now = (self._now + 1) % len(self._slots)
        self._look(self._now, list(self._slots[self._now]), 0)

    def _look(self, slot: int, sinks: list[Sink], at: int) -> None:
        """Look at some of a slot's sockets, then let the loop do its other work."""
        for sink in sinks[at : at + SLICE]:
            place = self._place.get(sink)
            if place is None or place[0] != slot:  # it closed or answered a moment ago
                continue
            _, waits, before = place
            buffered = sink.buffered_bytes()
            self.drop(sink)
            if waits is _Waits.FOR_PING:
                sink.write(APPLICATION_PING)
                self._put(sink, self._pong_seconds, _Waits.FOR_ANSWER, buffered)
            elif 0 < buffered < before:
                self._put(sink, self._pong_seconds, _Waits.FOR_ANSWER, buffered)
            else:
                close_for(sink, NoPong)
        if at + SLICE < len(sinks):
            asyncio.get_running_loop().call_soon(self._look, slot, sinks, at + SLICE)
