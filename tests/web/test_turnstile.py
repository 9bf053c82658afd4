"""A turnstile: how many are inside, in which order the others follow, and that nobody's failure keeps them out."""

from __future__ import annotations

import asyncio
import logging

import pytest

from realtime.clerk import Tasks
from realtime.web.turnstile import Turnstile
from tests.support.waiting import until_async


class Visitors:
    def __init__(self) -> None:
        self.inside = self.most = 0
        self.came: list[int] = []
        self.door = asyncio.Event()

    async def visit(self, number: int) -> None:
        self.came.append(number)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.door.wait()
            if number % 5 == 0:
                raise LookupError("a visitor's own fault")
        finally:
            self.inside -= 1


async def test_so_many_are_inside_at_once_and_the_others_follow_in_their_order_whoever_fails(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    visitors = Visitors()
    async with asyncio.TaskGroup() as group:
        turnstile = Turnstile(Tasks(group), "a visit", most=3)
        for number in range(20):
            turnstile.start(lambda number=number: visitors.visit(number))  # type: ignore[misc]  # mypy infers no type for a default
        await until_async(lambda: visitors.inside == 3, what="three to be inside")
        assert visitors.came == [0, 1, 2]

        visitors.door.set()
        await until_async(lambda: len(visitors.came) == 20 and not visitors.inside, what="all to have come and gone")
        turnstile.start(lambda: visitors.visit(21))

    assert visitors.came == [*range(20), 21]
    assert visitors.most == 3
    assert sum("a visit failed" in record.getMessage() for record in caplog.records) == 4


async def test_at_the_end_nobody_else_is_let_in() -> None:
    visitors = Visitors()
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        turnstile = Turnstile(tasks, "a visit", most=2)
        for number in range(1, 5):
            turnstile.start(lambda number=number: visitors.visit(number))  # type: ignore[misc]  # as above
        await until_async(lambda: visitors.inside == 2, what="two to be inside")

        tasks.end()

    assert visitors.came == [1, 2]
    assert not visitors.inside
