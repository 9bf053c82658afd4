"""The providers behind notifiers - a mail server, a gateway: which one is down, and how much each may hold at once.

One that is down is left alone: nothing is claimed for it, so what it is owed waits without being tried, and counts no attempt. After a
pause it gets one delivery at a time, until one comes through.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from realtime.hookspecs import Outcome, Retry
from realtime.metering import Meter, NoMeter

_log = logging.getLogger("nowserving.providers")

FAILURES = 5
"""So many in a row that say that the provider is down open its breaker."""
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 300.0
"""However long it is down, and whatever it asks for, it is tried so often."""


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """It is left alone."""
    HALF_OPEN = "half_open"
    """It is tried with one delivery at a time."""


class Breaker:
    """What is known about one provider. Pure but for `random_`, which draws the jitter.

    Args:
        random_: 0 to 1.
    """

    def __init__(self, random_: Callable[[], float]) -> None:
        self.state = BreakerState.CLOSED
        self.failures = 0
        """In a row."""
        self.last = ""
        """Why, the last time."""
        self.since_ms = 0
        """From when on it is down."""
        self.until_ms = 0
        self._pause_s = FIRST_PAUSE_S
        self._random = random_

    def look(self, now_ms: int) -> BreakerState:
        """Its state now: a pause that is over makes it half open."""
        if self.state is BreakerState.OPEN and not self.remaining_ms(now_ms):
            self.state = BreakerState.HALF_OPEN
        return self.state

    def remaining_ms(self, now_ms: int) -> int:
        """How long it is still left alone; a clock that was set back does not make it longer."""
        return min(max(self.until_ms - now_ms, 0), int(LONGEST_PAUSE_S * 1000)) if self.state is BreakerState.OPEN else 0

    def passed(self) -> bool:
        """It answered; True when that closes the breaker."""
        was = self.state
        self.state, self.failures, self._pause_s = BreakerState.CLOSED, 0, FIRST_PAUSE_S
        return was is not BreakerState.CLOSED

    def failed(self, why: str, asked_s: float, now_ms: int, *, probe: bool) -> bool:
        """It did not; True when that opens the breaker.

        Args:
            asked_s: how long it asked to be left alone; 0: it did not say.
            probe: whether this was what it was tried with. Others were under way when it opened, and say nothing new.
        """
        self.failures += 1
        self.last = why
        if self.state is BreakerState.CLOSED:
            if self.failures < FAILURES:
                return False
            self.since_ms = now_ms
        elif self.state is BreakerState.OPEN or not probe:
            return False
        pause_s, self._pause_s = self._pause_s * (0.5 + 0.5 * self._random()), min(self._pause_s * 2, LONGEST_PAUSE_S)
        self.until_ms = now_ms + int(min(max(pause_s, asked_s), LONGEST_PAUSE_S) * 1000)
        self.state = BreakerState.OPEN
        return True


class ProviderStanding(Struct, frozen=True):
    """How one provider is, as this process found it."""

    notifier: str
    state: BreakerState
    in_flight: int
    failures: int
    """In a row."""
    reason: str
    """What it failed with last; empty while it is up."""
    since_ms: int
    """From when on it is down; 0: it is up."""
    until_ms: int
    """When it is tried next; 0 while it is up, or is being tried."""


class Providers:
    """All providers of one process.

    Args:
        most: how many deliveries one may hold at once.
        clock_ms: the time of day.
        random_: for the jitter of pauses.
    """

    def __init__(self, most: int, clock_ms: Callable[[], int], random_: Callable[[], float], meter: Meter | None = None) -> None:
        self._most = most
        self._now = clock_ms
        self._random = random_
        self._meter: Meter = meter or NoMeter()
        self._breakers: dict[str, Breaker] = {}
        self._held: dict[str, set[str]] = {}
        self._probes: dict[str, str] = {}

    def room(self, notifier: str) -> int:
        """How many deliveries it may be given now."""
        breaker = self._breakers.get(notifier)
        state = breaker.look(self._now()) if breaker else BreakerState.CLOSED
        if state is BreakerState.CLOSED:
            return max(self._most - len(self._held.get(notifier, ())), 0)
        return int(state is BreakerState.HALF_OPEN and notifier not in self._probes)

    def free_ms(self, notifier: str) -> int | None:
        """When it has room, as far as time alone tells: 0 for now, None when one that is under way has to end first."""
        if self.room(notifier):
            return 0
        breaker, now = self._breakers.get(notifier), self._now()
        return now + remaining if breaker and (remaining := breaker.remaining_ms(now)) else None

    def begin(self, notifier: str, id_: str) -> None:
        """It is given a delivery."""
        self._held.setdefault(notifier, set()).add(id_)
        breaker = self._breakers.get(notifier)
        if breaker and breaker.state is BreakerState.HALF_OPEN:
            self._probes[notifier] = id_
            _log.debug("The provider of the notifier %s is tried with one delivery.", notifier)

    def heard(self, notifier: str, id_: str, outcome: Outcome) -> None:
        """What became of it."""
        down = isinstance(outcome, Retry) and outcome.provider_down
        if not down and notifier not in self._breakers:
            return
        breaker = self._breakers.setdefault(notifier, Breaker(self._random))
        if isinstance(outcome, Retry) and down:
            now, first = self._now(), breaker.state is BreakerState.CLOSED
            if breaker.failed(outcome.reason, outcome.after_s or 0.0, now, probe=self._probes.get(notifier) == id_) and first:
                self._meter.provider(notifier, down=True)
                _log.error(
                    "The provider of the notifier %s is down: %d deliveries in a row failed. It is left alone for %.0f s, then tried with one"
                    " at a time; what it is owed waits. The last said: %s",
                    notifier, breaker.failures, breaker.remaining_ms(now) / 1000, outcome.reason,
                )  # fmt: skip
        elif breaker.passed():
            self._meter.provider(notifier, down=False)
            _log.warning("The provider of the notifier %s is up again, after %.0f s.", notifier, (self._now() - breaker.since_ms) / 1000)

    def end(self, notifier: str, id_: str) -> None:
        """It does not hold this delivery any more."""
        self._held.get(notifier, set()).discard(id_)
        if self._probes.get(notifier) == id_:
            del self._probes[notifier]

    def standings(self) -> list[ProviderStanding]:
        """Those that were given something since the start, by name."""
        return [self._standing(name) for name in sorted({*self._held, *self._breakers})]

    def _standing(self, notifier: str) -> ProviderStanding:
        now, held = self._now(), len(self._held.get(notifier, ()))
        breaker = self._breakers.get(notifier)
        if breaker is None or breaker.look(now) is BreakerState.CLOSED:
            return ProviderStanding(notifier, BreakerState.CLOSED, held, breaker.failures if breaker else 0, "", 0, 0)
        remaining_ms = breaker.remaining_ms(now)
        until_ms = now + remaining_ms if remaining_ms else 0
        return ProviderStanding(notifier, breaker.state, held, breaker.failures, breaker.last, breaker.since_ms, until_ms)
