"""What the operator is told of this installation, on both databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from realtime.app import make_storage
from realtime.oversight import Oversight
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.storage.statement import Storage


@pytest_asyncio.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    settings = await asyncio.to_thread(lambda: Settings.defaults(database_url=database_url, postgres_pool=2))
    storage = await asyncio.to_thread(make_storage, settings)
    await storage.open()
    yield storage
    await storage.close()


@pytest.mark.parametrize(("fast_ms", "text"), [(5_000, "s behind the server's."), (-5_000, "s ahead of the server's."), (0, "")])
async def test_clocks_that_are_apart_are_told_where_there_are_two(storage: Storage, database_url: str, fast_ms: int, text: str) -> None:
    def clock_ms() -> int:
        return int(time.time() * 1000) + fast_ms

    settings = await asyncio.to_thread(Settings.defaults)
    oversight = Oversight(settings, storage, Registry(settings), clock_ms, lambda queue: None)

    found = (await oversight.doctor()).findings

    two = database_url.startswith("postgres")
    assert [(each.kind, each.text.endswith(text)) for each in found] == ([("clock", True)] if two and fast_ms else [])


async def test_how_long_the_database_takes_to_answer_is_no_difference(storage: Storage) -> None:
    times = iter([1_000, 61_000, 61_000, 61_000])  # a minute passes meanwhile
    start = int(time.time() * 1000) - 30_000
    settings = await asyncio.to_thread(Settings.defaults)
    oversight = Oversight(settings, storage, Registry(settings), lambda: start + next(times), lambda queue: None)

    assert (await oversight.doctor()).findings == []
