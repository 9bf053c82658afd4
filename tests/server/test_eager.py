"""Work that never waits needs no task; work that does goes on as if it always had one."""

from __future__ import annotations

import asyncio

import pytest

from realtime.server import eager


async def test_what_never_waits_is_done_at_once() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("all of it")

    assert eager.begin(work()) is None
    assert done == ["all of it"]


async def test_what_waits_has_the_rest_in_a_task() -> None:
    said: list[object] = []
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        said.append("begun")
        said.append(await answer)
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        said.append("done")

    task = eager.begin(work())
    assert task is not None
    assert said == ["begun"]
    answer.set_result("answered")
    await task
    assert said == ["begun", "answered", "done"]


async def test_what_fails_at_once_says_so_at_once() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        eager.begin(work())


async def test_what_it_waits_for_may_fail() -> None:
    said: list[str] = []
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        try:
            await answer
        except ZeroDivisionError:
            said.append("caught")
        await asyncio.sleep(0)
        raise KeyError

    task = eager.begin(work())
    assert task is not None
    answer.set_exception(ZeroDivisionError())
    with pytest.raises(KeyError):
        await task
    assert said == ["caught"]


async def test_it_can_be_cancelled_and_cleans_up() -> None:
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            said.append("cleaned up")

    task = eager.begin(work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))

    assert task.cancelled()
    assert said == ["cleaned up"]
