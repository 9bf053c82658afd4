"""When the interpreter looks for objects that hold each other and nobody else needs: often among the new ones, seldom among all.

Looking through all takes half a microsecond for each, and the loop stands still meanwhile: 80 to 120 ms were seen with 8,000 sockets, of which nothing was
garbage. So whatever has outlived the second look is left alone (gc.freeze) until a quiet moment; what nobody refers to is freed as ever.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

YOUNG = 5_000
"""Objects that may be cyclic before the youngest are looked through; a request makes some fifty."""
LOOKS = 1
"""Looks at the youngest before all that are left of them are looked through once more."""
_LOOK_S = 60.0
_FULL_S = 3_600.0
"""How long all are left alone at least,"""
_LATEST_S = 6 * 3_600.0
"""and at most."""
_QUIET = 0.1
"""A quiet minute: the loop's thread was busy for so much of it."""


class Garbage:
    """One for the process, as long as it serves. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._full_at = self._busy_s = 0.0

    def start(self) -> None:
        """What was made to start the process lives as long as it does."""
        self._before = gc.get_threshold()
        gc.set_threshold(YOUNG, LOOKS, LOOKS)
        gc.callbacks.append(_leave_alone)
        gc.freeze()
        self._full_at = time.monotonic()
        self._wait()

    def stop(self) -> None:
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.callbacks.remove(_leave_alone)
            self._before = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._busy_s = time.thread_time()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        since_s = time.monotonic() - self._full_at
        quiet = time.thread_time() - self._busy_s < _QUIET * _LOOK_S
        if since_s >= _LATEST_S or (since_s >= _FULL_S and quiet):
            look_through_all()
            self._full_at = time.monotonic()
        self._wait()


def look_through_all() -> None:
    """Free what has become garbage since it was left alone."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _leave_alone(phase: str, info: dict[str, Any]) -> None:
    if phase == "stop" and info["generation"] == 1:
        gc.freeze()
