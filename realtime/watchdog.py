"""A thread that sees when a plugin holds another thread too long, and says which plugin and where."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from threading import get_ident

logger = logging.getLogger("nowserving.plugins")


class Watchdog:
    """Knows which plugin runs on which thread, and looks at them every `limit_s` / 4 seconds, from a thread of its own.

    A plugin that blocks cannot be stopped, only named, while it still blocks.
    """

    def __init__(self, limit_s: float = 1.0) -> None:
        self.limit_s = limit_s
        self._running: dict[int, tuple[str, str, float]] = {}
        """By thread: plugin, hook, and since when."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def enter(self, plugin: str, hook: str) -> float:
        """The plugin has this thread from now on. Returns the time, for `leave`."""
        if self._thread is None:
            self._start()
        since = time.perf_counter()
        self._running[get_ident()] = plugin, hook, since
        return since

    def leave(self, since: float) -> float:
        """The plugin has given the thread back. Returns the seconds for which it had it."""
        self._running.pop(get_ident(), None)
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
            for thread, (plugin, hook, since) in list(self._running.items()):
                if now - since >= self.limit_s and told.get(thread) != since:
                    told[thread] = since
                    frame = sys._current_frames().get(thread)
                    stack = "".join(traceback.format_stack(frame)[-8:]) if frame else ""
                    logger.error(
                        "The plugin %s has held its thread for more than %g s in %s. It is here:\n%s",
                        plugin,
                        self.limit_s,
                        hook,
                        stack,
                    )
