"""When to come back: full jitter, the server's own wish first, and patience that only a stable connection resets. Pure, as the browser's retry.js."""

from __future__ import annotations

from collections.abc import Callable

from realtime.errors import NowServingError, Overloaded

STABLE_SECONDS = 30.0
FIRST_SECONDS, MOST_SECONDS = 0.5, 10.0
FULL_ATTEMPT = 6
"""A server without room is not asked again as fast as one that was merely lost."""


class Retry:
    """Seconds of one clock that only goes forward.

    Args:
        chance: a random number from 0 to 1 each time.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._attempt = 0
        self._not_before = 0.0

    def told(self, now: float, seconds: float) -> None:
        """The server asked to stay away for so long."""
        self._not_before = now + seconds

    def held(self, seconds: float) -> bool:
        """A connection lasted for so long; whether that was long enough to start counting anew."""
        if seconds <= STABLE_SECONDS:
            return False
        self._attempt = 0
        return True

    def pause(self, now: float, error: NowServingError) -> float:
        """How long to wait after a connection ended with this error."""
        if isinstance(error, Overloaded):
            self._attempt = max(self._attempt, FULL_ATTEMPT)
        if error.retry_after is not None:
            self.told(now, error.retry_after)
        drawn = self._chance() * min(MOST_SECONDS, FIRST_SECONDS * 2**self._attempt)
        self._attempt = min(self._attempt + 1, FULL_ATTEMPT)
        return self._not_before - now + (drawn if error.retry_after is not None else 0.0) if self._not_before > now else drawn
