"""Ids of messages and jobs: numbers that grow with time, of one width, so that their order as text is that in which they were given."""

from __future__ import annotations

import secrets

WIDTH = 19
"""Digits, until the year 2248."""
_BITS = 20
"""Behind the milliseconds: by chance, so that two processes do not give the same one."""


class GrowingIds:
    """Those of one process."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now_ms: int) -> str:
        """One that is higher than all before it, though the clock stands still or goes back."""
        self._last = max(self._last + 1, (now_ms << _BITS) + secrets.randbelow(1 << _BITS - 1))
        return str(self._last)


def first_at(at_ms: int) -> str:
    """The lowest that can be given at a time."""
    return str(at_ms << _BITS).zfill(WIDTH)
