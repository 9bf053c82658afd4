"""Waiting for a condition until a deadline, for tests: never a fixed sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 20.0
"""A machine that is busy with other things is not a fault of what is tested. What is only found by the look that is taken every 24 s, is."""


def until(condition: Callable[[], T], within: float = PATIENCE_S, what: str = "") -> T:
    """Asks again and again until the answer is true, and returns it. Raises: AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"waited {within:g} s in vain for {what or getattr(condition, '__name__', 'a condition')}"
        time.sleep(0.01)


async def until_async(condition: Callable[[], Any], within: float = PATIENCE_S, what: str = "") -> Any:
    """The same in a running loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {within:g} s in vain for {what or getattr(condition, '__name__', 'a condition')}"
        await asyncio.sleep(0.01)
