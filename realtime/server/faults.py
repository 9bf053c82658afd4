"""A log of what clients do wrong: warnings without tracebacks, so many a while and no more, so that nobody outside can fill the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

MOST = 5
"""Warnings of one kind in a window."""
WINDOW_SECONDS = 10.0


class FaultLog(logging.Logger):
    """Stands in for the logger of uvicorn's protocols, which write query strings at INFO, frames at DEBUG and tracebacks for bad input.

    Warnings are counted by their text before arguments, which comes from code and never from a client; errors pass.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__("realtime.server.clients", logging.INFO)
        self.parent = logging.getLogger("realtime.server")
        self._now = now
        self._kinds: dict[str, tuple[float, int]] = {}

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Says nothing: the access log has a line for every socket, without its query string."""

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Says nothing of a handshake that we refused: the access log has it; nor of a request that was cut off at the end of a drain."""
        if "without completing handshake" not in str(msg) and not isinstance(kwargs.get("exc_info"), asyncio.CancelledError):
            super().error(msg, *args, **kwargs)

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        kind, now = str(msg), self._now()
        since, count = self._kinds.get(kind, (now, 0))
        if now - since > WINDOW_SECONDS:
            if count > MOST:
                super().warning("%d more within %.0f s: %s", count - MOST, now - since, _whole(kind, args))
            since, count = now, 0
        self._kinds[kind] = (since, count + 1)
        if count < MOST:
            super().warning(kind, *args)


def _whole(text: str, arguments: tuple[object, ...]) -> str:
    """The text with its arguments; those of one warning stand for all of its kind."""
    return text % arguments if arguments else text
