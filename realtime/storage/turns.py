"""Gives a database thread its turn of the interpreter while the event loop is never idle.

CPython's lock goes to whoever is awake when it is let go. A busy loop lets go for the microseconds of each system call and takes it
back before a waiting thread has woken up, and each time that thread's own patience starts anew: writes were seen to wait for eight
seconds beside a loop that only echoed bytes. So while a thread has work and the loop keeps its core busy, the loop stands still for
a moment every few milliseconds. A loop that is idle now and then never does.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress

_EVERY = 0.004
_LONGEST = 0.004
_TO_WAKE_UP = 0.0003
_BUSY = 0.8


class Turns:
    """What the loop and a thread agree on. `begin` and `end` are called on the loop's thread, `take` and `give_back` on the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._working = 0
        self._timer: asyncio.TimerHandle | None = None
        self._taken = False
        self._asked = False
        # Not a SimpleQueue: where its deadline passes before it begins to wait, CPython's waits for ever (seen once in 48,000 waits).
        self._answer = threading.Lock()
        """Held by the loop until the thread answers."""

    def begin(self, count: int = 1) -> None:
        """A thread has been given something to do."""
        self._working += count
        if self._timer is None:
            self._set_timer()

    def end(self, count: int = 1) -> None:
        """The loop has heard that it is done."""
        self._working -= count

    def take(self) -> None:
        """The thread needs the interpreter from here on."""
        self._taken = True

    def give_back(self) -> None:
        """The thread will be waiting for the disk, or for work."""
        self._taken = False
        if self._asked:
            self._asked = False
            with suppress(RuntimeError):  # an answer that came too late for the question before is there already
                self._answer.release()

    def _set_timer(self) -> None:
        self._since, self._busy_since = time.perf_counter(), time.thread_time()
        self._timer = self._loop.call_later(_EVERY, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._working:
            if time.thread_time() - self._busy_since > _BUSY * (time.perf_counter() - self._since):
                self._stand_still()
            self._set_timer()

    def _stand_still(self) -> None:
        self._answer.acquire(blocking=False)
        self._asked = True
        if not self._answer.acquire(timeout=_TO_WAKE_UP) and self._taken:
            self._answer.acquire(timeout=_LONGEST)
        self._asked = False
