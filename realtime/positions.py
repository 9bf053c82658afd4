"""Positions: how far stores are in the database, compared with how far a process has published them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from functools import partial
from typing import TypeVar

from realtime.clerk import Tasks
from realtime.errors import NowServingError
from realtime.followed import Followed
from realtime.model import StoreState
from realtime.operations import snapshots
from realtime.operations.snapshots import Top
from realtime.storage.statement import Storage

T = TypeVar("T")

AT_ONCE = 100
"""Stores that are looked up with one statement."""
AGAIN_S = 1.0
"""How long a database that failed is left alone."""

_log = logging.getLogger("nowserving.live")


class Found(Enum):
    """What a comparison says of a store, where something is to be done."""

    AHEAD = "ahead"
    """There is more than was published."""
    BACK = "back"
    """There is less, or another past: an earlier state was restored."""
    GONE = "gone"
    """Its data was deleted."""


class Looks:
    """Looks when it is asked to, and once more where it was asked meanwhile: what a look under way has read may be older than the reason to look."""

    def __init__(self, tasks: Tasks, look: Callable[[], Awaitable[None]]) -> None:
        self._tasks = tasks
        self._look = look
        self._under_way = False
        self._asked = False

    def ask(self) -> None:
        """Never waits."""
        self._asked = True
        if not self._under_way:
            self._under_way = True
            self._tasks.start("comparing positions", self._begin())

    async def _begin(self) -> None:
        try:
            while self._asked:
                self._asked = False
                await self._look()
        finally:
            self._under_way = False


async def keep_comparing(check: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Have positions checked now and then: a wake-up may be lost, and a database restored under a running process. Runs until cancelled."""
    while True:
        await asyncio.sleep(every_s * random.uniform(0.9, 1.1))
        await check()


async def compare(storage: Storage, followed: Iterable[Followed]) -> list[tuple[Followed, Found]]:
    """The stores that are not where they were published up to. Waits for a database that fails until it does not."""
    await _while_it_fails(storage.carry_on)
    known = [each for each in followed if each.next]
    found = []
    for at in range(0, len(known), AT_ONCE):
        before = [(each, each.epoch, each.reached) for each in known[at : at + AT_ONCE]]
        tops = await _while_it_fails(partial(storage.read, snapshots.tops, [each.store_id for each, _, _ in before]))
        for each, epoch, reached in before:
            if each.epoch == epoch and (says := _compared(tops.get(each.store_id), epoch, reached, each.reached)):
                found.append((each, says))
    return found


def _compared(top: Top | None, epoch: str, before: int, now: int) -> Found | None:
    """`before` and `now`: how far the store was published when the look began, and when it ended."""
    if top is None or top.state is StoreState.PURGED:
        return Found.GONE
    if top.epoch != epoch or top.seq < before:
        return Found.BACK
    return Found.AHEAD if top.seq > now else None


async def _while_it_fails(ask: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await ask()
        except NowServingError as error:
            _log.warning("How far stores are is looked up in a moment: %s", error.message)
            await asyncio.sleep(AGAIN_S)
