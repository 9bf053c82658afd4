"""A thread that sees when a plugin holds another thread too long, and says which plugin and where."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from typing import NamedTuple

logger = logging.getLogger("nowserving.plugins")


class _Stretch(NamedTuple):
    plugin: str
    hook: str
    since: float


class Watchdog:
    """Knows which plugin runs on which thread, and looks at them every `limit_s` / 4 seconds, from a thread of its own.

    A plugin that blocks cannot be stopped, only named, while it still blocks.
    """

    def __init__(self, limit_s: float = 1.0) -> None:
        self.limit_s = limit_s
        self._running: dict[int, _Stretch] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, plugin: str, hook: str) -> float:
        """The plugin has this thread from now on. Returns the time, for `leave`."""
        if self._thread is None:
            self._start()
        since = time.perf_counter()
        self._running[threading.get_ident()] = _Stretch(plugin, hook, since)
        return since

    def leave(self, since: float) -> float:
        """The plugin has given the thread back. Returns the seconds for which it had it."""
        self._running.pop(threading.get_ident(), None)
        return time.perf_counter() - since

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._watch, name="plugin watchdog", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        told: dict[int, float] = {}
        while not self._stop.wait(self.limit_s / 4):
            now = time.perf_counter()
            for thread, stretch in list(self._running.items()):
                if now - stretch.since >= self.limit_s and told.get(thread) != stretch.since:
                    told[thread] = stretch.since
                    frame = sys._current_frames().get(thread)
                    stack = "".join(traceback.format_stack(frame)[-8:]) if frame else ""
                    logger.error(
                        "The plugin %s has held its thread for more than %g s in %s. It is here:\n%s",
                        stretch.plugin,
                        self.limit_s,
                        stretch.hook,
                        stack,
                    )
