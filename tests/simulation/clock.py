"""An event loop whose time is a number: whenever nothing is left to do, it is as late as the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWaiting(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("The simulation waits for something that never comes.")
        if timeout > 0:
            self.now += timeout
        return []  # there is nothing outside that could have happened, and to ask the system takes longer than most turns


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waits = _NoWaiting()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
