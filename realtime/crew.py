"""A crew claims due jobs, works on several at once, and gives back what it cannot finish before the process ends."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from realtime.errors import NowServingError

_log = logging.getLogger("nowserving.crew")

J = TypeVar("J")

AT_ONCE = 16
"""Jobs worked on at the same time, where nothing else is said."""
LONGEST_NAP_S = 30.0
"""Without a wake-up the jobs are looked at this often, with jitter."""
SETTLE_S = 1.0
"""How long it may take at the end to write down what was answered."""


class Work(Protocol[J]):
    """What there is to do."""

    name: str
    """"delivery", as the log calls one."""

    async def claim(self, lease: str, room: int, worker: str) -> list[J]:
        """Lease up to `room` jobs that are due."""
        ...

    async def carry(self, job: J) -> None:
        """Do one and settle it, calling `Crew.answered` in between."""
        ...

    async def give_back(self, job: J) -> None:
        """Let another do it, as if it had not been tried."""
        ...

    async def next_due_ms(self) -> int | None: ...
    async def tidy(self) -> None:
        """Called before every nap."""
        ...

    def id_of(self, job: J) -> str: ...


class Crew(Generic[J]):
    """One kind of work of one process; several processes share it through the leases in the database.

    Args:
        clock_ms: the time of day.
        random_: for the jitter.
        at_once: jobs worked on at the same time.
    """

    def __init__(self, work: Work[J], clock_ms: Callable[[], int], random_: Callable[[], float], at_once: int = AT_ONCE) -> None:
        self._work = work
        self._at_once = at_once
        self._now = clock_ms
        self._random = random_
        self._name = f"{work.name} {secrets.token_hex(4)}"
        self._awake = asyncio.Event()
        self._stopping = False
        self._busy: set[asyncio.Task[None]] = set()
        self._carrying: dict[asyncio.Task[None], J] = {}
        """What may still be given back, for nothing has answered yet."""
        self._idle = asyncio.Event()
        self._idle.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    def answered(self) -> None:
        """The job of the current task is not given back any more: it may have had its effect."""
        if task := asyncio.current_task():
            self._carrying.pop(task, None)

    async def run(self) -> None:
        """Work until `stop` is called."""
        self._idle.clear()
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    self._awake.clear()
                    if len(self._busy) >= self._at_once:
                        await self._awake.wait()
                        continue
                    try:
                        busy = await self._begin_due(group)
                        nap_s = 0.0 if busy else await self._nap_s()
                    except NowServingError as error:
                        _log.warning("The jobs could not be read, trying again soon: %s", error.message)
                        nap_s = 1.0 + self._random()
                    if nap_s and not self._stopping:
                        await self._sleep(nap_s)
        finally:
            self._idle.set()

    def claim_no_more(self) -> None:
        """The end begins: what is being done goes on."""
        self._stopping = True
        self._awake.set()

    async def stop(self, budget_s: float) -> None:
        """Claim nothing any more; what is not done within `budget_s` is given back, as if it had not been tried."""
        self.claim_no_more()
        until = asyncio.get_running_loop().time() + budget_s
        carrying = dict(self._carrying)
        if carrying:
            await asyncio.wait(carrying, timeout=budget_s)
        for task, job in carrying.items():
            if task in self._carrying:
                task.cancel()
                await self._work.give_back(job)
        try:
            # What was answered is still settled, and what was being claimed is given back.
            async with asyncio.timeout_at(max(until, asyncio.get_running_loop().time() + SETTLE_S)):
                await self._idle.wait()
        except TimeoutError:
            _log.warning("Not every %s could be finished in time; what is held is free when its lease ends.", self._work.name)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _nap_s(self) -> float:
        now = self._now()
        await self._work.tidy()
        due_ms = await self._work.next_due_ms()
        longest = LONGEST_NAP_S * (0.8 + 0.4 * self._random())
        return longest if due_ms is None else min(max((due_ms - now) / 1000, 0.05), longest)

    async def _begin_due(self, group: asyncio.TaskGroup) -> bool:
        claimed = await self._work.claim(secrets.token_hex(16), self._at_once - len(self._busy), self._name)
        for job in claimed:
            if self._stopping:
                await self._work.give_back(job)
                continue
            task = group.create_task(self._carry(job), name=f"{self._work.name} {self._work.id_of(job)}")
            self._busy.add(task)
            self._carrying[task] = job
            task.add_done_callback(self._ended)
        return bool(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._carrying.pop(task, None)
        self._awake.set()

    async def _carry(self, job: J) -> None:
        try:
            await self._work.carry(job)
        except NowServingError as error:
            _log.warning("%s %s could not be settled; its lease will end: %s", self._work.name, self._work.id_of(job), error.message)
        except Exception:  # noqa: BLE001 - a supervised edge: one job must not end the others
            _log.exception("%s %s failed; its lease will end", self._work.name, self._work.id_of(job))


class ByCrew(Generic[J]):
    """Work that a crew does; it sets `_crew`."""

    _crew: Crew[J]

    def wake(self) -> None:
        """There may be something to do."""
        self._crew.wake()

    async def run(self) -> None:
        """Do jobs until `stop` is called."""
        await self._crew.run()

    def claim_no_more(self) -> None:
        """The end begins: what is being done goes on."""
        self._crew.claim_no_more()

    async def stop(self, budget_s: float) -> None:
        """Claim nothing any more; what is not done within `budget_s` is given back, as if it had not been tried."""
        await self._crew.stop(budget_s)
