"""A loop that is never idle lets the threads of the database have their turn."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from realtime.storage.sqlite import SqliteStorage
from realtime.storage.turns import Turns
from tests.storage.steps import count_up, value_of

WRITES = 300


async def keep_busy(done: asyncio.Event) -> None:
    """What a loop under load does: small pieces of work, and never a pause."""
    while not done.is_set():
        sum(range(10_000))
        await asyncio.sleep(0)


async def test_writes_and_reads_go_on_beside_a_loop_that_is_never_idle(tmp_path: Path) -> None:
    storage = SqliteStorage(f"sqlite:///{tmp_path / 'shop.db'}")
    await storage.open()
    done = asyncio.Event()
    busy = asyncio.create_task(keep_busy(done))

    try:
        async with asyncio.timeout(20):  # without turns a write waits for seconds
            for number in range(1, WRITES + 1):
                assert await storage.write(count_up) == number
                if number % 20 == 0:
                    assert await storage.read(value_of, "count") == f"{number}"
    finally:
        done.set()
        await busy
        await storage.close()


def test_standing_still_ends_whatever_the_thread_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.storage.turns._TO_WAKE_UP", 1e-6)  # over before it begins, as where the machine is busy elsewhere
    monkeypatch.setattr("realtime.storage.turns._LONGEST", 1e-6)
    ended = threading.Event()

    async def make() -> Turns:
        return Turns()

    turns = asyncio.run(make())

    def stand_still() -> None:
        for _ in range(20_000):
            turns._stand_still()
            turns._asked = True  # the answer comes when nobody waits for it any more
            turns.give_back()
        ended.set()

    threading.Thread(target=stand_still, daemon=True).start()
    assert ended.wait(30)


async def test_an_idle_loop_never_stands_still() -> None:
    stood_still = threading.Event()

    class Watched(Turns):
        def _stand_still(self) -> None:
            stood_still.set()

    turns = Watched()
    turns.begin()
    await asyncio.sleep(0.03)
    turns.end()

    assert not stood_still.is_set()


async def test_a_busy_loop_stands_still_only_while_a_thread_has_work() -> None:
    stood_still = asyncio.Event()

    class Watched(Turns):
        def _stand_still(self) -> None:
            stood_still.set()

    async def wait_busily() -> None:
        while not stood_still.is_set():
            sum(range(2_000))
            await asyncio.sleep(0)

    turns = Watched()
    turns.begin()
    await asyncio.wait_for(wait_busily(), 10)
    turns.end()
    assert turns._timer is not None
    while turns._timer is not None:
        await asyncio.sleep(0)
