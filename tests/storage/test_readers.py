"""Connections that read: opened when they are first needed, and whoever goes or fails meanwhile keeps nobody else from reading."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from databases import Database

from realtime.errors import StorageFailed
from realtime.storage.readers import Readers
from realtime.storage.statement import Operation, Statement
from realtime.storage.turns import Turns
from tests.support.waiting import until_async


class Library:
    """What `Readers` loads on a thread: as long as it is shut it takes its time, and it fails as often as it is told to."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.open = threading.Event()
        self.open.set()
        self.failures = 0
        self.asked = 0

    def __call__(self) -> Database:
        self.asked += 1
        self.open.wait()
        if self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("unable to open database file")
        return Database(self.url)


def answer() -> Operation[int]:
    ((found,),) = yield Statement("select 42", ())
    return int(found)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "shop.db")


@pytest.fixture
async def readers(library: Library) -> AsyncIterator[Readers]:
    readers = Readers(library, count=1, queue=10)
    readers.start(Turns())
    yield readers
    library.open.set()
    await readers.stop()


async def test_nothing_is_opened_before_somebody_reads(readers: Readers, library: Library) -> None:
    async with readers.paused():
        pass
    await readers.stop()

    assert library.asked == 0


async def test_all_read_over_what_the_first_has_opened(readers: Readers, library: Library) -> None:
    assert await asyncio.gather(*(readers.read(answer, (), {}) for _ in range(5))) == [42] * 5
    assert library.asked == 1


async def test_a_reader_that_goes_leaves_its_connection_to_the_next(readers: Readers, library: Library) -> None:
    library.open.clear()
    first = asyncio.create_task(readers.read(answer, (), {}))
    await until_async(lambda: library.asked, what="the first reader's connection")
    second = asyncio.create_task(readers.read(answer, (), {}))

    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    library.open.set()

    assert await second == 42
    assert library.asked == 1


async def test_who_gets_no_connection_is_told_and_the_next_tries_again(readers: Readers, library: Library) -> None:
    library.failures = 1

    with pytest.raises(StorageFailed):
        await readers.read(answer, (), {})

    assert await readers.read(answer, (), {}) == 42


async def test_the_end_waits_for_who_connects_and_refuses_who_waits_in_line(readers: Readers, library: Library) -> None:
    library.open.clear()
    first = asyncio.create_task(readers.read(answer, (), {}))
    await until_async(lambda: library.asked, what="the first reader's connection")
    second = asyncio.create_task(readers.read(answer, (), {}))
    ending = asyncio.create_task(readers.stop())
    await asyncio.sleep(0)

    library.open.set()

    assert await first == 42
    with pytest.raises(StorageFailed):
        await second
    await ending
