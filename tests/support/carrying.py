"""Couriers at work on a shop, with notifiers that do as they are told, and a look at their jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from realtime.app import make_storage
from realtime.courier import Courier
from realtime.model import Delivery, JobState
from realtime.operations.changes import Change, owe
from realtime.opt_outs import OptOuts
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Operation, Statement, Storage
from tests.operations.conftest import Shop
from tests.plugins.office import GROUP
from tests.support.evening import Clock, Office, Post
from tests.support.waiting import until_async

FIRST_S, MOST_S = 10.0, 3600.0


class Work:
    """One courier at work on a shop, with the office's two notifiers."""

    def __init__(self, shop: Shop, storage: Storage, registry: Registry, settings: Settings, office: Office, chance: float) -> None:
        self.shop = shop
        self.storage = storage
        self.office = office
        self.clock = Clock()
        self.settled: list[str] = []
        self.opt_outs = OptOuts(storage, shop.keys, "https://queue.example.com", self.clock)
        self.courier = Courier(settings, storage, registry, self.clock, self._settled, lambda: chance, opt_outs=self.opt_outs)
        self.running = asyncio.create_task(self.courier.run())

    @property
    def text(self) -> Post:
        return self.office.text

    async def _settled(self, store_id: str) -> None:
        self.settled.append(store_id)

    async def owe(self, *recipients: str, notifier: str = "text", not_after_ms: int = 0, needs_report: bool = False) -> None:
        deliveries = [Delivery(notifier, to, "called", {"secret": "s3cret"}, not_after_ms, needs_report) for to in recipients]
        cause = f"cause-{len(await self.rows())}"
        await self.storage.write(_owe, self.shop.store_id, cause, deliveries, self.clock() - 60_000)
        self.courier.wake()

    async def rows(self) -> list[Sequence[Any]]:
        """State, attempts, outcome, due, body of every job, in the order they were made."""
        return await self.storage.read(_rows)

    async def until(self, *states: JobState) -> list[Sequence[Any]]:
        async def are() -> Any:
            rows = await self.rows()
            return (rows,) if [row[0] for row in rows] == [state.value for state in states] else None

        (rows,) = await until_async(are, what=f"{states}")
        return list(rows)


def _owe(store_id: str, cause: str, deliveries: list[Delivery], now_ms: int) -> Operation[Change]:
    return Change(None, (), (yield from owe(store_id, cause, deliveries, now_ms)))


def _rows() -> Operation[list[Sequence[Any]]]:
    return (
        yield Statement(
            "select state, attempts, outcome, due_ms, body, ended_ms from (select state, attempts, outcome, due_ms, body, ended_ms,"
            " created_ms, id from jobs union all select 'dead', attempts, outcome, 0, '{}', died_ms, created_ms, id from dead_jobs) as all_jobs"
            " order by created_ms, length(id), id",
            (),
        )
    )


MakeWork = Callable[..., Any]


async def opened(url: str) -> Storage:
    settings = await asyncio.to_thread(partial(Settings.defaults, database_url=url, postgres_pool=3))
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    return storage


async def a_shop(storage: Storage) -> Shop:
    shop = Shop(storage)
    await shop.open()
    return shop


@asynccontextmanager
async def couriers(shop: Shop) -> AsyncIterator[MakeWork]:
    works: list[Work] = []
    registries: list[Registry] = []

    async def make(office: Office | None = None, chance: float = 1.0, storage: Storage | None = None, **changes: Any) -> Work:
        wanted = {"retry_first_seconds": FIRST_S, "retry_most_seconds": MOST_S, **changes}
        settings = await asyncio.to_thread(partial(Settings.defaults, **wanted))
        office = office or Office()
        registry = await asyncio.to_thread(partial(Registry.load, settings, (("office", office),), group=GROUP))
        registries.append(registry)
        works.append(Work(shop, storage or shop.storage, registry, settings, office, chance))
        return works[-1]

    yield make
    for work in works:
        work.text.open.set()
        await work.courier.stop(1)
        await work.running
    for registry in registries:
        await registry.close()


async def tried(work: Work, attempt: int) -> Any:
    rows = await work.rows()
    return rows if rows[0][0] == "waiting" and rows[0][1] == attempt and rows[0][3] > work.clock() else None


def make_due(due_ms: int) -> Operation[None]:
    yield Statement("update jobs set due_ms = $1, ready_ms = $1, leased_until_ms = 0", (due_ms,))
